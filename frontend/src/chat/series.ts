export interface Point {
  day: string;
  value: number;
}

export interface Series {
  name: string;
  points: Point[];
}

/** Returns the series of days and values in a tool's output; an empty list when there is none. */
export function seriesIn(output: string): Series[] {
  const data = parsed(output);
  if (!isRecord(data)) return [];
  const own = named(data, "value");
  if (own) return [own];
  return Object.values(data)
    .filter(Array.isArray)
    .flatMap((items: unknown[]) => items.map((item) => (isRecord(item) ? named(item, "series") : undefined)))
    .filter((series) => series !== undefined);
}

/** Returns a tool's output as data; undefined when it is no JSON. */
export function parsed(output: string): unknown {
  try {
    return JSON.parse(output);
  } catch {
    return undefined;
  }
}

function named(item: Record<string, unknown>, fallback: string): Series | undefined {
  const points = item.series;
  if (!Array.isArray(points) || points.length < 2 || !points.every(isPoint)) return undefined;
  return { name: String(item.symbol ?? item.portfolio ?? item.name ?? fallback), points };
}

function isPoint(value: unknown): value is Point {
  return isRecord(value) && typeof value.value === "number" && !Number.isNaN(Date.parse(String(value.day)));
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
