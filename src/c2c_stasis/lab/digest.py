"""HTTP digest as SIP uses it: reads a challenge, writes the Authorization that answers it (RFC 7616, 3261 §22)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from c2c_stasis.lab.addresses import split_list
from c2c_stasis.lab.sip import SipMessage

_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


class ChallengeNotUnderstood(ValueError):
    """The challenge asks for an algorithm or a quality of protection that a phone of ours does not speak."""

    def __init__(self, challenges: Iterable[str]) -> None:
        super().__init__(f"no challenge can be answered: {list(challenges)}")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One WWW-Authenticate or Proxy-Authenticate."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False
    proxy: bool = False

    @property
    def answerable(self) -> bool:
        """True when the algorithm is known and the quality of protection is `auth` or absent."""
        known = self.algorithm.upper().removesuffix("-SESS") in _HASHES
        return known and (not self.qop or "auth" in self.qop)


def parse_challenge(value: str, *, proxy: bool = False) -> Challenge:
    """Read the value of one challenge header."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        raise ChallengeNotUnderstood([value])
    params: dict[str, str] = {}
    for part in split_list(rest):
        name, _, written = part.partition("=")
        params[name.strip().lower()] = written.strip().strip('"')
    return Challenge(
        realm=params.get("realm", ""),
        nonce=params.get("nonce", ""),
        algorithm=params.get("algorithm", "MD5"),
        qop=tuple(word.strip().lower() for word in params.get("qop", "").split(",") if word.strip()),
        opaque=params.get("opaque"),
        stale=params.get("stale", "").lower() == "true",
        proxy=proxy,
    )


def challenge_in(response: SipMessage) -> Challenge:
    """The first challenge of a 401 or 407 that can be answered; raises `ChallengeNotUnderstood` if none can."""
    proxy = response.status == 407
    values = response.headers_all("Proxy-Authenticate" if proxy else "WWW-Authenticate")
    for value in values:
        if value.lower().startswith("digest "):
            challenge = parse_challenge(value, proxy=proxy)
            if challenge.answerable:
                return challenge
    raise ChallengeNotUnderstood(values)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who a phone says it is when it is challenged."""

    username: str
    password: str


def digest_response(
    challenge: Challenge, who: Credentials, *, method: str, uri: str, nonce_count: int = 1, cnonce: str = ""
) -> str:
    """The `response` value of RFC 7616 §3.4.1, in the form of RFC 2069 when the challenge has no qop."""
    algorithm = challenge.algorithm.upper()

    def digest(text: str) -> str:
        return hashlib.new(_HASHES[algorithm.removesuffix("-SESS")], text.encode(), usedforsecurity=False).hexdigest()

    secret = digest(f"{who.username}:{challenge.realm}:{who.password}")
    if algorithm.endswith("-SESS"):
        secret = digest(f"{secret}:{challenge.nonce}:{cnonce}")
    action = digest(f"{method}:{uri}")
    if not challenge.qop:
        return digest(f"{secret}:{challenge.nonce}:{action}")
    return digest(f"{secret}:{challenge.nonce}:{nonce_count:08x}:{cnonce}:auth:{action}")


def authorization(
    challenge: Challenge, who: Credentials, *, method: str, uri: str, nonce_count: int, cnonce: str
) -> tuple[str, str]:
    """The header, name and value, that answers a challenge for one request."""
    answer = digest_response(challenge, who, method=method, uri=uri, nonce_count=nonce_count, cnonce=cnonce)
    parts = [f'username="{who.username}"', f'realm="{challenge.realm}"', f'nonce="{challenge.nonce}"', f'uri="{uri}"']
    parts += [f'response="{answer}"', f"algorithm={challenge.algorithm}"]
    if challenge.qop:
        parts += [f'cnonce="{cnonce}"', "qop=auth", f"nc={nonce_count:08x}"]
    elif challenge.algorithm.upper().endswith("-SESS"):
        parts.append(f'cnonce="{cnonce}"')
    if challenge.opaque is not None:
        parts.append(f'opaque="{challenge.opaque}"')
    return ("Proxy-Authorization" if challenge.proxy else "Authorization", "Digest " + ", ".join(parts))
