"""A plot without a library: how long it takes until a phone rings, by the rate of calls, as SVG."""

import math
from collections.abc import Iterable, Sequence

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 62, 150, 40, 48  # margins
DECADES = (1.0, 10.0, 100.0, 1000.0, 10000.0)  # ms
COLOURS = ("#3b6ea5", "#b5651d", "#8a2f5d", "#2e7d4f")

Points = Sequence[tuple[float, float]]  # calls a second, milliseconds


def plot(curves: Sequence[tuple[str, Points]], title: str) -> str:
    """The picture: rate on the x axis, milliseconds on a logarithmic y axis."""
    widest = max(rate for _, points in curves for rate, _ in points)
    step = 20 if widest > 60 else 10

    def x(rate: float) -> float:
        return LEFT + rate / widest * (WIDTH - LEFT - RIGHT)

    def y(ms: float) -> float:
        share = math.log10(min(max(ms, DECADES[0]), DECADES[-1])) / math.log10(DECADES[-1])
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="14">{title}</text>',
    ]
    for ms in DECADES:
        parts.append(_line(LEFT, y(ms), WIDTH - RIGHT, y(ms), "#ddd"))
        parts.append(f'<text x="{LEFT - 8}" y="{y(ms) + 4:.1f}" text-anchor="end">{ms:g} ms</text>')
    parts += [
        f'<text x="{x(rate):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{rate}</text>'
        for rate in range(0, int(widest) + 1, step)
    ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">calls a second</text>')
    for place, ((name, points), colour) in enumerate(zip(curves, COLOURS, strict=True)):
        parts += _curve([(x(rate), y(ms)) for rate, ms in points], colour)
        parts.append(_line(WIDTH - RIGHT + 12, TOP + 20 * place, WIDTH - RIGHT + 32, TOP + 20 * place, colour, 2))
        parts.append(f'<text x="{WIDTH - RIGHT + 38}" y="{TOP + 20 * place + 4}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: int = 1) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _curve(points: Iterable[tuple[float, float]], colour: str) -> list[str]:
    places = list(points)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots]
