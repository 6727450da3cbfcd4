"""`c2c-stasis events`: what happens to the calls of an account, as it happens, and what happened before."""

import json
import time
from collections.abc import Iterator

import click

from c2c_stasis.cli.access import EXIT_STATUS, for_account
from c2c_stasis.cli.names import user_named
from c2c_stasis.cli.remote import NotThere, Remote
from c2c_stasis.cli.telling import line_of_day
from c2c_stasis.client.wire import Frame, Frames

RETRY = 1.0  # seconds before the next attempt, unless the service says otherwise

_UNTOLD = ("connected", "closed")


@click.command(epilog=EXIT_STATUS)
@for_account
@click.option(
    "-f", "--follow", is_flag=True, help="Go on with what happens, until Ctrl-C; through restarts of the service."
)
@click.option(
    "--after",
    metavar="N",
    type=click.IntRange(min=0),
    help="Begin after the event with this number.  [with --follow: now; else with all that is kept]",
)
@click.option("--types", metavar="LIST", help="Names, call.*, leg.* or *, with commas.  [call.*]")
@click.option(
    "--user", metavar="USER", help="Calls of this user only: an id, a name, an e-mail address or an extension."
)
def events(remote: Remote, follow: bool, after: int | None, types: str | None, user: str | None) -> None:
    """Tell the events of calls, one a line.

    With --json each line is an object with the number of the event as `id`, its name as `event`, and `data` as the API has it.
    """
    query = {"types": types} if types else {}
    if user:
        query["user_id"] = user_named(remote, user)
    if after is None and not follow:
        after = 0
    followed = _Followed(remote, query, after, follow=follow)
    while not followed.over:
        followed.once()


class _Followed:
    """A stream, and how far it was told."""

    def __init__(self, remote: Remote, query: dict[str, str], after: int | None, *, follow: bool) -> None:
        self.over = False
        self._remote = remote
        self._query = query
        self._after = after
        self._follow = follow
        self._reached = False  # whether there was an answer at least once
        self._away = False

    def once(self) -> None:
        """Tell what comes over one connection, and wait a little after it. Raises `Failed` when that will not help."""
        wait = RETRY
        try:
            for told in self._stream():
                self._back()
                wait = told.retry or wait
                self._tell(told)
                if told.json() == {"reason": "session_ended"}:
                    wait = 0.0  # the next attempt is refused, and says why
        except NotThere as error:
            if not self._reached:
                raise
            self._gone(error)
        if not self.over:
            time.sleep(wait)

    def _stream(self) -> Iterator[Frame]:
        headers = {} if self._after is None else {"Last-Event-ID": str(self._after)}
        frames = Frames()
        with self._remote.lines("events", headers=headers, **self._query) as lines:
            for line in lines:
                yield from frames.read(line)
                if frames.live and not self._follow:
                    self.over = True
                    return

    def _tell(self, told: Frame) -> None:
        self._reached = True
        if told.name == "reset":
            click.echo(f"c2c-stasis: {_RESET[told.json()['reason']]}", err=True)
        if self._remote.as_json and told.name not in _UNTOLD:
            click.echo(_json(told))
        elif told.name not in (*_UNTOLD, "reset"):
            click.echo(line_of_day(told.json()))
        if told.number is not None:
            self._after = told.number

    def _gone(self, error: NotThere) -> None:
        if not self._away:
            self._away = True
            click.echo(f"c2c-stasis: {error.message} Waiting; nothing is lost.", err=True)

    def _back(self) -> None:
        if self._away:
            self._away = False
            click.echo("c2c-stasis: the service is there again", err=True)


_RESET = {
    "too_old": "some events that came next are not kept any more; calls list shows their calls",
    "unknown": "that number was never given here; going on with what happens from now on",
}


def _json(told: Frame) -> str:
    return json.dumps({"id": told.number, "event": told.name, "data": told.json()}, separators=(",", ":"))
