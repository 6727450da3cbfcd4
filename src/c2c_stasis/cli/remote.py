"""The running service, as the command line asks it: over HTTP, with a key, and with words for everything that can go wrong."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import click

from c2c_stasis.cli.reporting import EX_NOPERM, EX_REFUSED, EX_UNAVAILABLE
from c2c_stasis.client import Client, NoAnswer, NotReachable, NotUnderstood, Refused
from c2c_stasis.client.wire import PAGE, TIMEOUT, Request, address
from c2c_stasis.printable import printable

Record = dict[str, Any]


class Failed(click.ClickException):
    """The command could not do what it should: the message says why and what to do, the exit status of which kind it is."""

    exit_code = EX_REFUSED

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, also="\n"))

    def show(self, file: Any = None) -> None:
        """On standard error."""
        click.echo(f"c2c-stasis: {self.message}", err=True, file=file)


class NotThere(Failed):
    """The service does not answer, or cannot now."""

    exit_code = EX_UNAVAILABLE


class NotAccepted(Failed):
    """The key or the account is not accepted."""

    exit_code = EX_NOPERM


class InUse(Failed):
    """Another record has this name or number already."""


class NotFound(Failed):
    """The service has no such thing."""


@dataclass(frozen=True, slots=True)
class Remote:
    """One service, one key, and the account that is meant, if any.

    `config` is the configuration file that was named; `as_json` says whether the answers are for a program.
    """

    url: str
    key: str
    config: Path
    account: str | None = None
    as_json: bool = False

    def of_account(self, account_id: str) -> "Remote":
        """The same, for this account."""
        return replace(self, account=account_id)

    def get(self, *path: str, **query: str) -> Record:
        """What is there. Raises `Failed`."""
        return self.ask("GET", address(*path, **query))

    def post(self, *path: str, body: Record) -> Record:
        """Make or change something. Raises `Failed`."""
        return self.ask("POST", address(*path), body)

    def delete(self, *path: str) -> None:
        """Remove something. Raises `Failed`."""
        self.ask("DELETE", address(*path))

    def every(self, *path: str, **query: str) -> Iterator[Record]:
        """Every entry of a list, page after page."""
        next_page: str | None = address(*path, limit=str(PAGE), **query)
        while next_page:
            page = self.ask("GET", next_page)
            yield from page["data"]
            next_page = page["next_page_url"]

    def ask(self, method: str, path: str, body: Record | None = None) -> Record:
        """The JSON of an answer; empty when there is none. Raises `Failed`."""
        record, _ = self.ask_for_location(method, path, body)
        return record

    def ask_for_location(self, method: str, path: str, body: Record | None = None) -> tuple[Record, str]:
        """The JSON of an answer, and its Location. Raises `Failed`."""
        with self._failing():
            answer = self._client().exchange(Request(method, path, body))
            return answer.json(), answer.headers.get("location", "")

    def download(self, file: BinaryIO, *path: str, **query: str) -> None:
        """Write what is there into a file, piece by piece. Raises `Failed`, also when it broke off half way."""
        with self._failing(), self._client().opened(Request("GET", address(*path, **query))) as stream:
            for piece in stream.pieces():
                file.write(piece)

    @contextmanager
    def lines(self, *path: str, headers: dict[str, str], **query: str) -> Iterator[Iterator[bytes]]:
        """The lines of an answer as they come; at its end there are no more. Raises `Failed`, also while they are read."""
        request = Request("GET", address(*path, **query), headers=headers)
        with self._failing(), self._client().opened(request) as stream:
            yield stream.lines()

    def _client(self) -> Client:
        try:
            return Client(self.url, self.key, account=self.account, timeout=TIMEOUT)
        except ValueError as error:
            raise NotReachable(str(error)) from error

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """What the client raises, in words for somebody at a terminal."""
        try:
            yield
        except Refused as error:
            raise self._failure(error) from error
        except NoAnswer as error:
            raise self._away(error) from error
        except NotUnderstood as error:
            stranger = f"what answers at {self.url} is not c2c-stasis. Give --url or C2C_BASE_URL."
            raise NotThere(stranger) from error

    def _away(self, error: NoAnswer) -> NotThere:
        cause = error.__cause__
        if isinstance(cause, http.client.IncompleteRead):
            return NotThere("the answer broke off; what is there of it is not all. The log of the service tells more")
        if isinstance(cause, TimeoutError):
            return NotThere(f"the service at {self.url} did not answer within {TIMEOUT:.0f} s")
        why = getattr(cause, "strerror", None) or cause
        hint = "Is it running? Start it with: c2c-stasis serve. Elsewhere? Give --url or C2C_BASE_URL."
        return NotThere(f"no service answers at {self.url} ({why}). {hint}")

    def _failure(self, error: Refused) -> Failed:
        """What a refusal means to somebody at a terminal."""
        code, message = error.code, error.message
        if code == "unauthorized":
            fix = "Check C2C_API_KEY or --key-file; c2c-stasis init --new-key makes another key."
            return NotAccepted(f"the key is not valid at {self.url}. {fix}")
        if code in ("account_not_allowed", "invalid_account_header"):
            return NotAccepted(f"no account {self.account} belongs to this key. See: c2c-stasis accounts list")
        if error.status == 404:
            return NotFound(message if code != "not_found" else f"{self.url} is another service, or an older version")
        if error.status >= 500:
            return NotThere(f"{message} (status {error.status}); the log of the service tells more")
        if code == "webhook_endpoint_disabled":
            return Failed(f"{message}: c2c-stasis webhooks update URL --enable")
        if code == "already_in_use":
            return InUse(message)
        details = [f"{name} {reason}" for name, reason in error.details.items()]
        if code in ("destination_not_allowed", "limit_reached", "user_busy"):
            rule = f"; rule {error.details['rule']}" if "rule" in error.details else ""
            later = f"; try again in {error.retry_after:.0f} s" if error.status == 429 and error.retry_after else ""
            return Failed(message + later + rule)
        return Failed("; ".join(details) if code in ("validation_error", "missing_field") and details else message)
