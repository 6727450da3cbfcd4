# Drawn from ../asynchronous/extensions.py by tools/draw_client.py; change it there.
"""Extensions: short numbers that lead to users."""

from collections.abc import Iterator

from c2c_stasis.client.records import Extension
from c2c_stasis.client.synchronous.asking import Resource


class Extensions(Resource):
    """`/v1/extensions`, keyed by number."""

    def create(self, number: str, *, user_id: str) -> Extension:
        """A new extension that leads to this user."""
        return self._post(Extension, "extensions", body={"number": number, "user_id": user_id})

    def retrieve(self, number: str) -> Extension:
        """One extension."""
        return self._get(Extension, "extensions", number)

    def list(self, *, user_id: str | None = None) -> Iterator[Extension]:
        """All extensions, or those of one user, newest first."""
        return self._every(Extension, "extensions", user_id=user_id)

    def update(self, number: str, *, user_id: str) -> Extension:
        """Let it lead to another user."""
        return self._post(Extension, "extensions", number, body={"user_id": user_id})

    def delete(self, number: str) -> None:
        """Remove it."""
        self._delete("extensions", number)
