import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { documentsIn, Sources } from "@/components/Sources";

const document = (page_content: string, metadata?: Record<string, unknown>) => ({ page_content, metadata });

test("finds the documents of an answer, wherever they are", () => {
  const documents = [document("A bond is a loan.", { source: "bonds.md", page: 3 })];
  const found = { title: "bonds.md", address: undefined, place: "page 3", snippet: "A bond is a loan." };
  expect(documentsIn({ answer: "x", context: documents })).toEqual([found]);
  expect(documentsIn(documents)).toEqual([found]);
  for (const none of [null, "x", { answer: "x" }, { list: [1, { a: 1 }] }]) expect(documentsIn(none)).toEqual([]);
});

test("shows where each is from, and how it begins", () => {
  const documents = documentsIn([
    document("x ".repeat(500), { title: "Bonds", url: "https://example.com/bonds" }),
    document("y", { source: "javascript:alert(1)" }),
    document("z"),
  ]);
  render(<Sources documents={documents} />);
  expect(screen.getByRole("link", { name: "Bonds" }).getAttribute("href")).toBe("https://example.com/bonds");
  expect(screen.getAllByRole("listitem")[0]!.textContent).toMatch(/…$/);
  expect(screen.getByText("javascript:alert(1)").tagName).toBe("STRONG");
  expect(screen.getByText("Document 3")).toBeTruthy();
});

test("says nothing without documents", () => {
  const { container } = render(<Sources documents={[]} />);
  expect(container.textContent).toBe("");
});
