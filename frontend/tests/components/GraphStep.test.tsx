import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { GraphStep, progressIn } from "@/components/GraphStep";
import { Thoughts } from "@/components/Thoughts";

test.each([
  ["searching", "searching"],
  [3, "3"],
  [{ status: "Reading", done: 2, total: 5 }, "Reading (2 of 5)"],
  [{ step: "drafting" }, "drafting"],
  [{ counted: 2 }, "Counted: 2"],
  [{ found: [1, 2] }, undefined],
  [{ a: 1, b: 2, c: 3, d: 4 }, undefined],
  [null, undefined],
])("says in a line what a step says (%o)", (data, line) => {
  expect(progressIn(data)).toBe(line);
});

test("shows data by its fields, and as JSON only where it has none", () => {
  const { rerender, container } = render(<GraphStep node="web_search" data={{ found: ["a", "b"] }} current />);
  expect(screen.getByText("Web search")).toBeTruthy();
  expect([...container.querySelectorAll("dd li")].map((item) => item.textContent)).toEqual(["a", "b"]);
  rerender(<GraphStep node="web_search" data={[["a"]]} current />);
  expect(screen.getByRole("group", { name: "Data", hidden: true }).textContent).toContain('"a"');
});

test("keeps thoughts out of the way", () => {
  render(<Thoughts text="Hm" />);
  expect(screen.getByText("Hm").closest("details")!.open).toBe(false);
});
