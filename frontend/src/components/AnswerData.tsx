import { isRecord, parsed } from "@/chat/series";
import { words } from "@/components/DataTable";

/** A structured answer, such as a summary: its fields by name. */
export function AnswerData({ data }: { data: Record<string, unknown> }) {
  return (
    <dl className="answer-data">
      {Object.entries(data).map(([name, value]) => (
        <div key={name}>
          <dt>{words(name)}</dt>
          <dd>{Array.isArray(value) ? <List items={value} /> : shown(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Returns the data that a text is; undefined for prose. */
AnswerData.of = (text: string): Record<string, unknown> | undefined => {
  if (!text.startsWith("{")) return undefined;
  const data = parsed(text);
  return isRecord(data) ? data : undefined;
};

function List({ items }: { items: unknown[] }) {
  return (
    <ul>
      {items.map((item, place) => (
        <li key={place}>{shown(item)}</li>
      ))}
    </ul>
  );
}

const shown = (value: unknown): string => (typeof value === "object" ? JSON.stringify(value, null, 1) : String(value));
