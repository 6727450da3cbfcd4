"""How a command comes to the service: its address, its key and the account, each from an option or the environment."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from c2c_stasis.cli.names import account_named, only_account
from c2c_stasis.cli.remote import NotAccepted, NotFound, Remote
from c2c_stasis.cli.reporting import config_option, load_config, reporting
from c2c_stasis.config import Address

Command = Callable[..., Any]

EXIT_STATUS = """\
\b
Exit status:
   0  done
   1  the service refused it: the message says why
   2  wrong usage, or no key
  69  the service is not running, or cannot answer now
  77  the key or the account is not accepted
  78  the configuration is wrong
"""

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 # what is listened on, and where it is reached

_OPTIONS = (
    click.option(
        "--url",
        metavar="URL",
        envvar="C2C_BASE_URL",
        show_envvar=True,
        help="The service.  [where [http] listen of the configuration says]",
    ),
    click.option(
        "--key-file",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        envvar="C2C_API_KEY_FILE",
        show_envvar=True,
        help="A file with the platform key, when it is not in C2C_API_KEY. A key is no argument: ps would show it.",
    ),
    config_option,
    click.option("--json", "as_json", is_flag=True, help="JSON for programs, instead of a table."),
)
_ACCOUNT = click.option(
    "--account",
    metavar="NAME|ID",
    envvar="C2C_ACCOUNT",
    show_envvar=True,
    help="The account that is meant.  [the only one]",
)


def for_platform(command: Command) -> Command:
    """Give a command the options that lead to the service, and the `Remote` as its first argument."""

    @wraps(command)
    def reached(url: str | None, key_file: Path | None, path: Path, as_json: bool, **others: Any) -> Any:
        return command(Remote(_url(_of_same_rank(url), path), _key(key_file), path, as_json=as_json), **others)

    return _with(_OPTIONS, reached)


def for_account(command: Command) -> Command:
    """The same for a command about one account."""

    @wraps(command)
    def reached(remote: Remote, account: str | None, **others: Any) -> Any:
        return command(remote.of_account(_account(remote, account)), **others)

    return for_platform(_with((_ACCOUNT,), reached))


def for_account_if_needed(command: Command) -> Command:
    """The same for a command that may do without the service: it is given a function that makes the `Remote`.

    Beside it the command gets `path`, the configuration, and `as_json`.
    """

    @wraps(command)
    def offered(
        url: str | None, key_file: Path | None, path: Path, as_json: bool, account: str | None, **others: Any
    ) -> Any:
        def reach() -> Remote:
            remote = Remote(_url(_of_same_rank(url), path), _key(key_file), path, as_json=as_json)
            return remote.of_account(_account(remote, account))

        return command(reach, path=path, as_json=as_json, **others)

    return _with((*_OPTIONS, _ACCOUNT), offered)


def _account(remote: Remote, account: str | None) -> str:
    try:
        return account_named(remote, account) if account else only_account(remote)
    except NotFound as error:
        raise NotAccepted(error.message) from error  # as for an id that is not this key's


def _with(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def _of_same_rank(url: str | None) -> str | None:
    """The URL, unless only the environment gives it and the command names a configuration: what is typed counts."""
    source = click.get_current_context().get_parameter_source
    overruled = source("url") is ParameterSource.ENVIRONMENT and source("path") is ParameterSource.COMMANDLINE
    return None if overruled else url


def _url(given: str | None, path: Path) -> str:
    if given:
        url = given.rstrip("/").removesuffix("/v1")
        if not url.startswith(("http://", "https://")):
            raise click.UsageError(f"{given} is no URL; write it as http://127.0.0.1:8080")
        return url
    if not path.exists():
        raise click.UsageError(
            f"where is the service? There is no {path} here that says it: give --url or C2C_BASE_URL, or name the"
            " configuration with --config."
        )
    with reporting():
        http = load_config(path).http
    listen = http.listen
    if listen.port == 0:
        raise click.UsageError(f"{path} lets the system choose the port: give --url or C2C_BASE_URL.")
    return replace(http, listen=Address(_EVERYWHERE.get(listen.host, listen.host), listen.port)).url


def _key(file: Path | None) -> str:
    key = (file.read_text() if file else os.environ.get("C2C_API_KEY", "")).strip()
    if not key:
        where = f"{file} is empty" if file else "C2C_API_KEY is not set and there is no --key-file"
        raise click.UsageError(f"no key: {where}. c2c-stasis init shows the first one, init --new-key makes another.")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise click.UsageError("the key is not one line of text; only the key itself may stand there.")
    return key
