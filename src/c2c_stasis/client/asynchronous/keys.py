"""Keys: what servers ask the service with."""

from collections.abc import AsyncIterator
from typing import Unpack

from c2c_stasis.client.asynchronous.asking import Resource
from c2c_stasis.client.fields import KeyFields
from c2c_stasis.client.records import Key
from c2c_stasis.client.wire import given


class Keys(Resource):
    """`/v1/keys`."""

    async def create(self, **fields: Unpack[KeyFields]) -> Key:
        """A new key; `secret`, the key itself, is there this once."""
        return await self._post(Key, "keys", body=fields)

    async def retrieve(self, key_id: str) -> Key:
        """One key."""
        return await self._get(Key, "keys", key_id)

    def list(self) -> AsyncIterator[Key]:
        """All keys, revoked ones included, newest first."""
        return self._every(Key, "keys")

    async def rotate(self, key_id: str, *, overlap_seconds: int | None = None) -> Key:
        """A new key in the place of this one, which counts for so long, a day if it is not said."""
        return await self._post(Key, "keys", key_id, "rotate", body=given(overlap_seconds=overlap_seconds))

    async def delete(self, key_id: str) -> None:
        """Make it useless, and the sessions that it opened."""
        await self._delete("keys", key_id)
