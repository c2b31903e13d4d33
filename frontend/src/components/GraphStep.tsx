import { countIn } from "@/chat/progress";
import { isRecord } from "@/chat/series";
import { words } from "@/chat/words";
import { AnswerData } from "@/components/AnswerData";

/** What a node of a graph told of its work, or wrote to its state: a line, and the rest on request. */
export function GraphStep({ node, data, current }: { node: string | null; data: unknown; current: boolean }) {
  const line = progressIn(data);
  return (
    <div className="graph-step">
      {current && <span className="spinner" />}
      {node !== null && <span className="graph-node">{words(node)}</span>}
      {line !== undefined ? (
        <span>{line}</span>
      ) : (
        <details>
          <summary>{isRecord(data) ? Object.keys(data).map(words).join(", ") : "Data"}</summary>
          {isRecord(data) ? (
            <AnswerData data={data} depth={1} />
          ) : (
            <pre tabIndex={0} role="group" aria-label="Data">
              {JSON.stringify(data, null, 2)}
            </pre>
          )}
        </details>
      )}
    </div>
  );
}

const SAID = ["message", "text", "status", "step", "progress", "label", "title"];

/** Returns what a step says in a line, such as "Reading 3 of 5"; undefined when it says no such thing. */
export function progressIn(data: unknown): string | undefined {
  if (typeof data === "string" || typeof data === "number") return String(data);
  if (!isRecord(data)) return undefined;
  const values = Object.values(data);
  const short = values.every((value) => value === null || typeof value !== "object");
  const said = SAID.map((name) => data[name]).find((value) => typeof value === "string" && value !== "");
  if (said !== undefined && short) return [String(said), share(data)].filter(Boolean).join(" ");
  if (!short || values.length > 3) return undefined;
  return Object.entries(data)
    .map(([name, value]) => `${words(name)}: ${String(value)}`)
    .join(", ");
}

function share(data: Record<string, unknown>): string {
  const count = countIn(data);
  return count ? `(${count.done} of ${count.total})` : "";
}
