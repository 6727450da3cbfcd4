"""Extensions: short numbers that lead to users."""

from collections.abc import AsyncIterator

from c2c_stasis.client.asynchronous.asking import Resource
from c2c_stasis.client.records import Extension


class Extensions(Resource):
    """`/v1/extensions`, keyed by number."""

    async def create(self, number: str, *, user_id: str) -> Extension:
        """A new extension that leads to this user."""
        return await self._post(Extension, "extensions", body={"number": number, "user_id": user_id})

    async def retrieve(self, number: str) -> Extension:
        """One extension."""
        return await self._get(Extension, "extensions", number)

    def list(self, *, user_id: str | None = None) -> AsyncIterator[Extension]:
        """All extensions, or those of one user, newest first."""
        return self._every(Extension, "extensions", user_id=user_id)

    async def update(self, number: str, *, user_id: str) -> Extension:
        """Let it lead to another user."""
        return await self._post(Extension, "extensions", number, body={"user_id": user_id})

    async def delete(self, number: str) -> None:
        """Remove it."""
        await self._delete("extensions", number)
