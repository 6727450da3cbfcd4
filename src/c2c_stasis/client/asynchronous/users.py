"""Users: people with phones."""

from collections.abc import AsyncIterator
from typing import Unpack

from c2c_stasis.client.asynchronous.asking import Resource
from c2c_stasis.client.fields import UserFields
from c2c_stasis.client.records import User


class Users(Resource):
    """`/v1/users`."""

    async def create(self, **fields: Unpack[UserFields]) -> User:
        """A new user."""
        return await self._post(User, "users", body=fields)

    async def retrieve(self, user_id: str) -> User:
        """One user."""
        return await self._get(User, "users", user_id)

    def list(self, *, search: str | None = None) -> AsyncIterator[User]:
        """All users, or those whose name or e-mail address holds this, newest first."""
        return self._every(User, "users", search=search)

    async def update(self, user_id: str, **fields: Unpack[UserFields]) -> User:
        """Change what is said."""
        return await self._post(User, "users", user_id, body=fields)

    async def delete(self, user_id: str) -> None:
        """Remove a user who has no live call."""
        await self._delete("users", user_id)
