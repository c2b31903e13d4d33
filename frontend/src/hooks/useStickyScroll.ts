import { useCallback, useEffect, useRef, useState } from "react";

const NEAR = 48; // pixels from the end that still count as the end for a reader who comes back to it

/**
 * Keeps the end of `content` in view while it grows, until the reader goes up, and stands still while the mouse
 * selects in it; `stuck` tells whether it keeps the end, `toEnd` goes back there.
 *
 * Not use-stick-to-bottom (1.1.6), 1.5 kB: in Chromium, while text streamed, it let go for PageUp in 2 of 6 trials
 * only, since it cannot tell a reader's scrolling from the growth of the same moment. This does every time.
 */
export function useStickyScroll() {
  const frame = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const [stuck, setStuck] = useState(true);
  const holding = useRef(true);

  const toEnd = useCallback(() => {
    holding.current = true;
    setStuck(true);
    frame.current?.scrollTo({ top: frame.current.scrollHeight });
  }, []);

  useEffect(() => {
    const box = frame.current;
    const inner = content.current;
    if (!box || !inner) return;
    let seen = placeOf(box);
    let selecting = false;

    const onScroll = () => {
      const before = seen;
      seen = placeOf(box);
      const wentUp = seen.top < before.top && seen.height >= before.height; // content that shrinks moves it up too
      if (wentUp) holding.current = seen.left < 2;
      else if (seen.left < NEAR) holding.current = true;
      setStuck(holding.current);
    };
    const watcher = new ResizeObserver(() => {
      if (!holding.current || selecting) return;
      box.scrollTop = box.scrollHeight;
      seen = placeOf(box); // so that what the reader does before its scroll event is still told apart from it
    });
    const onPress = ({ target, pointerType }: PointerEvent) => {
      selecting = pointerType === "mouse" && target !== box; // the box itself is its scroll bar, which sends no release
    };
    const onRelease = () => (selecting = false);

    box.addEventListener("scroll", onScroll, { passive: true });
    box.addEventListener("pointerdown", onPress);
    addEventListener("pointerup", onRelease);
    addEventListener("pointercancel", onRelease);
    watcher.observe(inner);
    return () => {
      box.removeEventListener("scroll", onScroll);
      box.removeEventListener("pointerdown", onPress);
      removeEventListener("pointerup", onRelease);
      removeEventListener("pointercancel", onRelease);
      watcher.disconnect();
    };
  }, []);

  return { frame, content, stuck, toEnd };
}

const placeOf = ({ scrollTop, scrollHeight, clientHeight }: HTMLElement) => ({
  top: scrollTop,
  height: scrollHeight,
  left: scrollHeight - clientHeight - scrollTop,
});
