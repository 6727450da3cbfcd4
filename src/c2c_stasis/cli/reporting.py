"""What every command shares: how it says that something is wrong, and where the configuration is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from click.core import ParameterSource

from c2c_stasis.config import Config, ConfigError, load
from c2c_stasis.errors import ClickToCallError
from c2c_stasis.printable import printable

EX_REFUSED = 1  # the service refused it, or a call was not completed
# sysexits.h
EX_UNAVAILABLE = 69  # something that is needed is not there
EX_TAKEN = 75  # another service took the Stasis application; to be tried again when that one has ended, and not at once
EX_NOPERM = 77  # the key or the account is not accepted
EX_CONFIG = 78  # the configuration is wrong
EX_INTERRUPTED = 130  # 128 and SIGINT, as a shell says it

config_option = click.option(
    "--config",
    "-c",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("c2c.toml"),
    envvar="C2C_CONFIG",
    show_default=True,
    show_envvar=True,
    help="The configuration file.",
)


database_option = click.option(
    "--database",
    metavar="FILE|URL",
    help="A database instead of the one that the configuration names; the configuration is then not read.",
)


def tell_where_from(path: Path) -> None:
    """Say which configuration counts if it is the environment that named it: nobody sees that in the command."""
    if click.get_current_context().get_parameter_source("path") is ParameterSource.ENVIRONMENT:
        click.echo(f"c2c-stasis: using {path} (C2C_CONFIG)", err=True)


@contextmanager
def reporting() -> Iterator[None]:
    """Turn what may go wrong on purpose into plain words on standard error and an exit status."""
    try:
        yield
    except ConfigError as error:
        click.echo(printable(str(error), also="\n"), err=True)
        raise SystemExit(EX_CONFIG) from error
    except BrokenPipeError:
        raise  # whoever read our output has seen enough: click ends the program in silence
    except (ClickToCallError, OSError) as error:
        click.echo(printable(f"c2c-stasis: {error}", also="\n"), err=True)
        raise SystemExit(EX_UNAVAILABLE) from error


def load_config(path: Path) -> Config:
    """The configuration as the service sees it. Raises `ConfigError`."""
    return load(path, os.environ)


def database_of(path: Path, database: str | None) -> str:
    """The URL of the database that is meant: the one named, or that of the configuration. Raises `ConfigError`."""
    if database is None:
        return load_config(path).database.url
    return database if "://" in database else f"sqlite+aiosqlite:///{Path(database).absolute()}"
