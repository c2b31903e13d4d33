import { isRecord, type Series } from "@/chat/series";
import { words } from "@/chat/words";

type Cell = string | number | boolean | null;
export type Row = Record<string, Cell>;

/** Rows of plain values as a table; its columns are those of the first row. */
export function DataTable({ rows, label }: { rows: Row[]; label: string }) {
  const columns = Object.keys(rows[0] ?? {});
  return (
    <div className="table-frame" tabIndex={0} role="group" aria-label={label}>
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {words(column)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, place) => (
            <tr key={place}>
              {columns.map((column) => (
                <td key={column} className={typeof row[column] === "number" ? "number" : undefined}>
                  {shown(row[column])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Returns the first list of plain rows in a tool's data. */
export function rowsIn(data: unknown): Row[] {
  if (!isRecord(data)) return [];
  return Object.values(data).find(isRows) ?? [];
}

/** Returns series side by side, a row a day. */
export function rowsOf(series: Series[]): Row[] {
  return (series[0]?.points ?? []).map(({ day }, place) => ({
    day,
    ...Object.fromEntries(series.map(({ name, points }) => [name, points[place]?.value ?? null])),
  }));
}

/** Tells a list of objects of plain values, which is a table. */
export const isRows = (value: unknown): value is Row[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every(
    (item) => isRecord(item) && Object.values(item).every((cell) => typeof cell !== "object" || cell === null),
  );

const shown = (cell: Cell | undefined): string =>
  typeof cell === "number" ? cell.toLocaleString() : cell === null || cell === undefined ? "–" : String(cell);
