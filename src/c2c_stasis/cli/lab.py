"""`c2c-stasis lab`: the laboratory by hand, for rehearsals: an Asterisk that stands, a phone, and tidying up."""

from pathlib import Path

import click

from c2c_stasis.cli.reporting import reporting

_SECONDS = click.FloatRange(min=0)

_cache_option = click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder that keeps a fetched Asterisk.  [~/.cache/c2c-stasis]",
)


@click.group()
def lab() -> None:
    """A real Asterisk and scripted phones, for rehearsals."""


@lab.command()
@click.option(
    "--device",
    "devices",
    multiple=True,
    default=("desk", "mobile", "bob"),
    show_default=True,
    metavar="NAME",
    help="A device that may register; repeatable.",
)
@click.option(
    "--answer-after",
    type=_SECONDS,
    default=1.5,
    show_default=True,
    metavar="SECONDS",
    help="When the carrier answers, or refuses.",
)
@click.option(
    "--hang-up-after",
    type=_SECONDS,
    default=3.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the carrier talks.",
)
@click.option(
    "--env",
    "env_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write addresses and credentials to this file as shell variables: `set -a; . FILE` configures a service and phones.",
)
@click.option("--mirror", metavar="URL", help="A Debian archive to fetch Asterisk from, instead of the machine's own.")
@_cache_option
def up(
    devices: tuple[str, ...],
    answer_after: float,
    hang_up_after: float,
    env_file: Path | None,
    mirror: str | None,
    cache: Path | None,
) -> None:
    """Start an Asterisk and a carrier, and leave them running.

    What a service needs to use them is printed. Everything listens on loopback on free ports. Ctrl-C or SIGTERM ends it, with
    status 0, and nothing is left behind.
    """
    from c2c_stasis.lab.standing import Options, run

    with reporting():
        run(Options(devices, env_file, answer_after, hang_up_after, mirror, cache))


@lab.command()
@click.argument("name")
@click.option(
    "--server",
    required=True,
    envvar="C2C_LAB_SERVER",
    show_envvar=True,
    metavar="HOST:PORT",
    help="Where it registers.",
)
@click.option(
    "--password",
    default="",
    envvar="C2C_LAB_PASSWORD",
    show_envvar=True,
    metavar="TEXT",
    help="What it registers with.",
)
@click.option("--ring-after", type=_SECONDS, default=0.1, show_default=True, metavar="SECONDS", help="When it rings.")
@click.option("--answer-after", type=_SECONDS, metavar="SECONDS", help="When it answers; without, it only rings.")
@click.option(
    "--hang-up-after", type=_SECONDS, metavar="SECONDS", help="How long it talks; without, until the far end."
)
@click.option("--reject", type=click.IntRange(400, 699), metavar="STATUS", help="Refuse with this SIP status instead.")
@click.option(
    "--reject-after", type=_SECONDS, default=0.5, show_default=True, metavar="SECONDS", help="When it refuses."
)
@click.option("--tone", type=click.IntRange(100, 3400), metavar="HZ", help="What it sends; without, one by its name.")
@click.option("--mute", is_flag=True, help="Send silence.")
@click.option(
    "--expires", type=click.IntRange(1), default=3600, show_default=True, metavar="SECONDS", help="Of its registration."
)
@click.option("--transport", type=click.Choice(["udp", "tcp", "tls"]), default="udp", show_default=True, help="Of SIP.")
@click.option("--calls", type=click.IntRange(1), metavar="COUNT", help="End after so many calls; without, never.")
def phone(
    name: str,
    server: str,
    password: str,
    ring_after: float,
    answer_after: float | None,
    hang_up_after: float | None,
    reject: int | None,
    reject_after: float,
    tone: int | None,
    mute: bool,
    expires: int,
    transport: str,
    calls: int | None,
) -> None:
    """Register the phone NAME, and take calls by script.

    Each SIP message and each tone it hears is a line. Ctrl-C or SIGTERM ends it: it hangs up and takes its registration away.
    """
    from c2c_stasis.lab.script import Script
    from c2c_stasis.lab.solo import Options, run
    from c2c_stasis.lab.standing import TONES

    script = Script(
        ring_after=ring_after,
        answer_after=None if reject else answer_after,
        hang_up_after=hang_up_after,
        reject=reject,
        reject_after=reject_after,
        tone_hz=float(tone or TONES.get(name, 800.0)),
        muted=mute,
    )
    with reporting():
        run(Options(name, server, password, script, expires, transport, calls))


@lab.command()
@_cache_option
def clean(cache: Path | None) -> None:
    """Remove the fetched Asterisk, and what killed runs left behind."""
    from c2c_stasis.lab.cleaning import run

    with reporting():
        run(cache, click.echo)
