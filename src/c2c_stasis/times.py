"""Times as the outside writes them."""

import time
from functools import lru_cache


@lru_cache(1024)  # each event of a call tells again when the call began and was answered
def rfc3339(unix_seconds: float | None) -> str | None:
    """A moment as RFC 3339 in UTC with milliseconds, such as `2026-11-23T08:15:00.123Z`."""
    if unix_seconds is None:
        return None
    seconds, milliseconds = divmod(round(unix_seconds * 1000), 1000)
    return f"{_second(seconds)}.{milliseconds:03}Z"


@lru_cache(256)  # whatever happens in one second
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def rfc3339_micro(unix_seconds: float) -> str:
    """The same with microseconds, such as `2026-11-23T08:15:00.123456Z`."""
    seconds, microseconds = divmod(round(unix_seconds * 1_000_000), 1_000_000)
    return f"{_second(seconds)}.{microseconds:06}Z"
