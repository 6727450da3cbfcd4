"""Who presents a credential: a platform key, or a session that was opened with one and still counts."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from c2c_stasis.directory import keys
from c2c_stasis.directory.directory import Directory
from c2c_stasis.directory.model import Account, Key, User
from c2c_stasis.directory.sessions import (
    RENEW_AFTER,
    Claims,
    OpenedSession,
    Session,
    believed,
    new_claims,
    sign,
    verify,
)
from c2c_stasis.errors import NotAuthenticated, StoreUnavailable
from c2c_stasis.ids import UserId
from c2c_stasis.ports import Clock

_KEYS_BEGIN = "sk_"
_PROVED_FOR = 10.0  # seconds for which a signature is not verified again; that takes 0.2 ms
_MOST_PROVED = 10_000  # tokens, about 10 MB
_TOLD_EVERY = 60.0  # seconds; how exactly the last use of a key is kept


@dataclass(frozen=True, slots=True)
class _Proved:
    signed_by: str
    claims: Claims
    until: float  # monotonic seconds


class Credentials:
    """Recognises keys and sessions with the directory as it is now, and opens sessions.

    Only that a signature is right is remembered for a while. All else is looked up for every request: whether the session has
    expired, whether it, its user, its account or its key was revoked or removed.
    """

    def __init__(self, directory: Callable[[], Directory], clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._proved: dict[bytes, _Proved] = {}
        self._used: dict[str, float] = {}
        self._to_tell: dict[str, float] = {}

    def recognise(self, credential: str) -> Key | Session:
        """Whose credential this is. Raises `NotAuthenticated`, for whatever reason it opens nothing."""
        if credential.startswith(_KEYS_BEGIN):
            return self._key(credential)
        return self._session(self._claims(credential))

    def open(self, key: Key, account: Account, user: User | None, lasts: int) -> OpenedSession:
        """A new session of so many seconds. Raises `StoreUnavailable` when there is nothing to sign it with."""
        signing_keys = self._directory().signing_keys
        if not signing_keys:
            raise StoreUnavailable("no signing key")
        now, user_id = self._clock.now().wall, user.id if user else None
        claims = new_claims(account, user_id, key.id, livemode=key.livemode, now=now, lasts=lasts)
        return OpenedSession(sign(claims, signing_keys[-1]), claims.exp)

    def signing_key_due(self) -> float | None:
        """What the newest signing key must not be older than (Unix seconds), when it is; nothing when it can sign."""
        newest, limit = self._directory().signing_keys[-1:], self._clock.now().wall - RENEW_AFTER
        return None if newest and newest[0].created_at >= limit else limit

    def uses_to_tell(self) -> dict[str, float]:
        """When which key was used last, by id, as far as that was not given out yet."""
        told, self._to_tell = self._to_tell, {}
        return told

    def _key(self, text: str) -> Key:
        found = self._directory().key(keys.digest(text)) if keys.well_formed(text) else None
        now = self._clock.now().wall
        if found is None or (found.expires_at is not None and found.expires_at <= now):
            raise NotAuthenticated
        if not 0 <= now - self._used.get(found.id, 0.0) < _TOLD_EVERY:
            self._used[found.id] = self._to_tell[found.id] = now
        return found

    def _claims(self, token: str) -> Claims:
        directory, now = self._directory(), self._clock.now()
        digest = hashlib.sha256(token.encode()).digest()
        signers = believed(directory.signing_keys, now.wall)
        known = self._proved.get(digest)
        if known is not None and now.mono < known.until and known.signed_by in signers:
            return known.claims
        signed_by, claims = verify(token, signers)
        if len(self._proved) >= _MOST_PROVED:
            self._proved.clear()
        self._proved[digest] = _Proved(signed_by, claims, now.mono + _PROVED_FOR)
        return claims

    def _session(self, claims: Claims) -> Session:
        """The session, if it counts now."""
        directory = self._directory()
        account = directory.any_account(claims.acct)
        user = None if claims.user_id is None or account is None else directory.user(account.id, claims.user_id)
        if (
            account is None
            or self._clock.now().wall >= claims.exp  # to the second: we set it ourselves
            or not directory.key_stands(claims.key)
            or _revoked(claims, account)
            or (claims.user_id is not None and (user is None or _revoked(claims, user)))
        ):
            raise NotAuthenticated
        user_id: UserId | None = user.id if user else None
        return Session(account, claims.live, user_id, claims.exp)


def _revoked(claims: Claims, owner: Account | User) -> bool:
    return owner.sessions_revoked_at is not None and claims.opened_at <= owner.sessions_revoked_at
