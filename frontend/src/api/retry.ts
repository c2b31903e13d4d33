import { Problem } from "@/api/problem";

const TRIES = 3;
const LONGEST = 30_000; // milliseconds

/** Tells whether to read something again after this many failures: a refusal stays one, unless it is a passing one. */
export const readAgain = (failures: number, error: Error): boolean =>
  failures < TRIES && (!(error instanceof Problem) || error.passing || error.soon);

/** Returns how many milliseconds to wait before that: as long as the server says, or longer every time. */
export const pauseBefore = (failures: number, error: Error): number =>
  error instanceof Problem && error.retryAfter !== undefined
    ? error.retryAfter * 1000
    : Math.min(1000 * 2 ** failures, LONGEST);
