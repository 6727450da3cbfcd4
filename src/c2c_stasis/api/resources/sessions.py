"""`/v1/account_sessions`, `/v1/user_sessions`: credentials that a server opens with its key, and gives to a browser."""

from typing import Annotated, Any

from aiohttp import web
from msgspec import UNSET, Meta, Struct, UnsetType

from c2c_stasis.api.resources.base import NoFields, ResourceRoutes, there
from c2c_stasis.api.routes import OPEN, Asked, AskedForAccount, Route, answer, nothing
from c2c_stasis.directory.model import Account, Key, User
from c2c_stasis.directory.sessions import (
    ACCOUNT_SESSION_LASTS,
    LONGEST,
    SHORTEST,
    USER_SESSION_LASTS,
    OpenedSession,
)
from c2c_stasis.errors import AccountNotFound, UserNotFound
from c2c_stasis.ids import ACCOUNT, USER, UserId
from c2c_stasis.times import rfc3339


class CreateAccountSession(Struct, kw_only=True):
    """A session that acts for an account. Published clients name `components`; here every session is for calls."""

    account_id: str
    components: dict[str, Any] | UnsetType | None = UNSET


class CreateUserSession(Struct, kw_only=True):
    """A session that acts for one user."""

    user_id: str
    ttl_seconds: Annotated[int, Meta(ge=SHORTEST, le=LONGEST)] | None = USER_SESSION_LASTS
    components: dict[str, Any] | UnsetType | None = UNSET


class AccountSessionRecord(Struct, frozen=True):
    """A session for an account; `client_secret` is the token, and shown once."""

    account: str
    account_id: str
    client_secret: str
    expires_at: str | None


class UserSessionRecord(Struct, frozen=True):
    """A session for a user."""

    user: str
    user_id: str
    account: str
    account_id: str
    client_secret: str
    expires_at: str | None


class JsonWebKeys(Struct, frozen=True):
    """What verifies session tokens (RFC 7517)."""

    keys: list[dict[str, str]]


class SessionRoutes(ResourceRoutes):
    """The routes of sessions."""

    def routes(self) -> list[Route]:
        """For the route table."""
        return [
            self._doors.platform(
                *("POST", "/v1/account_sessions", self.open_for_account),
                takes=CreateAccountSession,
                gives=AccountSessionRecord,
                errors=("account_not_found",),
            ),
            self._doors.account(
                *("POST", "/v1/user_sessions", self.open_for_user),
                takes=CreateUserSession,
                gives=UserSessionRecord,
                errors=("user_not_found",),
            ),
            self._doors.account(
                *("POST", "/v1/users/{user_id:[^/]+}/revoke_sessions", self.revoke_of_user),
                takes=NoFields,
                body_may_be_missing=True,
                success=204,
            ),
            self._doors.platform(
                *("POST", "/v1/accounts/{account_id:[^/]+}/revoke_sessions", self.revoke_of_account),
                takes=NoFields,
                body_may_be_missing=True,
                success=204,
            ),
            Route("GET", "/.well-known/jwks.json", self.public_keys, OPEN, gives=JsonWebKeys),
        ]

    async def open_for_account(self, asked: Asked) -> web.Response:
        """A session that places and sees the calls of every user of an account, for an hour."""
        body = await asked.body(CreateAccountSession)
        account = there(await self._store.find(Account, asked.key.platform_id, body.account_id), AccountNotFound)
        opened = await self._open(asked.key, account, None, ACCOUNT_SESSION_LASTS)
        return answer(
            AccountSessionRecord(account.id, account.id, opened.client_secret, rfc3339(opened.expires_at)), 201
        )

    async def open_for_user(self, asked: AskedForAccount) -> web.Response:
        """A session that places and sees the calls of one user."""
        body = await asked.body(CreateUserSession)
        user = there(await self._store.find(User, asked.account.id, body.user_id), UserNotFound)
        opened = await self._open(asked.key, asked.account, user, body.ttl_seconds or USER_SESSION_LASTS)
        of_account = user.account_id
        return answer(
            UserSessionRecord(
                user.id, user.id, of_account, of_account, opened.client_secret, rfc3339(opened.expires_at)
            ),
            201,
        )

    async def revoke_of_user(self, asked: AskedForAccount) -> web.Response:
        """End the sessions of a user; those that are opened from now on count."""
        user_id = UserId(asked.path_id("user_id", USER, UserNotFound))
        await asked.body_if_any(NoFields)
        await self._changed(self._store.revoke_user_sessions(asked.account.id, user_id))
        return nothing()

    async def revoke_of_account(self, asked: Asked) -> web.Response:
        """End the sessions of an account, and of all its users."""
        account_id = asked.path_id("account_id", ACCOUNT, AccountNotFound)
        account = there(await self._store.find(Account, asked.key.platform_id, account_id), AccountNotFound)
        await asked.body_if_any(NoFields)
        await self._changed(self._store.revoke_account_sessions(account.id))
        return nothing()

    async def public_keys(self, _request: web.Request) -> web.Response:
        """With what anybody can verify a session token; whether it was revoked only we know."""
        return answer(JsonWebKeys(self._service.public_keys()))

    async def _open(self, key: Key, account: Account, user: User | None, lasts: int) -> OpenedSession:
        if (due := self._service.signing_key_due()) is not None:
            await self._changed(self._store.renew_signing_key(due))
        return self._service.open_session(key, account, user, lasts)
