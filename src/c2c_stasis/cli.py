"""The command line: `serve` and `init`; everything else it can do comes from the parts it starts."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from c2c_stasis.config import Config, ConfigError, load
from c2c_stasis.errors import ClickToCallError

EX_CONFIG = 78  # sysexits.h: the configuration is wrong
EX_UNAVAILABLE = 69  # sysexits.h: something that is needed is not there

_CONFIG_OPTION = click.option(
    "--config",
    "-c",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("c2c.toml"),
    envvar="C2C_CONFIG",
    show_default=True,
    help="The configuration file.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="c2c-stasis")
def main() -> None:
    """Self-hosted click-to-call on Asterisk."""


def _reporting(command: Callable[[], Any]) -> None:
    """Run a command; what is wrong is said in plain words and by the exit status."""
    try:
        command()
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EX_CONFIG)
    except ClickToCallError as error:
        click.echo(f"c2c-stasis: {error}", err=True)
        sys.exit(EX_UNAVAILABLE)
    except OSError as error:
        click.echo(f"c2c-stasis: {error}", err=True)
        sys.exit(EX_UNAVAILABLE)


def _load(path: Path) -> Config:
    return load(path, os.environ)


@main.command()
@_CONFIG_OPTION
def serve(path: Path) -> None:
    """Run the service until SIGTERM or SIGINT."""

    def command() -> None:
        from c2c_stasis import app

        asyncio.run(app.serve(_load(path)))

    _reporting(command)
