import { useCallback, useEffect, useRef, useState } from "react";

const NEAR = 48; // pixels from the end that still count as the end

/**
 * Keeps the end of `content` in view while it grows, until the reader scrolls up; `stuck` tells whether it does,
 * `toEnd` goes back there.
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
    let top = box.scrollTop;
    const onScroll = () => {
      const atEnd = box.scrollHeight - box.clientHeight - box.scrollTop < NEAR;
      const wentUp = box.scrollTop < top;
      top = box.scrollTop;
      if (!atEnd && !wentUp) return; // the content grew under a reader who did nothing
      holding.current = atEnd;
      setStuck(atEnd);
    };
    const watcher = new ResizeObserver(() => {
      if (holding.current) box.scrollTop = box.scrollHeight;
    });
    box.addEventListener("scroll", onScroll, { passive: true });
    watcher.observe(inner);
    return () => {
      box.removeEventListener("scroll", onScroll);
      watcher.disconnect();
    };
  }, []);

  return { frame, content, stuck, toEnd };
}
