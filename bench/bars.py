"""Bars as an SVG, written by hand: no library draws so little."""

from collections.abc import Mapping
from html import escape

WIDTH, BAR, LEFT, TOP = 860, 26, 260, 40


def bars(title: str, values: Mapping[str, float], colour: str = "#1f6feb") -> str:
    """Return a horizontal bar for each value, with its number behind it. The axis begins at 0."""
    top = max(values.values(), default=1.0) or 1.0
    height = TOP + BAR * len(values) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="22" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (name, value) in enumerate(values.items()):
        y, length = TOP + BAR * number, value / top * (WIDTH - LEFT - 80)
        parts.append(f'<text x="{LEFT - 8}" y="{y + 16}" text-anchor="end">{escape(name)}</text>')
        parts.append(
            f'<rect x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="{BAR - 8}" fill="{colour}"/>'
        )
        parts.append(f'<text x="{LEFT + length + 6:.1f}" y="{y + 16}">{value:.4g}</text>')
    return "\n".join([*parts, "</svg>", ""])
