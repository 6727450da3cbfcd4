"""Messages that are led by the branches of the service's reader, against the oracle: `python -m tests.events.led 1000000`.

The first disagreement ends it with an error, and the message stands in it.
"""

import asyncio
import os
import secrets
import sys
import tempfile
from contextlib import AsyncExitStack
from random import Random
from resource import RUSAGE_SELF, getrusage

import atheris
import click

with atheris.instrument_imports(include=["c2c_stasis.ari", "tests.events.oracle"]):
    from tests.events.forging import forge
    from tests.events.judging import CAST, Judge, judge


class Led(Random):
    """Chance that is made of the fuzzer's bytes; what they do not suffice for is always the same."""

    def __init__(self, given: bytes) -> None:
        super().__init__(0)
        self._data = atheris.FuzzedDataProvider(given)

    def random(self) -> float:
        """As the base class has it."""
        return float(self._data.ConsumeIntInRange(0, 2**16 - 1)) / 2**16

    def getrandbits(self, k: int, /) -> int:
        """As the base class has it."""
        return int(self._data.ConsumeIntInRange(0, 2**k - 1)) if k < 63 else 2**k - 1

    def _randbelow(self, n: int) -> int:
        return int(self._data.ConsumeIntInRange(0, n - 1))


class Trials:
    """So many messages, and what they said."""

    def __init__(self, wanted: int, judge: Judge) -> None:
        self._wanted = wanted
        self._judge = judge
        self._tried = 0

    def one(self, given: bytes) -> None:
        """One message: forged, or the fuzzer's bytes themselves. Raises `Escape`."""
        self._judge.check(given[1:] if given[:1] == b"\x00" else forge(Led(given), CAST))
        self._tried += 1
        if self._tried == self._wanted:
            lines = [f"{number:>10,}  {what}" for what, number in sorted(self._judge.tally.items())]
            lines.append(f"{getrusage(RUSAGE_SELF).ru_maxrss // 1024:>10,}  MB at the peak")
            print("\n".join([*lines, f"{self._tried:,} messages: 0 crashes, 0 escapes"]), flush=True)
            os._exit(0)  # libFuzzer has no other end that is none of a failure


async def _fuzz(messages: int, seed: int) -> None:
    options = ["-max_len=512", "-len_control=0", f"-seed={seed}", "-verbosity=0"]
    artifacts = f"-artifact_prefix={tempfile.gettempdir()}/c2c-events-"
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(judge())
        atheris.Setup([sys.argv[0], *options, artifacts], Trials(messages, here).one)
        atheris.Fuzz()


@click.command(help=__doc__)
@click.argument("messages", type=click.IntRange(min=1))
@click.option("--seed", type=click.IntRange(1, 2**31 - 1), help="The seed of an earlier run.")
def main(messages: int, seed: int | None) -> None:
    seed = seed or secrets.randbelow(2**31 - 2) + 1
    print(f"seed {seed}", flush=True)
    asyncio.run(_fuzz(messages, seed))


if __name__ == "__main__":
    main()
