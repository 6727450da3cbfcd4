"""`c2c-stasis config`: what counts in the end, and where it comes from."""

import json
import os
from pathlib import Path

import click

from c2c_stasis.cli.reporting import config_option, reporting
from c2c_stasis.config import Loaded, as_toml, load_with_origins, settings


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def config(path: Path, as_json: bool) -> None:
    """Print the configuration that counts, as TOML.

    Every key is there, and whether the file, the environment or nobody set it. Secrets are not shown. Nothing is started,
    and nothing changed.
    """
    with reporting():
        loaded = load_with_origins(path, os.environ)
    click.echo(json.dumps(_facts(path, loaded)) if as_json else as_toml(loaded))


def _facts(path: Path, loaded: Loaded) -> dict[str, object]:
    """The same for a program; the value of a secret is null."""
    return {
        "file": str(path.absolute()),
        "settings": {
            one.name: {
                "value": one.value,
                "secret": one.key.about.secret,
                "source": one.origin.source,
                "where": one.origin.where or None,
                "reloads": one.key.about.reloads,
            }
            for one in settings(loaded)
        },
    }
