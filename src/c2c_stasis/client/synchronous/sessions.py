# Drawn from ../asynchronous/sessions.py by tools/draw_client.py; change it there.
"""Sessions: what a server with a key opens for browsers and apps, which may not have it."""

from c2c_stasis.client.records import AccountSession, UserSession
from c2c_stasis.client.synchronous.asking import Resource
from c2c_stasis.client.wire import given


class Sessions(Resource):
    """`/v1/user_sessions` and `/v1/account_sessions`."""

    def create_for_user(self, user_id: str, *, ttl_seconds: int | None = None) -> UserSession:
        """A session that acts for this user alone: 60 to 604800 seconds, a day if it is not said.

        Whose session it is must follow from who is signed in with you, never from what a page sends.
        """
        body = given(user_id=user_id, ttl_seconds=ttl_seconds)
        return self._post(UserSession, "user_sessions", body=body)

    def create_for_account(self, account_id: str) -> AccountSession:
        """A session that acts for every user of this account, for an hour."""
        return self._post(AccountSession, "account_sessions", body={"account_id": account_id})

    def revoke_for_user(self, user_id: str) -> None:
        """End all sessions of this user that were opened until now."""
        self._posted("users", user_id, "revoke_sessions")

    def revoke_for_account(self, account_id: str) -> None:
        """End all sessions of this account and its users that were opened until now."""
        self._posted("accounts", account_id, "revoke_sessions")
