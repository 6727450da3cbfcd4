"""Server-sent events, to the byte: what published clients were seen to deliver, and nothing that they were seen to lose.

They need line feeds without carriage returns, a space after the colon, and one line of data; so that `event`, `data` and the
empty line stand together as they expect, `id` and `retry` stand before. (HTML standard, 9.2; measured on such a client.)
"""

import json
import random
from functools import lru_cache

from c2c_stasis.api.records import tells_of_others
from c2c_stasis.ports import EventFilter, NumberedEvent

HEARTBEAT = b":\n\n"
LIVE = b": live\n\n"
"""A comment: what was kept has been sent, and from here on events come as they happen."""

TOO_OLD = "too_old"  # what came after the cursor is not all kept any more
UNKNOWN = "unknown"  # the cursor was never given: nobody knows what is new to this client, and it begins with now

_RETRY = (1_000, 5_000)  # milliseconds: those that were sent away together shall not all come back together


@lru_cache(64)  # most streams of an account get the same, one after the other
def of_event(one: NumberedEvent) -> bytes:
    """A stored event, byte for byte."""
    event = one.event
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (one.number, event.type.encode(), event.body)


def connected(account_id: str, after: int | None) -> bytes:
    """The first of every stream. Its id is where the stream begins, if that is known: who is cut off at once loses nothing."""
    return _said("connected", {"account_id": account_id, "after": after}, number=after)


def reset(after: int, reason: str) -> bytes:
    """What came next is not there, for this reason; the stream goes on after number `after`."""
    return _said("reset", {"reason": reason, "after": after}, number=after)


def closed(reason: str) -> bytes:
    """The last of a stream that we end, and when to come again."""
    wait = random.randint(*_RETRY)  # noqa: S311 # to be spread is all that is wanted of it
    return b"retry: %d\n" % wait + _said("closed", {"reason": reason})


def joined(events: tuple[NumberedEvent, ...], wanted: EventFilter) -> bytes:
    """Those of the events that are wanted."""
    fitting = [one for one in events if wanted.fits(one) and not (wanted.private and tells_of_others(one.event))]
    return b"".join(of_event(one) for one in fitting)


def _said(name: str, data: dict[str, object], number: int | None = None) -> bytes:
    text = json.dumps(data, separators=(",", ":"))
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {name}\ndata: {text}\n\n".encode()
