"""`c2c-stasis call`: places a call and tells what happens, as it happens."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from c2c_stasis.cli.access import for_account
from c2c_stasis.cli.names import user_named
from c2c_stasis.cli.next_steps import next_step
from c2c_stasis.cli.remote import NotThere, Record, Remote
from c2c_stasis.cli.reporting import EX_REFUSED
from c2c_stasis.cli.telling import line_after_acceptance

POLL = 0.2  # seconds between two looks while something happens
SLOWEST_POLL = 1.0  # seconds, while nothing does
SLOWER = 1.25  # times as long after each look that saw nothing new
PATIENCE = 30.0  # seconds for which a service that went away is waited for: calls live through a restart of it

_EXIT_STATUS = """\
\b
Exit status:
   0  the call was completed: both sides talked
   1  it was not, or it was refused
   2  wrong usage, or no key
  69  the service is not running, or went away during the call
  77  the key or the account is not accepted
  78  the configuration is wrong
 130  interrupted twice; the call goes on
"""


@click.command(epilog=_EXIT_STATUS)
@for_account
@click.argument("user")
@click.argument("number")
@click.option(
    "--ring-timeout",
    metavar="SECONDS",
    type=float,
    help="How long the phones ring.  [[calls] ring_timeout of the service]",
)
def call(remote: Remote, user: str, number: str, ring_timeout: float | None) -> None:
    """Connect USER with NUMBER, and follow the call.

    The phones of USER ring; when one answers, NUMBER is dialled.

    USER is an id, a name, an e-mail address or an extension; NUMBER is whatever POST /v1/calls takes. Ctrl-C ends the call and
    waits for its end. With --json, each event is a line of JSON as the API has it.
    """
    user_id = user_named(remote, user)
    wish: Record = {"user_id": user_id, "dial_string": number}
    if ring_timeout is not None:
        wish["ring_timeout"] = ring_timeout
    with _interruptions() as interrupted:
        _, location = remote.ask_for_location("POST", "/v1/calls", wish)
        end = _Followed(remote, location).until_the_end(interrupted)
    if not remote.as_json and (step := next_step(remote, end["reason"], user_id)):
        click.echo(f"c2c-stasis: {step}", err=True)
    raise SystemExit(0 if end["outcome"] == "completed" else EX_REFUSED)


class _Followed:
    """One call, and what of it was told already."""

    def __init__(self, remote: Remote, location: str) -> None:
        self._remote = remote
        self._path = location
        self._told = 0
        self._cancelled = False
        self._silent_since: float | None = None

    def until_the_end(self, interrupted: list[int]) -> Record:
        """Tell every event, and give what the last one says. Raises `NotThere` when the service stays away."""
        if not self._remote.as_json:
            click.echo(f"{self._path.rpartition('/')[2]}: accepted")
        pause = POLL
        while True:
            try:
                if interrupted and not self._cancelled:
                    self._remote.ask("DELETE", self._path)
                    self._cancelled = True
                new = self._news()
                self._silent_since = None
                if new and new[-1]["type"] == "call.end":
                    end: Record = new[-1]["data"]
                    return end
                pause = POLL if new else min(pause * SLOWER, SLOWEST_POLL)
            except NotThere as error:
                self._wait_patiently(error)
            _sleep(pause, interrupted)

    def _news(self) -> list[Record]:
        """Tell the events that were not told yet, and give them."""
        new: list[Record] = self._remote.ask("GET", f"{self._path}/events")["data"][self._told :]
        for event in new:
            click.echo(
                json.dumps(event, separators=(",", ":")) if self._remote.as_json else line_after_acceptance(event)
            )
        self._told += len(new)
        return new

    def _wait_patiently(self, error: NotThere) -> None:
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now
            click.echo(f"c2c-stasis: {error.message} Waiting; the call goes on without it.", err=True)
        if now - self._silent_since > PATIENCE:
            raise error


def _sleep(seconds: float, interrupted: list[int]) -> None:
    """Wait, but not after a Ctrl-C."""
    until = time.monotonic() + seconds
    before = len(interrupted)
    while len(interrupted) == before and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, POLL))  # a signal does not end a sleep


@contextmanager
def _interruptions() -> Iterator[list[int]]:
    """Note the first Ctrl-C in the list, whatever is being done meanwhile; the second one ends the command."""
    noted: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if noted:
            click.echo("c2c-stasis: interrupted; the call goes on", err=True)
            raise SystemExit(128 + number)
        noted.append(number)
        click.echo("ending the call; Ctrl-C again leaves it alone", err=True)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
