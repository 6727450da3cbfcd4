"""Events as they happen, each once, through whatever cuts the stream."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Unpack

from c2c_stasis.client.asynchronous.asking import Resource
from c2c_stasis.client.asynchronous.transport import pause
from c2c_stasis.client.errors import NoAnswer, TooMany, Unavailable
from c2c_stasis.client.fields import EventFilters
from c2c_stasis.client.records import Event, Reset, StreamEvent
from c2c_stasis.client.wire import Frame, Frames, Json, Request, address

PATIENCE = 40.0  # seconds without a line after which the connection is given up: a comment comes every 15
RETRY = 1.0  # seconds before the next attempt, unless the service says otherwise

_UNTOLD = ("connected", "closed")


class Events(Resource):
    """`/v1/events`."""

    async def follow(
        self, *, after: int | None = None, **filters: Unpack[EventFilters]
    ) -> AsyncGenerator[StreamEvent | Reset, None]:
        """What happens from now on, or after the event with this number, without end and without a gap.

        Whatever cuts the connection is waited for, a restart of the service too. A `Reset` says that events were missed: read
        the list of calls. Raises `Refused` when waiting will not help: `NotAuthenticated` when a session is over.
        """
        while True:
            wait = RETRY
            try:
                async with aclosing(self._connection(after, filters, kept=False)) as frames:
                    async for frame in frames:
                        wait = frame.retry or wait
                        after = after if frame.number is None else frame.number
                        if frame.name not in _UNTOLD:
                            yield _told(frame)
            except NoAnswer:
                pass
            except (TooMany, Unavailable) as error:
                wait = error.retry_after or wait
            await pause(wait)

    async def kept(
        self, *, after: int = 0, **filters: Unpack[EventFilters]
    ) -> AsyncGenerator[StreamEvent | Reset, None]:
        """What happened after the event with this number, up to now; all that is kept, if none is said. Raises `Error`."""
        async with aclosing(self._connection(after, filters, kept=True)) as frames:
            async for frame in frames:
                if frame.name not in _UNTOLD:
                    yield _told(frame)

    async def of_call(self, call_id: str, *, types: tuple[str, ...] = ("call.*",)) -> AsyncGenerator[Event, None]:
        """The events of one call from its beginning to `call.end`, waiting for those that come.

        Raises as `follow` does, and `Error` when there is no such call, or it cannot be asked whether there is.
        """
        await self._get(Json, "calls", call_id)
        if not {"*", "call.*", "call.end"} & set(types):
            types = (*types, "call.end")
        async with aclosing(self.follow(after=0, call_id=call_id, types=types)) as following:
            async for told in following:
                if isinstance(told, StreamEvent):
                    yield told.event
                    if told.event.type == "call.end":
                        return

    async def _connection(self, after: int | None, filters: EventFilters, *, kept: bool) -> AsyncGenerator[Frame, None]:
        """What comes over one connection; up to what has just happened, if what is `kept` is meant."""
        query = {name: _joined(value) for name, value in filters.items()}
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        request = Request("GET", address("events", **query), headers=headers, patience=PATIENCE)
        frames = Frames()
        async with self._asking.opened(request) as stream:
            async for line in stream.lines():
                for frame in frames.read(line):
                    yield frame
                if kept and frames.live:
                    return


def _told(frame: Frame) -> StreamEvent | Reset:
    if frame.name == "reset":
        reset = frame.of(Reset)
        return Reset(reason=reset.reason, after=reset.after, number=frame.number)
    return StreamEvent(number=frame.number or 0, event=frame.of(Event))


def _joined(value: object) -> str:
    return value if isinstance(value, str) else ",".join(value) if isinstance(value, Sequence) else str(value)
