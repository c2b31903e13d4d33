import { memo, useMemo } from "react";
import type { ToolPart } from "@/chat/exchange";
import { parsed, seriesIn } from "@/chat/series";
import { words } from "@/chat/words";
import { DataTable, rowsIn } from "@/components/DataTable";
import { Icon } from "@/components/Icon";
import { SeriesView } from "@/components/SeriesView";

/** A tool at work or done: what it was given and what it found, and its series as a chart. */
export const ToolStep = memo(function ToolStep({ part, running }: { part: ToolPart; running: boolean }) {
  const { tool, input, output, isError } = part;
  const series = useMemo(() => seriesIn(output ?? ""), [output]);
  const state = isError ? "failed" : output !== null ? "done" : running ? "running" : "not finished";
  return (
    <div className={`tool ${state.replace(" ", "-")}`}>
      <details>
        <summary>
          <span className="tool-mark">
            {state === "running" ? (
              <span className="spinner" />
            ) : (
              <Icon name={isError ? "warning" : "check"} size={15} />
            )}
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
