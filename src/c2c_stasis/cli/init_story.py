"""What `init` has made, told to a person or a program, with what to do next."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from c2c_stasis.cli.bootstrap import Outcome
from c2c_stasis.cli.config_file import ARI_PASSWORD_VARIABLE
from c2c_stasis.cli.program import program
from c2c_stasis.config import Config

_DESTINATION = "+15551234567"
_NO_KEY = "sk_live_YOUR_SECRET_KEY"
_NO_ACCOUNT = "acct_YOUR_ACCOUNT"
_NO_USER = "user_YOUR_USER"


@dataclass(frozen=True, slots=True)
class Done:
    """What a run has made and found. `variables` are those of the environment that count before the file."""

    path: Path
    config: Config
    file_written: bool
    outcome: Outcome
    variables: tuple[str, ...] = ()
    holds_password: bool = False

    @property
    def base_url(self) -> str:
        """Where the API will be served."""
        return self.config.http.url

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


def facts(done: Done) -> dict[str, object]:
    """The result for a program."""
    outcome = done.outcome
    return {
        "config": str(done.path.absolute()),
        "config_written": done.file_written,
        "environment": list(done.variables),
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


def story(done: Done) -> str:
    """The result for a person, with what to do next."""
    outcome, config = done.outcome, done.config
    lines = [*_about_file(done), f"{config.database.url.partition('://')[2].removeprefix('/')}: ready", ""]
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
        lines.append(_line("number", outcome.caller_number.number, _shown(outcome), "caller number" in outcome.created))
    elif outcome.anonymous and config.trunks:
        lines.append(
            "  number    none: calls go out anonymous, emergency calls too; --caller-number +NUMBER changes that"
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
    for what, command in (("Look whether all is well", "doctor"), ("Start the service", "serve")):
        lines += ["", f"{what}:", f"  {_command(done, command)}"]
    if outcome.user and not outcome.user_has_devices:
        return "\n".join(
            [*lines, "", f"{outcome.user.name} has no device yet: add --device ENDPOINT, then calls can ring."]
        )
    return "\n".join([*lines, "", *_call(done), "", "The same over HTTP:", done.curl])


def _about_file(done: Done) -> list[str]:
    """What became of the file, where the password is, and what counts before the file."""
    lines = [f"{done.path}: kept as it is"]
    if done.file_written:
        where = "it holds the ARI password, and only you can read it"
        if not done.holds_password:
            where = f"the ARI password is not in it, but in {ARI_PASSWORD_VARIABLE}: the service needs that too"
        lines = [f"{done.path}: written; {where}"]
    told = done.file_written and not done.holds_password
    if others := [name for name in done.variables if not (told and name == ARI_PASSWORD_VARIABLE)]:
        lines.append(f"  while they are set, these count before the file: {', '.join(others)}")
    return lines


def _command(done: Done, *words: str) -> str:
    """A command with this configuration, as it can be called from here."""
    return f"{program()} {words[0]} -c {shlex.quote(str(done.path))} {shlex.join(words[1:])}".rstrip()


def _call(done: Done) -> list[str]:
    """The commands that place a call; what is not known stands there in capitals."""
    outcome = done.outcome
    user = outcome.user.name if outcome.user else _NO_USER
    of_account = [] if outcome.only_account or outcome.account is None else ["--account", outcome.account.id]
    return [
        "Then place a call, in another terminal:",
        f"  export C2C_API_KEY={outcome.key or _NO_KEY}",
        f"  {_command(done, 'call', *of_account, user, _DESTINATION)}",
    ]


def _shown(outcome: Outcome) -> str:
    """By which calls a number is shown, and which one no more."""
    whose = f"shown to those called by {outcome.account.name}" if outcome.account else "shown to those called"
    return whose + (f", replaces {outcome.replaced_number}" if outcome.replaced_number else "")


def _line(what: str, value: str, about: str, new: bool) -> str:
    state = "new" if new else "was there"
    return f"  {what:<10}{value}  {about + ', ' if about else ''}{state}"
