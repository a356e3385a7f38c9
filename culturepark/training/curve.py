"""The training curve as a picture: losses over steps, as SVG without any drawing library."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

Points = list[tuple[float, float]]
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 720, 400, 60, 44, 20, 48
_COLOURS = ("#3366cc", "#d9822b", "#2e8b57", "#8a4fbf", "#b0413e", "#4a9aa8")


def read_series(log: Iterable[Mapping[str, Any]], stage: str = "") -> dict[str, Points]:
    """Losses by name from a trainer's log: ``training``, and each held-out split under its own name."""
    series: dict[str, Points] = {}
    lead = f"{stage} " if stage else ""
    for row in log:
        for key, value in row.items():
            name = "training" if key == "loss" else key[5:-5] if key[:5] == "eval_" and key[-5:] == "_loss" else ""
            if name and isinstance(value, (int, float)) and math.isfinite(value):
                series.setdefault(lead + name, []).append((float(row["step"]), float(value)))
    return series


def draw_curve(series: Mapping[str, Points], title: str) -> str:
    """An SVG picture of the series; says so when there is nothing to draw."""
    points = [p for line in series.values() for p in line]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12" role="img" aria-label="{escape(title, {chr(34): "&quot;"})}">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="22" font-size="15" fill="#222222">{escape(title)}</text>',
    ]
    if not points:
        return "\n".join([*parts, f'<text x="{_LEFT}" y="80">nothing was logged</text>', "</svg>\n"])
    most = max(1.0, max(x for x, _ in points))
    low, high, step = _choose_ticks(min(y for _, y in points), max(y for _, y in points))

    def place(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + x / most * (_WIDTH - _LEFT - _RIGHT)
        return across, _TOP + (high - y) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    parts += _draw_axes(place, most, low, high, step)
    for number, (name, line) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        parts += _draw_line([place(x, y) for x, y in sorted(line)], colour)
        across, down = _LEFT + 8 + number % 4 * 165, _HEIGHT - 10
        parts.append(f'<rect x="{across}" y="{down - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{across + 15}" y="{down}" fill="#222222">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _draw_axes(place: Any, most: float, low: float, high: float, step: float) -> list[str]:
    parts = []
    for k in range(round((high - low) / step) + 1):
        value = low + k * step
        x, y = place(0, value)
        parts.append(f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="#e4e4e4"/>')
        parts.append(f'<text x="{x - 8:.1f}" y="{y + 4:.1f}" text-anchor="end" fill="#555555">{value:.4g}</text>')
    for value in sorted({0, round(most / 4), round(most / 2), round(most * 3 / 4), round(most)}):
        x, y = place(value, low)
        parts.append(f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle" fill="#555555">{value}</text>')
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{_TOP - 8}" text-anchor="end" fill="#555555">loss over steps</text>')
    return parts


def _draw_line(places: Sequence[tuple[float, float]], colour: str) -> list[str]:
    shown = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in places]
    return [f'<polyline points="{shown}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots]


def _choose_ticks(least: float, most: float) -> tuple[float, float, float]:
    """Lowest and highest mark of an axis and the step between marks: 1, 2 or 5 times a power of ten."""
    span = max(most - least, 1e-6, abs(most) * 0.05)
    raw = span / 5
    power = 10 ** math.floor(math.log10(raw))
    step = next(k * power for k in (1, 2, 5, 10) if k * power >= raw)
    low, high = math.floor(least / step) * step, math.ceil(most / step) * step
    return low, high if high > low else low + step, step
