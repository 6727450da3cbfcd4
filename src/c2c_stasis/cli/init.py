"""`c2c-stasis init`: from nothing to the first call; run again, it adds what is asked for and keeps what is there."""

import json
from pathlib import Path
from typing import Any

import click

from c2c_stasis.cli.config_file import ARI_PASSWORD_VARIABLE, ASTERISK_PASSWORD_FILE, Settings
from c2c_stasis.cli.reporting import config_option, reporting, tell_where_from


@click.command()
@config_option
@click.option("--listen", metavar="HOST:PORT", help="Where to serve the API.  [127.0.0.1:8080]")
@click.option("--ari-url", metavar="URL", help="Asterisk's HTTP server.  [http://127.0.0.1:8088]")
@click.option("--ari-username", metavar="NAME", help="A user of ari.conf.  [c2c-stasis]")
@click.option(
    "--ari-password",
    metavar="TEXT",
    help="The user's password; - reads it from standard input, for ps shows what is typed. Without the option:"
    f" {ARI_PASSWORD_VARIABLE} (which is then not written down), else {ASTERISK_PASSWORD_FILE} of Asterisk, else it is asked"
    " for.",
)
@click.option("--ari-app", metavar="NAME", help="The Stasis application; two services need two.  [c2c-stasis]")
@click.option(
    "--asterisk-etc",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("/etc/asterisk"),
    show_default=True,
    help="Asterisk's own configuration.",
)
@click.option("--database", metavar="FILE|URL", help="Calls and directory.  [c2c.db beside the configuration]")
@click.option("--trunk", metavar="ENDPOINT", help="The PJSIP endpoint that leads out; without one, only extensions.")
@click.option("--force", is_flag=True, help="Write the configuration file anew. The database is kept.")
@click.option("--platform", metavar="NAME", help="The platform, which owns accounts and keys.  [default]")
@click.option("--account", metavar="NAME|ID", help="An account of it; made when there is none of that name.")
@click.option("--region", metavar="CC", help="Whose national numbers a new account dials (ISO 3166).  [US]")
@click.option("--timezone", metavar="ZONE", help="The time zone of a new account.  [UTC]")
@click.option("--extension-length", type=int, metavar="DIGITS", help="3 to 6, of a new account.  [4]")
@click.option("--user", metavar="NAME|ID", help="A user of the account; made when there is none of that name.")
@click.option(
    "--device", "devices", multiple=True, metavar="ENDPOINT", help="A PJSIP endpoint of the user; repeatable."
)
@click.option("--extension", metavar="NUMBER", help="A short number that leads to the user.")
@click.option(
    "--caller-number",
    metavar="+NUMBER",
    help="The number that all calls of the account show; it replaces the one before.",
)
@click.option(
    "--new-key", is_flag=True, help="Make one more platform key, for one that was lost; the others stay valid."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def init(path: Path, asterisk_etc: Path, force: bool, devices: tuple[str, ...], as_json: bool, **said: Any) -> None:
    """Make configuration, database and first key; or add to them.

    The key is shown once. What is there already is kept, so the command may be run again: to add an account, a user, devices,
    an extension or a number, or to complete a run that was interrupted. When something is refused, nothing is changed.

    \b
    A first run beside your own Asterisk:
      c2c-stasis init --trunk carrier --account Acme --user Alice \\
          --device desk --device mobile --extension 1001 --caller-number +12025550142
    """
    file_options = {name: said.pop(name) for name in tuple(said) if name in Settings.__dataclass_fields__}
    settings = Settings(**file_options)
    # The database takes its time to be read, and no other command, and no --help, shall wait for it.
    from c2c_stasis.cli.bootstrap import Refused, Wishes
    from c2c_stasis.cli.init_story import facts, story
    from c2c_stasis.cli.providing import provide

    tell_where_from(path)
    wishes = Wishes(devices=devices, **said)
    with reporting():
        try:
            done = provide(path, settings, wishes, asterisk_etc, force=force)
        except Refused as refused:
            raise click.UsageError("\n".join(refused.problems)) from refused
    click.echo(json.dumps(facts(done)) if as_json else story(done))
