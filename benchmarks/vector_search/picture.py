"""Draws what runs of the benchmark found, against the size of the collection, as an SVG.

`python -m benchmarks.vector_search.picture RUN.json … > docs/vector_search.svg`; each file has a line of JSON.
"""

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN = 380, 290, 76
COLUMNS = 2
TOP = 84
"""Where the curves begin, below their names."""

COLOURS = ("#1f6feb", "#d1242f", "#8250df", "#54aeff")

Run = Mapping[str, Any]


@dataclass(frozen=True)
class Panel:
    """Curves over the collection's size; `curves`: what each is, and its value in a run, or None. Both axes are
    logarithmic, or the upright one from `lowest` to 1."""

    title: str
    curves: Mapping[str, Callable[[Run], float | None]]
    lowest: float | None = None
    unit: str = ""


PANELS = (
    Panel(
        "one query",
        {
            "crowdsight": lambda run: run["median_ms"],
            "numpy, exact": lambda run: run["exact_median_ms"],
            "faiss IVF-SQ8": lambda run: run["faiss"] and run["faiss"]["median_ms"],
            "crowdsight, 99th percentile": lambda run: run["p99_ms"],
        },
        unit=" ms",
    ),
    Panel(
        "recall@10",
        {
            "crowdsight": lambda run: run["recall"],
            "numpy, exact": lambda run: 1.0 if run["exact_median_ms"] else None,
            "faiss IVF-SQ8": lambda run: run["faiss"] and run["faiss"]["recall"],
        },
        lowest=0.9,
    ),
    Panel(
        "read from S3 before the first answer",
        {
            "crowdsight": lambda run: run["cold"]["bytes_read"] / 1e6,
            "all vectors, float32": lambda run: run["vectors"] * run["dimensions"] * 4 / 1e6,
        },
        unit=" MB",
    ),
    Panel(
        "memory",
        {
            "crowdsight's codes": lambda run: run["code_bytes_a_vector"] * run["vectors"] / 1e6,
            "all vectors, float32": lambda run: run["vectors"] * run["dimensions"] * 4 / 1e6,
            "peak of the process, with moto's S3": lambda run: run["peak_memory_mb"] * 2**20 / 1e6,
        },
        unit=" MB",
    ),
)


def draw(runs: Sequence[Run]) -> str:
    """The picture, of at least two runs."""
    ordered = sorted(runs, key=lambda run: run["vectors"])
    rows = -(-len(PANELS) // COLUMNS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{COLUMNS * WIDTH}" height="{rows * HEIGHT}" '
        'font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for at, panel in enumerate(PANELS):
        parts.append(f'<g transform="translate({at % COLUMNS * WIDTH},{at // COLUMNS * HEIGHT})">')
        parts += _panel(panel, ordered)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel, runs: Sequence[Run]) -> list[str]:
    sizes = [run["vectors"] for run in runs]
    curves = {name: [value(run) for run in runs] for name, value in panel.curves.items()}
    values = [value for curve in curves.values() for value in curve if value]
    lowest, highest = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    right, bottom = WIDTH - 12, HEIGHT - 32

    def x_of(size: float) -> float:
        share = (math.log10(size) - math.log10(sizes[0])) / (math.log10(sizes[-1]) - math.log10(sizes[0]))
        return MARGIN + share * (right - MARGIN)

    def y_of(value: float) -> float:
        if panel.lowest is None:
            share = (math.log10(value) - lowest) / max(1, highest - lowest)
        else:
            share = (value - panel.lowest) / (1 - panel.lowest)
        return bottom - share * (bottom - TOP)

    ticks = [10.0**power for power in range(lowest, highest + 1)]
    if panel.lowest is not None:
        ticks = [panel.lowest, (1 + panel.lowest) / 2, 1.0]
    parts = [f'<text x="{MARGIN}" y="18" font-size="13" font-weight="bold">{escape(panel.title)}</text>']
    for tick in ticks:
        y = y_of(tick)
        parts.append(f'<path d="M{MARGIN} {y:.1f}H{right}" stroke="#d8dee4"/>')
        parts.append(f'<text x="{MARGIN - 5}" y="{y + 4:.1f}" text-anchor="end">{_number(tick)}{panel.unit}</text>')
    for size in sizes:
        power = round(math.log10(size))
        parts.append(
            f'<text x="{x_of(size):.1f}" y="{bottom + 18}" text-anchor="middle">10'
            f'<tspan dy="-4" font-size="8">{power}</tspan></text>'
        )
    for at, (name, curve) in enumerate(curves.items()):
        points = [(x_of(size), y_of(value)) for size, value in zip(sizes, curve, strict=True) if value]
        colour = COLOURS[at]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        parts.append(f'<text x="{MARGIN}" y="{34 + 14 * at}" fill="{colour}">{escape(name)}</text>')
    return parts


def _number(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:g}"


if __name__ == "__main__":
    sys.stdout.write(draw([json.loads(Path(name).read_text()) for name in sys.argv[1:]]))
