"""`c2c-stasis init`: from nothing to the first call; run again, it adds what is asked for and keeps what is there."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from c2c_stasis.cli import config_file
from c2c_stasis.cli.bootstrap import Outcome, Plan, Refused, Wishes
from c2c_stasis.cli.config_file import ARI_PASSWORD_VARIABLE, ASTERISK_PASSWORD_FILE, Settings
from c2c_stasis.cli.reporting import config_option, load_config, reporting
from c2c_stasis.config import Config
from c2c_stasis.directory.model import DirectoryRows
from c2c_stasis.store.migrating import migrate
from c2c_stasis.store.sql_store import open_store
from c2c_stasis.store.sqlite import database_file, parse_url

_DESTINATION = "+15551234567"
_FROM_STANDARD_INPUT = "-"
_NO_KEY = "sk_live_YOUR_SECRET_KEY"
_NO_ACCOUNT = "acct_YOUR_ACCOUNT"
_NO_USER = "user_YOUR_USER"


@dataclass(frozen=True, slots=True)
class _Done:
    """What a run has made and found."""

    path: Path
    config: Config
    file_written: bool
    outcome: Outcome

    @property
    def base_url(self) -> str:
        """Where the API will be served."""
        return f"http://{self.config.http.listen}"

    @property
    def curl(self) -> str:
        """The first call, ready to paste, as the product page has it; what is not known stands there in capitals.

        `-i` shows the status and Location: the body of a 202 is empty.
        """
        outcome = self.outcome
        account = outcome.account.id if outcome.account else _NO_ACCOUNT
        user = outcome.user.id if outcome.user else _NO_USER
        return (
            f"curl -i -X POST {self.base_url}/v1/calls \\\n"
            f'-H "Authorization: Bearer {outcome.key or _NO_KEY}" \\\n'
            f'-H "DialStack-Account: {account}" \\\n'
            '-H "Content-Type: application/json" \\\n'
            f'-d \'{{\n"user_id": "{user}",\n"dial_string": "{_DESTINATION}"\n}}\''
        )


@click.command()
@config_option
@click.option("--listen", metavar="HOST:PORT", help="Where to serve the API.  [127.0.0.1:8080]")
@click.option("--ari-url", metavar="URL", help="Asterisk's HTTP server.  [http://127.0.0.1:8088]")
@click.option("--ari-username", metavar="NAME", help="A user of ari.conf.  [c2c-stasis]")
@click.option(
    "--ari-password",
    metavar="TEXT",
    help=f"The user's password; - reads it from standard input. Without the option: {ARI_PASSWORD_VARIABLE} (which is then "
    f"not written down), else {ASTERISK_PASSWORD_FILE} of Asterisk, else it is asked for.",
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
@click.option("--caller-number", metavar="+NUMBER", help="The number that calls of the account show.")
@click.option(
    "--new-key", is_flag=True, help="Make one more platform key, for one that was lost; the others stay valid."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def init(path: Path, asterisk_etc: Path, force: bool, devices: tuple[str, ...], as_json: bool, **said: Any) -> None:
    """Write the configuration, create the database, and make the first platform and its key.

    The key is shown once. What is there already is kept, so the command may be run again: to add an account, a user, devices,
    an extension or a number, or to complete a run that was interrupted. When something is refused, nothing is changed.

    \b
    A first run beside your own Asterisk:
      c2c-stasis init --trunk carrier --account Acme --user Alice \\
          --device desk --device mobile --extension 1001 --caller-number +15550100
    """
    file_options = {name: said.pop(name) for name in tuple(said) if name in Settings.__dataclass_fields__}
    settings = Settings(**file_options)
    wishes = Wishes(devices=devices, **said)
    with reporting(), _refusing():
        done = _run(path, settings, wishes, asterisk_etc, force=force)
    click.echo(json.dumps(_facts(done)) if as_json else _story(done))


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        raise click.UsageError("\n".join(refused.problems)) from refused


def _run(path: Path, settings: Settings, wishes: Wishes, asterisk_etc: Path, *, force: bool) -> _Done:
    if path.exists() and not force:
        config = load_config(path)
        if different := config_file.differences(config, path, _with_typed_password(settings)):
            options = ", ".join(different)
            raise click.UsageError(
                f"{path} is there and says otherwise than {options}. Edit it, or write it anew with --force."
            )
        return _Done(path, config, False, asyncio.run(_provide(config, wishes)))
    settings = _with_password(settings, asterisk_etc)
    with config_file.drafted(path, settings, replace=force) as draft:
        # The file appears when the database is right, and the key is made when the file is there: whatever is
        # interrupted, the same command completes it.
        outcome = asyncio.run(_provide(draft.config, wishes, before_key=draft.keep))
        return _Done(path, draft.config, True, outcome)


async def _provide(config: Config, wishes: Wishes, before_key: Callable[[], None] = lambda: None) -> Outcome:
    if not database_file(parse_url(config.database.url)).exists():
        Plan(DirectoryRows(), wishes)  # what is refused leaves no empty database behind
    await asyncio.to_thread(migrate, config.database.url)  # one of an older version is copied first
    store = await open_store(config.database.url)
    try:
        outcome = await Plan(await store.directory(), wishes).carry_out(store)
        before_key()
        if outcome.needs_key:
            outcome.key, _ = await store.create_key(outcome.platform.id)
            outcome.created.append("key")
        return outcome
    finally:
        await store.close()


def _with_typed_password(settings: Settings) -> Settings:
    if settings.ari_password != _FROM_STANDARD_INPUT:
        return settings
    return _replaced(settings, sys.stdin.readline().rstrip("\r\n"))


def _with_password(settings: Settings, asterisk_etc: Path) -> Settings:
    """The settings with a password from the first place that has one. Raises `UsageError` when none has."""
    if settings.ari_password is not None:
        return _with_typed_password(settings)
    if os.environ.get(ARI_PASSWORD_VARIABLE):
        return settings
    if (found := config_file.asterisk_password(asterisk_etc)) is not None:
        return _replaced(settings, found)
    if sys.stdin.isatty():
        return _replaced(settings, click.prompt("Password of the ARI user", hide_input=True, err=True))
    raise click.UsageError(
        f"the ARI password is not known: give --ari-password, set {ARI_PASSWORD_VARIABLE}, or run as a user who may read"
        f" {asterisk_etc / ASTERISK_PASSWORD_FILE}."
    )


def _replaced(settings: Settings, password: str) -> Settings:
    return replace(settings, ari_password=password)


def _facts(done: _Done) -> dict[str, object]:
    """The result for a program."""
    outcome = done.outcome
    return {
        "config": str(done.path.absolute()),
        "config_written": done.file_written,
        "base_url": done.base_url,
        "database_url": done.config.database.url,
        "platform_id": outcome.platform.id,
        "key": outcome.key,
        "account_id": outcome.account.id if outcome.account else None,
        "user_id": outcome.user.id if outcome.user else None,
        "device_ids": {device.endpoint: device.id for device in outcome.devices},
        "extension": outcome.extension.number if outcome.extension else None,
        "caller_number": outcome.caller_number.number if outcome.caller_number else None,
        "created": outcome.created,
        "curl": done.curl,
    }


def _story(done: _Done) -> str:
    """The result for a person, with what to do next."""
    outcome, config = done.outcome, done.config
    written = "written; it holds the ARI password, and only you can read it" if done.file_written else "kept as it is"
    lines = [f"{done.path}: {written}", f"{config.database.url.partition('://')[2].removeprefix('/')}: ready", ""]
    lines.append(_line("platform", outcome.platform.id, outcome.platform.name, "platform" in outcome.created))
    if outcome.account:
        about = f"{outcome.account.name}, {outcome.account.region}"
        lines.append(_line("account", outcome.account.id, about, "account" in outcome.created))
    if outcome.user:
        lines.append(_line("user", outcome.user.id, outcome.user.name, "user" in outcome.created))
    for device in outcome.devices:
        made = f"device {device.endpoint}" in outcome.created
        lines.append(_line("device", device.id, f"PJSIP/{device.endpoint}", made))
    if outcome.extension:
        lines.append(_line("extension", outcome.extension.number, "", "extension" in outcome.created))
    if outcome.caller_number:
        lines.append(
            _line("number", outcome.caller_number.number, "shown to those called", "caller number" in outcome.created)
        )
    if outcome.key:
        lines += [
            _line("key", outcome.key, "", True),
            "",
            "The key is shown this once and cannot be read again: keep it safe.",
        ]
    else:
        lines += [
            "",
            "The keys made before stay valid; they cannot be shown again. A lost one is replaced with --new-key.",
        ]
    lines += ["", "Start the service:", f"  c2c-stasis serve -c {done.path}", "", "Then place a call:", done.curl]
    return "\n".join(lines)


def _line(what: str, value: str, about: str, new: bool) -> str:
    state = "new" if new else "was there"
    return f"  {what:<10}{value}  {about + ', ' if about else ''}{state}"
