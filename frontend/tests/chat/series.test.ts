import { describe, expect, it } from "vitest";
import { seriesIn } from "@/chat/series";
import { rowsIn, rowsOf } from "@/components/DataTable";

const points = [
  { day: "2026-01-01", value: 100 },
  { day: "2026-01-02", value: 101.5 },
];

describe("series in a tool's output", () => {
  it("are found at the top and in a list", () => {
    expect(seriesIn(JSON.stringify({ portfolio: "Main", series: points }))).toEqual([{ name: "Main", points }]);
    const compared = {
      investments: [
        { symbol: "AAPL", series: points },
        { symbol: "MSFT", series: points },
      ],
      period: "1y",
    };
    expect(seriesIn(JSON.stringify(compared)).map(({ name }) => name)).toEqual(["AAPL", "MSFT"]);
  });

  it.each([
    "no JSON",
    "42",
    "[]",
    '{"series": 1}',
    '{"series": []}',
    '{"series": [{"day": "x", "value": 1}, {"day": "y", "value": 2}]}',
    '{"items": [1, null]}',
  ])("are not found in %s", (output) => expect(seriesIn(output)).toEqual([]));

  it("stand side by side in a table", () => {
    expect(
      rowsOf([
        { name: "A", points },
        { name: "B", points: points.slice(0, 1) },
      ]),
    ).toEqual([
      { day: "2026-01-01", A: 100, B: 100 },
      { day: "2026-01-02", A: 101.5, B: null },
    ]);
  });
});

describe("rows in a tool's output", () => {
  it("are its first list of plain records", () => {
    const rows = [
      { symbol: "AAPL", price: 1 },
      { symbol: "MSFT", price: null },
    ];
    expect(rowsIn({ total: 1, nested: [{ a: { b: 1 } }], holdings: rows })).toEqual(rows);
    expect(rowsIn("text")).toEqual([]);
    expect(rowsIn({ empty: [] })).toEqual([]);
  });
});
