import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PaceLine } from "@/components/PaceLine";

const pace = (tokens: number) => ({ asked: 0, first: 100, last: 1100, tokens, characters: tokens * 5 });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the figures under an answer", () => {
  it("change four times a second while it streams, and at once at its end", () => {
    const { rerender } = render(<PaceLine pace={pace(2)} usage={null} streaming />);
    expect(screen.getByText("10 characters")).toBeTruthy();
    rerender(<PaceLine pace={pace(20)} usage={null} streaming />);
    expect(screen.queryByText("100 characters")).toBeNull();
    act(() => void vi.advanceTimersByTime(250));
    expect(screen.getByText("100 characters")).toBeTruthy();
    rerender(
      <PaceLine pace={pace(40)} usage={{ input_tokens: 1, output_tokens: 40, total_tokens: 41 }} streaming={false} />,
    );
    expect(screen.getByText("200 characters")).toBeTruthy();
    expect(screen.getByText("41 tokens in all")).toBeTruthy();
  });

  it("tell no speed of a single token", () => {
    render(<PaceLine pace={pace(1)} usage={null} streaming={false} />);
    expect(screen.queryByText(/tokens\/s/)).toBeNull();
  });
});
