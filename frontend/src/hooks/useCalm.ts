import { useEffect, useRef, useState } from "react";

/** Returns `value`, at most once in `ms` milliseconds as long as `place` stays the same; at once when `ms` is 0. */
export function useCalm<T>(value: T, place: unknown, ms: number): T {
  const [shown, setShown] = useState({ value, place });
  const latest = useRef({ value, place });
  useEffect(() => {
    latest.current = { value, place };
  }, [value, place]);
  useEffect(() => {
    if (!ms) return;
    const timer = setInterval(() => setShown(latest.current), ms);
    return () => clearInterval(timer);
  }, [ms]);
  return ms && shown.place === place ? shown.value : value;
}
