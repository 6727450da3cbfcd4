"""Times as the outside writes them."""

from datetime import UTC, datetime


def rfc3339(unix_seconds: float | None) -> str | None:
    """A moment as RFC 3339 in UTC with milliseconds, such as `2026-11-23T08:15:00.123Z`."""
    if unix_seconds is None:
        return None
    moment = datetime.fromtimestamp(round(unix_seconds, 3), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
