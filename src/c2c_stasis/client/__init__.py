"""A client of the HTTP API: `Client` for ordinary programs, `AsyncClient` for those that run on asyncio.

    with Client.from_environment() as c2c:
        placed = c2c.calls.create(user_id="user_01h2xcejqtf2nbrexx3vqjhp42", dial_string="+15551234567")

Both have the same resources and methods; docs/client.md tells them. aiohttp is imported with `AsyncClient`, and not before.
"""

from typing import TYPE_CHECKING, Any

from c2c_stasis.client.errors import (
    BrokenOff,
    Conflict,
    Error,
    InvalidRequest,
    NoAnswer,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotGenuine,
    NotReachable,
    NotUnderstood,
    Refused,
    TimedOut,
    TooMany,
    Unavailable,
)
from c2c_stasis.client.synchronous.client import Client
from c2c_stasis.client.webhooks import received

if TYPE_CHECKING:
    from c2c_stasis.client.asynchronous.client import AsyncClient

__all__ = [
    "AsyncClient",
    "BrokenOff",
    "Client",
    "Conflict",
    "Error",
    "InvalidRequest",
    "NoAnswer",
    "NotAllowed",
    "NotAuthenticated",
    "NotFound",
    "NotGenuine",
    "NotReachable",
    "NotUnderstood",
    "Refused",
    "TimedOut",
    "TooMany",
    "Unavailable",
    "received",
]


def __getattr__(name: str) -> Any:
    if name == "AsyncClient":
        from c2c_stasis.client.asynchronous.client import AsyncClient

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
