"""Writes docs/openapi.json from the route table: what the service serves at /v1/openapi.json.

With `--check` it writes nothing and exits 1 when the file is stale.
"""

import sys
from pathlib import Path
from typing import Any, cast

import click

from c2c_stasis.api.document.openapi import draw, encode
from c2c_stasis.api.server import ROUTES, build_app

FILE = Path(__file__).parents[1] / "docs" / "openapi.json"
NOTHING = cast("Any", None)  # no request is answered here: the table alone is looked at


@click.command(help=__doc__)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when the file is stale.")
def main(check: bool) -> None:
    routes = build_app(NOTHING, NOTHING)[ROUTES]
    drawn = encode(draw(routes))
    if FILE.is_file() and FILE.read_bytes() == drawn:
        return
    if check:
        click.echo(f"{FILE.relative_to(FILE.parents[1])} is stale: run tools/draw_openapi.py", err=True)
        sys.exit(1)
    FILE.write_bytes(drawn)
    click.echo(f"{FILE.relative_to(FILE.parents[1])} drawn")


if __name__ == "__main__":
    main()
