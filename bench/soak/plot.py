"""Lines over time as an SVG, written by hand: no library draws so little."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 860, 170  # of one chart
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 34, 26
STEPS = 4
COLOURS = ("#1f6feb", "#d1242f")


@dataclass(frozen=True, slots=True)
class Chart:
    """One or two lines over the same seconds; the axis begins at 0."""

    title: str
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]]


def svg(charts: Sequence[Chart]) -> str:
    """Return the charts below each other."""
    height = HEIGHT * len(charts)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for number, chart in enumerate(charts):
        parts.append(f'<g transform="translate(0 {number * HEIGHT})">{drawn(chart)}</g>')
    return "\n".join([*parts, "</svg>", ""])


def drawn(chart: Chart) -> str:
    points = [point for _, line in chart.lines for point in line]
    end = max((x for x, _ in points), default=1.0) or 1.0
    top = 1.1 * max((y for _, y in points), default=1.0) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + x / end * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM),
        )

    parts = [f'<text x="{LEFT}" y="18" font-weight="bold">{escape(chart.title)}</text>']
    for step in range(STEPS + 1):
        value, second = top * step / STEPS, end * step / STEPS
        x, y = place(0, value)
        parts.append(f'<line x1="{x:.0f}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x - 6:.0f}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>')
        x, y = place(second, 0)
        parts.append(f'<text x="{x:.0f}" y="{y + 16:.0f}" text-anchor="middle">{second:.0f} s</text>')
    for number, (name, line) in enumerate(chart.lines):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line))
        colour = COLOURS[number]
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(
            f'<text x="{WIDTH - RIGHT - 120 * (len(chart.lines) - number - 1)}" y="18" text-anchor="end" '
            f'fill="{colour}">{escape(name)}</text>'
        )
    return "".join(parts)
