"""Anything at all on the event connection while three tenants call: `python -m tests.events.fuzz 250000`.

The first thing that is not as it must be ends it with an error; the `--seed` that was printed last plays that part again.
"""

import asyncio
import secrets
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random
from resource import RUSAGE_SELF, getrusage

import click

from tests.events.tenants import Tally, tenants

ROUNDS = 12  # of one service; then another one begins, over a new database
MESSAGES = 1_500  # of a round, more or less


class Totals:
    """What became of all messages."""

    def __init__(self) -> None:
        self.sums: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.slowest = 0.0
        self.grown = 0.0  # MB
        self._first = 0.0

    def add(self, tally: Tally) -> None:
        """Add a service's."""
        self.sums.update(
            messages=tally.messages,
            nothing=tally.nothing,
            repeated=tally.repeated,
            lies=tally.lies,
            genuine=tally.of_asterisk,
            calls=tally.calls,
        )
        self.outcomes += tally.outcomes
        self.slowest = max(self.slowest, tally.slowest)
        peak = getrusage(RUSAGE_SELF).ru_maxrss / 1024
        self._first = self._first or peak
        self.grown = peak - self._first

    def lines(self, crashes: int, escapes: int, seconds: float) -> list[str]:
        """What is told at the end."""
        calls = [f"{number:>10,}  calls: {fate}" for fate, number in self.outcomes.most_common()]
        return [
            f"{self.sums['messages']:>10,}  messages that no Asterisk should send, among {self.sums['genuine']:,} of its own",
            f"{self.sums['nothing']:>10,}  of them say nothing",
            f"{self.sums['repeated']:>10,}  repeat what was said before",
            f"{self.sums['lies']:>10,}  are lies: of two users, of calls that are over, or that there never were",
            f"{self.sums['calls']:>10,}  calls, each with one record and one end",
            *calls,
            f"{self.slowest * 1000:>10.1f}  ms of processor time for the slowest message",
            f"{self.grown:>10.1f}  MB more at the peak than after the first part",
            f"{self.sums['messages']:,} messages in {seconds:.0f} s: {crashes} crashes, {escapes} escapes",
        ]


async def _one(seed: int, left: int, totals: Totals) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with tenants(Path(folder), Random(seed)) as here:
            try:
                for number in range(ROUNDS):
                    if here.tally.messages < left:
                        await here.round(MESSAGES, losses=0.02 if number % 4 == 3 else 0.0)
            finally:
                totals.add(here.tally)


@click.command(help=__doc__)
@click.argument("messages", type=click.IntRange(min=1))
@click.option("--seed", type=click.IntRange(min=1), help="The seed of the part with which to begin.")
def main(messages: int, seed: int | None) -> None:
    totals, began, crashes, escapes = Totals(), time.monotonic(), 0, 0
    seed = seed or secrets.randbelow(2**31 - 1) + 1
    try:
        while totals.sums["messages"] < messages:
            print(f"{totals.sums['messages']:>10,}  --seed {seed}", flush=True)
            asyncio.run(_one(seed, messages - totals.sums["messages"], totals))
            seed += 1
    except AssertionError:
        escapes = 1
        traceback.print_exc()
    except Exception:
        crashes = 1
        traceback.print_exc()
    print("\n".join(totals.lines(crashes, escapes, time.monotonic() - began)), flush=True)
    sys.exit(1 if crashes or escapes else 0)


if __name__ == "__main__":
    main()
