"""How many races are run, and what is told of them.

A short run of each is part of the tests; `make races` is the long one. How many there are of which kind may be told:
`C2C_RACES="answers=500 crossing=200 hang-up=200"`.
"""

import math
import os
from collections import Counter
from collections.abc import Sequence

import pytest
from bench.measure import quantile

SHORT = {"answers": 40, "crossing": 6, "hang-up": 5}
TOLD = os.environ.get("C2C_RACES", "")
COUNTS = {kind: int(count) for kind, _, count in (one.partition("=") for one in TOLD.split())} if TOLD else SHORT
WIDEST = 40  # characters of the longest bar


def races(kind: str) -> pytest.MarkDecorator:
    """Give a test the number of its `trials`; without any it is not run."""
    return pytest.mark.parametrize("trials", [COUNTS[kind]] if COUNTS.get(kind) else [])


def percentiles(what: str, seconds: Sequence[float]) -> str:
    """One line: how many there were, p50, p99 and the longest, in milliseconds."""
    if not seconds:
        return f"  {what}: none"
    values = list(seconds)
    figures = " / ".join(f"{quantile(values, share):.1f}" for share in (0.5, 0.99, 1.0))
    return f"  {what}: {figures} ms (p50 / p99 / longest of {len(values)})"


def histogram(seconds: Sequence[float], width: float) -> str:
    """A line for each stretch of this width, from the least to the greatest, with a bar."""
    counts = Counter(math.floor(value / width) for value in seconds)
    if not counts:
        return "  (none)"
    unit = WIDEST / max(counts.values())
    lines: list[str] = []
    for at in range(min(counts), max(counts) + 1):
        stretch = f"{at * width * 1000:+6.1f} to {(at + 1) * width * 1000:+5.1f} ms"
        if counts[at]:
            lines.append(f"  {stretch} {counts[at]:5} {'#' * max(1, round(counts[at] * unit))}")
        elif counts[at - 1]:
            lines.append("  …")
    return "\n".join(lines)
