import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Series } from "@/chat/series";

const HEIGHT = 220;
const HUES = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"];

/** Series over days as lines. It is drawn again when its width or the colour scheme changes. */
export default function LineChart({ series }: { series: Series[] }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    let chart = drawn(element, series);
    const again = () => {
      chart.destroy();
      chart = drawn(element, series);
    };
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const watcher = new ResizeObserver(() => chart.setSize({ width: element.clientWidth, height: HEIGHT }));
    scheme.addEventListener("change", again);
    watcher.observe(element);
    return () => {
      scheme.removeEventListener("change", again);
      watcher.disconnect();
      chart.destroy();
    };
  }, [series]);
  return <div ref={box} className="chart" role="img" aria-label={summaryOf(series)} />;
}

function drawn(element: HTMLElement, series: Series[]): uPlot {
  const colour = (name: string) => getComputedStyle(element).getPropertyValue(name).trim();
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const options: uPlot.Options = {
    width: element.clientWidth || 600,
    height: HEIGHT,
    legend: { show: series.length > 1, live: false },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    axes: [axis, { ...axis, size: 64, values: (_plot, ticks) => ticks.map((tick) => tick.toLocaleString()) }],
    series: [
      {},
      ...series.map(({ name }, place) => ({
        label: name,
        stroke: colour(HUES[place % HUES.length]!),
        width: 2,
        points: { show: false },
      })),
    ],
  };
  const days = series[0]!.points.map(({ day }) => Date.parse(day) / 1000);
  return new uPlot(options, [days, ...series.map(({ points }) => points.map(({ value }) => value))], element);
}

function summaryOf(series: Series[]): string {
  const each = series.map(({ name, points }) => {
    const [first, last] = [points[0]!, points.at(-1)!];
    return `${name} from ${first.value.toLocaleString()} on ${first.day} to ${last.value.toLocaleString()} on ${last.day}`;
  });
  return `Line chart: ${each.join("; ")}.`;
}
