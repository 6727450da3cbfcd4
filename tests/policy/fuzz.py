"""A fuzzer that looks for a dial string about which the policy and the oracle disagree: `python -m tests.policy.fuzz 1000000`.

It is led by the branches of the policy, of the reading of dial strings, and of libphonenumber. Most inputs are made of what
dial strings are made of, so that enough of them get past the first look. At the end it says what became of how many; the first
disagreement ends it with an error, and the dial string stands in the message.
"""

import os
import secrets
import sys
import tempfile
from collections import Counter

import atheris
import click

with atheris.instrument_imports(include=["c2c_stasis.policy", "c2c_stasis.directory", "phonenumbers.phonenumberutil"]):
    from tests.policy.oracle import EMERGENCY, RULES, check, passes_the_shape_check

HOMES = sorted(EMERGENCY)
SIGNS = "0123456789+ ().-0123456789"
HEADS = (
    "",
    "+",
    "+1",
    "1",
    "+44",
    "0",
    "00",
    "011",
    "+88",
    "+7",
    "+61",
    "+35",
    "+1555",
    "+1876",
    "+1900",
    "911",
    "+8816",
)
FEWEST = 0.10  # of the inputs must get past the first look, or the rest is hardly tried


def text_of(data: atheris.FuzzedDataProvider) -> str:
    """A dial string: any text, signs of dial strings, or a beginning of a number and digits."""
    way = data.ConsumeIntInRange(0, 3)
    if way == 0:
        return str(data.ConsumeUnicode(40))
    signs = SIGNS if way == 1 else "0123456789"
    head = HEADS[data.ConsumeIntInRange(0, len(HEADS) - 1)] if way > 1 else ""
    body = data.ConsumeBytes(data.ConsumeIntInRange(0, 34 if way == 1 else 12))
    return head + "".join(signs[one % len(signs)] for one in body)


class Trials:
    """So many inputs, and what became of them."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._tried = self._past = 0
        self._rules: Counter[str] = Counter()

    def one(self, given: bytes) -> None:
        """One input, for an account and rules that it chooses too. Raises `Escape`."""
        data = atheris.FuzzedDataProvider(given)
        home = HOMES[data.ConsumeIntInRange(0, len(HOMES) - 1)]
        extension_length, which = data.ConsumeIntInRange(3, 6), data.ConsumeIntInRange(0, len(RULES) - 1)
        text = text_of(data)
        self._rules[check(text, home, extension_length, which)] += 1
        self._tried += 1
        self._past += passes_the_shape_check(text)
        if self._tried == self._wanted:
            os._exit(self._told())  # libFuzzer has no other end that is none of a failure

    def _told(self) -> int:
        share = self._past / self._tried
        lines = [f"{number:>10,}  {rule}" for rule, number in self._rules.most_common()]
        lines.append(f"{self._tried:,} inputs, {share:.1%} past the first look ({FEWEST:.0%} wanted), 0 disagreements")
        print("\n".join(lines), flush=True)
        return 0 if share >= FEWEST else 1


@click.command(help=__doc__)
@click.argument("inputs", type=click.IntRange(min=1))
@click.option("--seed", type=click.IntRange(1, 2**31 - 1), help="The seed of an earlier run.")
def main(inputs: int, seed: int | None) -> None:
    seed = seed or secrets.randbelow(2**31 - 2) + 1
    print(f"seed {seed}", flush=True)
    options = ["-max_len=64", f"-seed={seed}", "-verbosity=0", f"-artifact_prefix={tempfile.gettempdir()}/c2c-fuzz-"]
    atheris.Setup([sys.argv[0], *options], Trials(inputs).one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
