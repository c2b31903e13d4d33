import type { Pace } from "@/chat/exchange";

/** Returns the time to the first token in milliseconds; null before it came. */
export const timeToFirst = (pace: Pace): number | null => (pace.first === null ? null : pace.first - pace.asked);

/** Returns tokens a second from the first to the last one; null when there is no time between them. */
export function tokensASecond(pace: Pace): number | null {
  if (pace.first === null || pace.last === null || pace.last <= pace.first || pace.tokens < 2) return null;
  return ((pace.tokens - 1) * 1000) / (pace.last - pace.first);
}

export const milliseconds = (value: number): string =>
  value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} s`;
