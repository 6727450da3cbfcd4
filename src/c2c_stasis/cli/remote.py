"""The running service, as the command line asks it: over HTTP, with a key, and with words for everything that can go wrong."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode, urlsplit

import click

from c2c_stasis.cli.reporting import EX_NOPERM, EX_REFUSED, EX_UNAVAILABLE
from c2c_stasis.printable import printable

TIMEOUT = 30.0  # seconds for one answer; an ordinary one takes milliseconds
PAGE = 100  # entries asked for at a time
PIECE = 65_536  # bytes

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
        headers = self._headers()
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        status, told, text = self._exchange(method, path, content, headers)
        if status >= 400:
            raise self._failure(status, text, told.get("Retry-After", ""))
        return self._understood(text) if text else {}, told.get("Location", "")

    def download(self, file: BinaryIO, *path: str, **query: str) -> None:
        """Write what is there into a file, piece by piece. Raises `Failed`, also when it broke off half way."""
        with self._answered("GET", address(*path, **query), None, self._headers()) as response:
            if response.status >= 400:
                raise self._failure(response.status, response.read())
            while piece := response.read1(PIECE):
                file.write(piece)

    @contextmanager
    def lines(self, *path: str, headers: dict[str, str], **query: str) -> Iterator[Iterator[bytes]]:
        """The lines of an answer as they come; at its end there are no more. Raises `Failed`, also while they are read."""
        with self._answered("GET", address(*path, **query), None, self._headers() | headers) as response:
            if response.status >= 400:
                raise self._failure(response.status, response.read())
            yield iter(response.readline, b"")

    def _headers(self) -> dict[str, str]:
        account = {"DialStack-Account": self.account} if self.account else {}
        return {"Authorization": f"Bearer {self.key}", "Accept": "application/json"} | account

    def _exchange(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        with self._answered(method, path, content, headers) as response:
            return response.status, response.headers, response.read()

    @contextmanager
    def _answered(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        """An answer while it is read. Raises `Failed`."""
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
        answered = False
        try:
            connection.request(method, parts.path.rstrip("/") + path, content, headers)
            answer = connection.getresponse()
            answered = True
            yield answer
        except http.client.IncompleteRead as error:
            raise NotThere(
                "the answer broke off; what is there of it is not all. The log of the service tells more"
            ) from error
        except TimeoutError as error:
            raise NotThere(f"the service at {self.url} did not answer within {TIMEOUT:.0f} s") from error
        except OSError as error:
            if answered and isinstance(error, BrokenPipeError):
                raise  # an answer is only read: it is our own output that nobody reads any more
            hint = "Is it running? Start it with: c2c-stasis serve. Elsewhere? Give --url or C2C_BASE_URL."
            raise NotThere(f"no service answers at {self.url} ({error.strerror or error}). {hint}") from error
        except http.client.HTTPException as error:
            raise self._stranger() from error
        finally:
            connection.close()

    def _failure(self, status: int, text: bytes, retry_after: str = "") -> Failed:
        """What a refusal means to somebody at a terminal."""
        answer = self._understood(text)
        code, message = answer.get("code"), str(answer.get("error", f"status {status}"))
        if code == "unauthorized":
            fix = "Check C2C_API_KEY or --key-file; c2c-stasis init --new-key makes another key."
            return NotAccepted(f"the key is not valid at {self.url}. {fix}")
        if code in ("account_not_allowed", "invalid_account_header"):
            return NotAccepted(f"no account {self.account} belongs to this key. See: c2c-stasis accounts list")
        if status == 404:
            return NotFound(message if code != "not_found" else f"{self.url} is another service, or an older version")
        if status >= 500:
            return NotThere(f"{message} (status {status}); the log of the service tells more")
        if code == "webhook_endpoint_disabled":
            return Failed(f"{message}: c2c-stasis webhooks update URL --enable")
        if code == "already_in_use":
            return InUse(message)
        details = [f"{name} {reason}" for name, reason in answer.get("details", {}).items()]
        if code in ("destination_not_allowed", "limit_reached", "user_busy"):
            rule = f"; rule {answer['details']['rule']}" if "rule" in answer.get("details", {}) else ""
            later = f"; try again in {retry_after} s" if status == 429 and retry_after else ""
            return Failed(message + later + rule)
        return Failed("; ".join(details) if code in ("validation_error", "missing_field") and details else message)

    def _understood(self, text: bytes) -> Record:
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise self._stranger() from error
        if not isinstance(answer, dict):
            raise self._stranger()
        return answer

    def _stranger(self) -> NotThere:
        return NotThere(f"what answers at {self.url} is not c2c-stasis. Give --url or C2C_BASE_URL.")


def address(*path: str, **query: str) -> str:
    """A path under `/v1`, each part quoted, and a query."""
    url = "/v1/" + "/".join(quote(part, safe="") for part in path)
    return f"{url}?{urlencode(query)}" if query else url
