import type { Usage } from "@/api/events";
import type { Pace } from "@/chat/exchange";
import { milliseconds, timeToFirst, tokensASecond } from "@/chat/pace";

/** How much came, how soon and how fast. */
export function PaceLine({ pace, usage }: { pace: Pace; usage: Usage | null }) {
  const rate = tokensASecond(pace);
  return (
    <p className="pace">
      <span>{pace.characters.toLocaleString()} characters</span>
      {rate !== null && <span>{rate >= 10 ? Math.round(rate).toLocaleString() : rate.toFixed(1)} tokens/s</span>}
      <span>first token after {milliseconds(timeToFirst(pace) ?? 0)}</span>
      {usage && usage.total_tokens > 0 && <span>{usage.total_tokens.toLocaleString()} tokens in all</span>}
    </p>
  );
}
