"""A small line chart as SVG, drawn without a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 24, 56


@dataclass(frozen=True, slots=True)
class Line:
    """Points `(x, y)` with a name and a colour; `dots` joins them by nothing and labels each."""

    name: str
    colour: str
    points: Sequence[tuple[float, float]]
    dots: Sequence[str] = ()


def plot(lines: Sequence[Line], *, x: str, y: str, right: float, top: float) -> str:
    """The chart as SVG text, axes from 0 to `right` and `top`; points beyond are left out."""

    def across(value: float) -> float:
        return LEFT + value / right * (WIDTH - LEFT - RIGHT)

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for step in range(6):
        at, high = right * step / 5, top * step / 5
        parts.append(_rule(across(at), up(0), across(at), up(top)))
        parts.append(_rule(across(0), up(high), across(right), up(high)))
        parts.append(_text(across(at), up(0) + 18, f"{at:.1f}", "middle"))
        parts.append(_text(across(0) - 8, up(high) + 4, f"{high:.0f}", "end"))
    parts.append(_text(across(right / 2), HEIGHT - 12, x, "middle"))
    turned = f'transform="rotate(-90 18 {up(top / 2):.0f})"'
    parts.append(_text(18, up(top / 2), y, "middle", turned))
    for number, line in enumerate(lines):
        shown = [(across(a), up(b)) for a, b in line.points if a <= right and b <= top]
        if not line.dots:
            path = " ".join(f"{a:.1f},{b:.1f}" for a, b in shown)
            style = f'fill="none" stroke="{line.colour}" stroke-width="2"'
            parts.append(f'<polyline points="{path}" {style}/>')
        radius = 6 if line.dots else 3
        parts += [
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{radius}" fill="{line.colour}"/>'
            for a, b in shown
        ]
        parts += [
            _text(a + 9, b - 7, label, "start")
            for (a, b), label in zip(shown, line.dots, strict=False)
        ]
        at = TOP + 16 + 20 * number
        style = f'fill="{line.colour}"'
        parts.append(f'<circle cx="{WIDTH - 232}" cy="{at - 4}" r="5" {style}/>')
        parts.append(_text(WIDTH - 220, at, line.name, "start"))
    return "\n".join([*parts, "</svg>", ""])


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#ddd"/>'


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} {more} fill="#222">{escape(text)}</text>'
