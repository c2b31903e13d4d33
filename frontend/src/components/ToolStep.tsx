import { memo, useMemo } from "react";
import type { ToolPart } from "@/chat/exchange";
import { parsed, seriesIn } from "@/chat/series";
import { words } from "@/chat/words";
import { DataTable, rowsIn } from "@/components/DataTable";
import { Icon } from "@/components/Icon";
import { SeriesView } from "@/components/SeriesView";

interface Props {
  part: ToolPart;
  running: boolean;
  /** Whether its call waits for a person's word. */
  waiting?: boolean;
}

const MARKS = { running: "again", failed: "warning", done: "check", waits: "hand", "not finished": "stop" } as const;

/** A tool at work or done: what it was given and what it found, and its series as a chart. */
export const ToolStep = memo(function ToolStep({ part, running, waiting = false }: Props) {
  const { tool, input, output, isError } = part;
  const series = useMemo(() => seriesIn(output ?? ""), [output]);
  const open = running ? "running" : waiting ? "waits" : "not finished";
  const state = isError ? "failed" : output !== null ? "done" : open;
  return (
    <div className={`tool ${state.replace(" ", "-")}`}>
      <details>
        <summary>
          <span className="tool-mark">
            {state === "running" ? <span className="spinner" /> : <Icon name={MARKS[state]} size={15} />}
          </span>
          <span className="tool-name">{words(tool)}</span>
          <span className="tool-state">{state}</span>
          <Icon name="chevron" size={15} />
        </summary>
        <div className="tool-body">
          <h4>Input</h4>
          <pre tabIndex={0} role="group" aria-label="Input">
            {pretty(input)}
          </pre>
          {output !== null && (
            <>
              <h4>Result</h4>
              <Result output={output} />
            </>
          )}
        </div>
      </details>
      {series.length > 0 && <SeriesView series={series} title={series.map(({ name }) => name).join(", ")} />}
    </div>
  );
});

function Result({ output }: { output: string }) {
  const data = parsed(output);
  const rows = rowsIn(data).filter((row) => !("series" in row));
  return (
    <>
      {rows.length > 1 && <DataTable rows={rows} label="Result" />}
      <pre tabIndex={0} role="group" aria-label="Result">
        {data === undefined ? output : pretty(data)}
      </pre>
    </>
  );
}

const pretty = (value: unknown): string => JSON.stringify(value, null, 2) ?? "";
