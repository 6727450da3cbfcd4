"""Writes the table of rules in docs/policy.md, from policy/rules.py.

With `--check` it writes nothing and exits 1 when the table is stale.
"""

import re
import sys
from pathlib import Path

import click

from c2c_stasis.policy.rules import VERDICTS

PAGE = Path(__file__).parents[1] / "docs" / "policy.md"
BEGIN = "<!-- drawn by tools/draw_policy.py from policy/rules.py -->"
END = "<!-- end of what is drawn -->"


def table() -> str:
    """Every rule with its answer and its sentence."""
    lines = ["| rule | answer | sentence |", "|---|---|---|"]
    for rule, verdict in VERDICTS.items():
        answer = f"{verdict.status} `{verdict.code}`" if verdict.status else "allowed"
        sentence = re.sub("{([a-z_]+)}", lambda fact: f"*{fact[1].replace('_', ' ')}*", verdict.sentence)
        lines.append(f"| `{rule}` | {answer} | {sentence} |")
    return "\n".join(lines)


def drawn_page() -> str:
    """The page with the present table in it."""
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} has lost its marks: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


@click.command(help=__doc__)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when the page is stale.")
def main(check: bool) -> None:
    text = drawn_page()
    stale = PAGE.read_text() != text
    if stale and check:
        click.echo("docs/policy.md is stale: run tools/draw_policy.py", err=True)
    elif stale:
        PAGE.write_text(text)
        click.echo("docs/policy.md drawn")
    sys.exit(stale and check)


if __name__ == "__main__":
    main()
