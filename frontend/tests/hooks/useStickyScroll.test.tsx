import { act, fireEvent, render, screen } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { useStickyScroll } from "@/hooks/useStickyScroll";

const VIEW = 500; // pixels
let height: number;
let top: number;
let resized: () => void;

// the layout that happy-dom lacks: a place stays within the content, and its event comes later
Object.defineProperties(HTMLElement.prototype, {
  clientHeight: { get: () => VIEW },
  scrollHeight: { get: () => height },
  scrollTop: { get: () => top, set: (wanted: number) => (top = Math.max(0, Math.min(wanted, height - VIEW))) },
});

function Scroller() {
  const { frame, content, stuck, toEnd } = useStickyScroll();
  return (
    <>
      <div data-testid="frame" ref={frame}>
        <div data-testid="content" ref={content} />
      </div>
      <output>{stuck ? "stuck" : "free"}</output>
      <button onClick={toEnd}>Go to the end</button>
    </>
  );
}

const frame = () => screen.getByTestId("frame");
const state = () => screen.getByRole("status").textContent;
const left = () => height - VIEW - top;
const grows = (by: number) => {
  height += by;
  top = Math.min(top, height - VIEW);
  act(() => resized());
};
const scrolls = (by: number) => {
  frame().scrollTop += by;
  fireEvent.scroll(frame());
};

beforeEach(() => {
  vi.stubGlobal(
    "ResizeObserver",
    class {
      constructor(callback: () => void) {
        resized = callback;
      }
      observe() {}
      disconnect() {}
    },
  );
  [height, top] = [2000, 0];
  render(<Scroller />);
  grows(0);
});

describe("a conversation's end", () => {
  it("stays in view while the content grows", () => {
    grows(40);
    expect(left()).toBe(0);
    fireEvent.scroll(frame());
    grows(700);
    expect([left(), state()]).toEqual([0, "stuck"]);
  });

  it("is let go by the smallest step up, also between the growth and its scroll event", () => {
    grows(40);
    scrolls(-4);
    expect(state()).toBe("free");
    grows(40);
    expect(left()).toBe(44);
  });

  it("is not let go when the content grew under a reader who did nothing", () => {
    height += 300; // the event of the scrolling before comes when more is there already
    fireEvent.scroll(frame());
    grows(0);
    expect([left(), state()]).toEqual([0, "stuck"]);
  });

  it("is not let go when the content shrinks, as at a restart", () => {
    grows(-900);
    fireEvent.scroll(frame());
    grows(100);
    expect([left(), state()]).toEqual([0, "stuck"]);
  });

  it("is held again by a reader who comes near it, or asks for it", () => {
    scrolls(-600);
    scrolls(400);
    expect(state()).toBe("free");
    scrolls(160);
    expect(state()).toBe("stuck");
    scrolls(-600);
    frame().scrollTo = (({ top: wanted }: { top: number }) => (frame().scrollTop = wanted)) as never;
    fireEvent.click(screen.getByRole("button"));
    grows(40);
    expect([left(), state()]).toEqual([0, "stuck"]);
  });

  it("waits while the mouse selects text, and comes back after that", () => {
    fireEvent.pointerDown(screen.getByTestId("content"), { pointerType: "mouse" });
    grows(100);
    expect(left()).toBe(100);
    fireEvent.pointerUp(document.body);
    grows(100);
    expect(left()).toBe(0);
  });

  it("does not wait for the scroll bar, which says nothing when it is released", () => {
    fireEvent.pointerDown(frame(), { pointerType: "mouse" });
    grows(100);
    expect(left()).toBe(0);
  });
});
