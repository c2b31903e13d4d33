import { milliseconds, timeToFirst, tokensASecond } from "@/chat/pace";
import type { Lap } from "@/hooks/useRace";

/** What each transport took, as figures and bars: the longest bar of a kind is the largest figure. */
export function Bars({ laps }: { laps: Lap[] }) {
  const largest = {
    first: Math.max(1, ...laps.map((lap) => firstOf(lap) ?? 0)),
    total: Math.max(1, ...laps.map(({ total }) => total ?? 0)),
    rate: Math.max(1, ...laps.map((lap) => rateOf(lap) ?? 0)),
  };
  return (
    <ul className="laps">
      {laps.map((lap) => (
        <li key={lap.name} className={`lap ${lap.state}`}>
          <h2>
            {lap.name} <small>{lap.how}</small>
          </h2>
          {lap.state === "waiting" && <p className="hint">Not run yet</p>}
          {lap.state === "running" && (
            <p className="hint">
              <span className="spinner" /> Running…
            </p>
          )}
          {lap.state === "failed" && <p className="notice trouble">{lap.trouble}</p>}
          {lap.state === "done" && (
            <dl>
              <Bar label="First token" value={firstOf(lap)} largest={largest.first} shown={milliseconds} />
              <Bar label="Whole answer" value={lap.total} largest={largest.total} shown={milliseconds} />
              <Bar
                label="Tokens a second"
                value={rateOf(lap)}
                largest={largest.rate}
                shown={(rate) => Math.round(rate).toLocaleString()}
              />
            </dl>
          )}
        </li>
      ))}
    </ul>
  );
}

interface BarProps {
  label: string;
  value: number | null;
  largest: number;
  shown: (value: number) => string;
}

function Bar({ label, value, largest, shown }: BarProps) {
  return (
    <div className="bar">
      <dt>{label}</dt>
      <dd>
        <progress aria-hidden="true" max={1} value={(value ?? 0) / largest} />
        <span>{value === null ? "in one piece" : shown(value)}</span>
      </dd>
    </div>
  );
}

const firstOf = ({ pace }: Lap) => pace && timeToFirst(pace);
const rateOf = ({ pace }: Lap) => pace && tokensASecond(pace);
