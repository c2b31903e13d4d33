import { isRecord, parsed } from "@/chat/series";
import { words } from "@/chat/words";
import { DataTable, isRows } from "@/components/DataTable";

const DEEPEST = 5; // objects in objects, after which their JSON is shown

interface Props {
  data: Record<string, unknown>;
  depth?: number;
}

/** Structured data, such as a summary: its fields by name. */
export function AnswerData({ data, depth = 0 }: Props) {
  return (
    <dl className={depth ? "inner-data" : "answer-data"}>
      {Object.entries(data).map(([name, value]) => (
        <div key={name}>
          <dt>{words(name)}</dt>
          <dd>
            <Value value={value} label={words(name)} depth={depth} />
          </dd>
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

/** A value as a person reads it: a table, a list, fields by name, words. */
export function Value({ value, label, depth }: { value: unknown; label: string; depth: number }) {
  if (isRows(value)) return <DataTable rows={value} label={label} />;
  if (Array.isArray(value) && value.length) return <List items={value} depth={depth} />;
  if (isRecord(value) && Object.keys(value).length && depth < DEEPEST)
    return <AnswerData data={value} depth={depth + 1} />;
  return shown(value);
}

function List({ items, depth }: { items: unknown[]; depth: number }) {
  return (
    <ul>
      {items.map((item, place) => (
        <li key={place}>
          <Value value={item} label={String(place + 1)} depth={depth + 1} />
        </li>
      ))}
    </ul>
  );
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (Array.isArray(value) && !value.length) return "None";
  return typeof value === "object" ? JSON.stringify(value, null, 1) : String(value);
}
