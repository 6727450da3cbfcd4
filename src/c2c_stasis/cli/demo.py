"""`c2c-stasis demo`: a real Asterisk, scripted phones and the service, on this machine and gone afterwards."""

import os
from pathlib import Path

import click

from c2c_stasis.cli.reporting import reporting

_MUTABLE = ("desk", "mobile", "carrier")


@click.command()
@click.option("--once", is_flag=True, help="End after the first call; exit 0 only if it did all that it should.")
@click.option("--mute", type=click.Choice(_MUTABLE), help="Let this phone send silence, so that the demo must notice.")
@click.option(
    "--env",
    "env_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write addresses, ids and credentials to this file as shell variables, once all is ready.",
)
@click.option("--mirror", metavar="URL", help="A Debian archive to fetch Asterisk from, instead of the machine's own.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder that keeps a fetched Asterisk.  [~/.cache/c2c-stasis]",
)
def demo(once: bool, mute: str | None, env_file: Path | None, mirror: str | None, cache: Path | None) -> None:
    """Ring two phones with a real Asterisk, and watch.

    Needs no root and no configuration: Asterisk is fetched once if there is none, everything listens on loopback on free ports,
    and nothing is left behind. After the first call all keeps running, for calls of your own, until Ctrl-C.
    """
    if env_file is not None:
        _check(env_file.absolute().parent)
    from c2c_stasis.lab.demo import Options, run

    with reporting():
        status = run(Options(once=once, mute=mute, env_file=env_file, mirror=mirror, cache=cache))
    raise SystemExit(status)


def _check(folder: Path) -> None:
    """Refuse now what could not be written when all runs."""
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise click.UsageError(
            f"--env: {folder} is no folder that can be written to. Make it first, or name another file."
        )
