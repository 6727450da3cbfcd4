"""How the tests ask: with the right headers unless a test says otherwise."""

from typing import Any

from aiohttp import ClientResponse
from aiohttp import ClientSession as Client

from tests.api.fakes import ACCOUNT, KEY, USER

__all__ = ["GOOD", "HEADERS", "JSON", "Client", "place", "placed", "send"]

HEADERS = {"Authorization": f"Bearer {KEY}", "DialStack-Account": ACCOUNT}
JSON = {"Content-Type": "application/json"}
GOOD = {"user_id": USER, "dial_string": "+15551234567"}


async def place(client: Client, **fields: Any) -> ClientResponse:
    """A good request, but for these fields; a field that is `...` is left out."""
    body = {name: value for name, value in (GOOD | fields).items() if value is not ...}
    return await client.post("/v1/calls", json=body, headers=HEADERS)


async def send(client: Client, body: bytes, **headers: str) -> ClientResponse:
    """A body as it is."""
    return await client.post("/v1/calls", data=body, headers=HEADERS | JSON | headers)


async def placed(client: Client) -> str:
    """Place a call; its path."""
    response = await place(client)
    assert response.status == 202
    return response.headers["Location"]
