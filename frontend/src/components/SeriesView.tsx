import { lazy, Suspense, useState } from "react";
import type { Series } from "@/chat/series";
import { DataTable, rowsOf } from "@/components/DataTable";
import { Fallback } from "@/components/Fallback";

const LineChart = lazy(() => import("@/components/LineChart"));

/** Series as a chart, with the table behind a click. */
export function SeriesView({ series, title }: { series: Series[]; title: string }) {
  const [table, setTable] = useState(false);
  return (
    <figure className="series">
      <figcaption>
        <span>{title}</span>
        <button type="button" className="quiet small" aria-pressed={table} onClick={() => setTable(!table)}>
          {table ? "Show chart" : "Show table"}
        </button>
      </figcaption>
      {table ? (
        <DataTable rows={rowsOf(series)} label={`${title}, as a table`} />
      ) : (
        <Fallback instead={<DataTable rows={rowsOf(series)} label={`${title}, as a table`} />}>
          <Suspense fallback={<div className="chart" />}>
            <LineChart series={series} />
          </Suspense>
        </Fallback>
      )}
    </figure>
  );
}
