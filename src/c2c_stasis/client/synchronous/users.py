# Drawn from ../asynchronous/users.py by tools/draw_client.py; change it there.
"""Users: people with phones."""

from collections.abc import Iterator
from typing import Unpack

from c2c_stasis.client.fields import UserFields
from c2c_stasis.client.records import User
from c2c_stasis.client.synchronous.asking import Resource


class Users(Resource):
    """`/v1/users`."""

    def create(self, **fields: Unpack[UserFields]) -> User:
        """A new user."""
        return self._post(User, "users", body=fields)

    def retrieve(self, user_id: str) -> User:
        """One user."""
        return self._get(User, "users", user_id)

    def list(self, *, search: str | None = None) -> Iterator[User]:
        """All users, or those whose name or e-mail address holds this, newest first."""
        return self._every(User, "users", search=search)

    def update(self, user_id: str, **fields: Unpack[UserFields]) -> User:
        """Change what is said."""
        return self._post(User, "users", user_id, body=fields)

    def delete(self, user_id: str) -> None:
        """Remove a user who has no live call."""
        self._delete("users", user_id)
