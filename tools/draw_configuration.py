"""Writes docs/c2c.toml, and the table of keys in docs/configuration.md, from config/model.py.

With `--check` it writes nothing and exits 1 when one of them is stale.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from c2c_stasis.config import template
from c2c_stasis.config.model import LISTS, SECTIONS, Key, keys_of
from c2c_stasis.config.toml_text import toml_text

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "configuration.md"
BEGIN = "<!-- drawn by tools/draw_configuration.py from config/model.py -->"
END = "<!-- end of what is drawn -->"


def table() -> str:
    """Every key with its variable, its default, what it may be, and whether it reloads."""
    return "\n".join(("| key | may be | default | SIGHUP | meaning |", "|---|---|---|---|---|", *_rows()))


def _rows() -> Iterator[str]:
    for section, model in SECTIONS.items():
        name = f"[[{section}]]" if section in LISTS else f"[{section}]"
        for key in keys_of(model).values():
            cells = (f"`{name} {key.name}`", key.rule.form, _default(key), _sighup(key), key.about.meaning)
            yield "| " + " | ".join(cells) + " |"


def _default(key: Key) -> str:
    return "must be set" if key.required else f"`{toml_text(key.default)}`"


def _sighup(key: Key) -> str:
    return "reloads" if key.about.reloads else "restart"


def drawn_page() -> str:
    """The page with the present table in it."""
    text = PAGE.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} has lost its marks: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


@click.command(help=__doc__)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when a file is stale.")
def main(check: bool) -> None:
    stale = False
    for file, text in ((DOCS / "c2c.toml", template()), (PAGE, drawn_page())):
        if file.is_file() and file.read_text() == text:
            continue
        if check:
            click.echo(f"docs/{file.name} is stale: run tools/draw_configuration.py", err=True)
            stale = True
        else:
            file.write_text(text)
            click.echo(f"docs/{file.name} drawn")
    sys.exit(stale)


if __name__ == "__main__":
    main()
