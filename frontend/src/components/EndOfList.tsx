import { useEffect, useRef } from "react";

/** Asks for more when it comes into view. It is a button as well, for those who don't scroll. */
export function EndOfList({ loading, more }: { loading: boolean; more: () => void }) {
  const end = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!end.current || loading) return;
    const watcher = new IntersectionObserver(([entry]) => entry?.isIntersecting && more());
    watcher.observe(end.current);
    return () => watcher.disconnect();
  }, [loading, more]);
  return (
    <button type="button" ref={end} className="quiet small" disabled={loading} onClick={more}>
      {loading ? "Loading…" : "Show more"}
    </button>
  );
}
