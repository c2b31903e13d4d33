import { render, screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { Markdown } from "@/components/Markdown";

const paragraphs = (count: number) => Array.from({ length: count }, (_, place) => `Paragraph ${place}.`).join("\n\n");

describe("Markdown", () => {
  it("stands in passages, and what is finished stays the same element while more comes", () => {
    const { container, rerender } = render(<Markdown text={paragraphs(30)} streaming />);
    const [first, ...others] = container.querySelectorAll(".passage");
    expect(others).toHaveLength(2);
    const paragraph = first!.firstElementChild;
    rerender(<Markdown text={paragraphs(40)} streaming />);
    expect(container.querySelectorAll(".passage")).toHaveLength(4);
    expect(container.querySelector(".passage")!.firstElementChild).toBe(paragraph);
    expect(container.querySelectorAll("p")).toHaveLength(40);
  });

  it("shows what is half written as what it will be", () => {
    const { container, rerender } = render(<Markdown text="It **grew" streaming />);
    expect(container.querySelector("strong")?.textContent).toBe("grew");
    rerender(<Markdown text="It **grew" streaming={false} />);
    expect(container.querySelector("strong")).toBeNull();
  });

  it.each([
    "/api/chat/stream?query=pay&runnable=agent",
    `//${window.location.host}/auth/signout`,
    `${window.location.origin}/x`,
    "x",
    "?query=pay",
  ])("shows an address of this server, and makes no link of it: %s", (address) => {
    render(<Markdown text={`[Read more](<${address}>) and ![a chart](<${address}>)`} streaming={false} />);
    expect(screen.queryAllByRole("link")).toEqual([]);
    expect(screen.getByText(/Read more/)).toBeTruthy();
  });

  it("makes a link of an image, runs no HTML, and lets code be copied", () => {
    const { container } = render(
      <Markdown
        text={"![a cat](https://example.com/cat.png)\n\n<script>x</script>\n\n```py\nx = 1\n```"}
        streaming={false}
      />,
    );
    expect(screen.getByRole("link", { name: "a cat" }).getAttribute("rel")).toContain("noreferrer");
    expect(container.querySelector("img, script")).toBeNull();
    expect(screen.getByRole("button", { name: "Copy" })).toBeTruthy();
  });
});
