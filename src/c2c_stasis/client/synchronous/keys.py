# Drawn from ../asynchronous/keys.py by tools/draw_client.py; change it there.
"""Keys: what servers ask the service with."""

from collections.abc import Iterator
from typing import Unpack

from c2c_stasis.client.fields import KeyFields
from c2c_stasis.client.records import Key
from c2c_stasis.client.synchronous.asking import Resource
from c2c_stasis.client.wire import given


class Keys(Resource):
    """`/v1/keys`."""

    def create(self, **fields: Unpack[KeyFields]) -> Key:
        """A new key; `secret`, the key itself, is there this once."""
        return self._post(Key, "keys", body=fields)

    def retrieve(self, key_id: str) -> Key:
        """One key."""
        return self._get(Key, "keys", key_id)

    def list(self) -> Iterator[Key]:
        """All keys, revoked ones included, newest first."""
        return self._every(Key, "keys")

    def rotate(self, key_id: str, *, overlap_seconds: int | None = None) -> Key:
        """A new key in the place of this one, which counts for so long, a day if it is not said."""
        return self._post(Key, "keys", key_id, "rotate", body=given(overlap_seconds=overlap_seconds))

    def delete(self, key_id: str) -> None:
        """Make it useless, and the sessions that it opened."""
        self._delete("keys", key_id)
