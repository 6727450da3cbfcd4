"""Sessions: tokens with which a browser acts for one account, or for one of its users, and for nothing else.

A token is a JWT (RFC 7519) as RFC 8725 recommends it: one algorithm, which is never taken from the token (Ed25519), a type of
its own, the id of the key that signed it, and every claim required. It says who opened it and when; whether that still
counts, the directory knows. Nothing here compares secrets: a signature is verified with a public key.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from msgspec import Struct

from c2c_stasis.directory.model import Account, SigningKey
from c2c_stasis.errors import NotAuthenticated
from c2c_stasis.ids import SESSION, AccountId, UserId, new_id

ALGORITHM = "EdDSA"
TYPE = "c2c-session+jwt"
ISSUER = "c2c-stasis"
AUDIENCE = "c2c-stasis/v1"
REQUIRED = ["iss", "aud", "exp", "iat", "nbf", "jti", "sub", "acct", "scope", "key", "live", "opened_at"]
SEED_LENGTH = 32  # bytes of an Ed25519 private key (RFC 8032 5.1.5)
LEEWAY = 60.0  # seconds by which the clocks of the service before and after a restart, or a move, may differ
ACCOUNT_SESSION_LASTS = 3_600  # seconds
USER_SESSION_LASTS = 86_400  # seconds, unless something else is asked for
SHORTEST, LONGEST = 60, 604_800  # seconds that may be asked for
RENEW_AFTER = 90 * 86_400.0  # seconds; a new session is never signed with an older key
LONGEST_TOKEN = 1_000  # characters; ours have about 600


class SessionScope(StrEnum):
    """For whom a session acts."""

    ACCOUNT = "account"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Session:
    """A session that was proved, and that counts now. One for a user acts for this user alone."""

    account: Account
    livemode: bool
    user_id: UserId | None = None
    ends_at: float | None = None  # Unix seconds: the last moment at which it counts, if nobody revokes it


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session: the token, which nobody keeps, and until when it opens anything (Unix seconds)."""

    client_secret: str
    expires_at: float


class Claims(Struct, frozen=True):
    """What a token says beside for whom it is made. `key` is the id of the platform key that opened the session.

    `iat` is in whole seconds, for some verifiers take nothing else; `opened_at` is the same moment exactly, because a session
    may be opened in the second in which others were revoked.
    """

    jti: str
    sub: str
    acct: AccountId
    scope: SessionScope
    key: str
    live: bool
    iat: int
    opened_at: float
    exp: int

    @property
    def user_id(self) -> UserId | None:
        """The one user that the session acts for."""
        return UserId(self.sub) if self.scope is SessionScope.USER else None


def new_claims(
    account: Account, user_id: UserId | None, key_id: str, *, livemode: bool, now: float, lasts: int
) -> Claims:
    """What the token of a new session says; a session without a user is one for the account."""
    scope = SessionScope.ACCOUNT if user_id is None else SessionScope.USER
    subject, second = user_id or account.id, int(now)
    return Claims(
        *(new_id(SESSION), subject, account.id, scope, key_id, livemode), iat=second, opened_at=now, exp=second + lasts
    )


def sign(claims: Claims, key: SigningKey) -> str:
    """The token that says so."""
    payload = msgspec.to_builtins(claims) | {"iss": ISSUER, "aud": AUDIENCE, "nbf": claims.iat}
    return jwt.encode(payload, _private(key), algorithm=ALGORITHM, headers={"kid": key.id, "typ": TYPE})


def verify(token: str, keys: Mapping[str, SigningKey]) -> tuple[str, Claims]:
    """The id of the key that signed a token, one of these, and what the token says. Raises `NotAuthenticated` for any other."""
    if len(token) > LONGEST_TOKEN:
        raise NotAuthenticated
    try:
        header = jwt.get_unverified_header(token)
        key = keys[header["kid"]]
        if header["typ"] != TYPE:
            raise NotAuthenticated
        payload = jwt.decode(
            token,
            _private(key).public_key(),
            algorithms=["EdDSA"],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=LEEWAY,
            options={"require": REQUIRED, "strict_aud": True},
        )
        claims = msgspec.convert(payload, Claims)
    except (jwt.PyJWTError, msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
        # Beside its own errors, the library fails with these at headers that are no object. JSON is never too deep for it: see
        # LONGEST_TOKEN.
        raise NotAuthenticated from error
    if (claims.scope is SessionScope.ACCOUNT) is not (claims.sub == claims.acct):
        raise NotAuthenticated
    return key.id, claims


def believed(keys: Iterable[SigningKey], now: float) -> dict[str, SigningKey]:
    """Of these keys, oldest first, those whose tokens may count: the newest, and each other until all it signed is over."""
    ordered = list(keys)
    newer = [key.created_at for key in ordered[1:]]
    kept = [key for key, replaced_at in zip(ordered, newer, strict=False) if now < replaced_at + LONGEST + LEEWAY]
    return {key.id: key for key in [*kept, *ordered[-1:]]}


def public_jwk(key: SigningKey) -> dict[str, str]:
    """What verifies the tokens of a key, as RFC 8037 writes it."""
    known = OKPAlgorithm.to_jwk(_private(key).public_key(), as_dict=True)
    return known | {"kid": key.id, "alg": ALGORITHM, "use": "sig"}


@lru_cache(8)
def _private(key: SigningKey) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(key.private_key)
