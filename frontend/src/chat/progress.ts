import { isRecord } from "@/chat/series";

/** How much of a work is done, as a step counts it. */
interface Count {
  done: number;
  total: number;
}

/** Returns the count in what a node told; undefined without one. */
export function countIn(data: unknown): Count | undefined {
  if (!isRecord(data)) return undefined;
  const done = data.done ?? data.current;
  return typeof done === "number" && typeof data.total === "number" ? { done, total: data.total } : undefined;
}

/** Tells whether one step goes on with the work of the other: it has counted further, and says the same. */
export function goesFurther(before: unknown, after: unknown): boolean {
  const [earlier, later] = [countIn(before), countIn(after)];
  if (!earlier || !later || earlier.total !== later.total || later.done < earlier.done) return false;
  return rest(before) === rest(after);
}

const COUNTS = new Set(["done", "current", "total"]);

const rest = (data: unknown): string =>
  JSON.stringify(isRecord(data) ? Object.entries(data).filter(([name]) => !COUNTS.has(name)) : data);
