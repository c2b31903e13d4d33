import { memo } from "react";
import type { Usage } from "@/api/events";
import type { Pace } from "@/chat/exchange";
import { milliseconds, timeToFirst, tokensASecond } from "@/chat/pace";
import { useCalm } from "@/hooks/useCalm";

const CALM_MS = 250; // figures that change with every frame can't be read

interface Props {
  pace: Pace;
  usage: Usage | null;
  streaming: boolean;
}

/** How much came, how soon and how fast. */
export function PaceLine({ pace, usage, streaming }: Props) {
  return <Figures pace={useCalm(pace, pace.asked, streaming ? CALM_MS : 0)} usage={usage} />;
}

const Figures = memo(function Figures({ pace, usage }: Omit<Props, "streaming">) {
  const rate = tokensASecond(pace);
  return (
    <p className="pace">
      <span>{pace.characters.toLocaleString()} characters</span>
      {rate !== null && <span>{rate >= 10 ? Math.round(rate).toLocaleString() : rate.toFixed(1)} tokens/s</span>}
      <span>first token after {milliseconds(timeToFirst(pace) ?? 0)}</span>
      {usage && usage.total_tokens > 0 && <span>{usage.total_tokens.toLocaleString()} tokens in all</span>}
    </p>
  );
});
