"""What a provisioned phone registers with: a user name and a password that are made here, and what is kept of the password."""

import hashlib
import secrets
from dataclasses import dataclass, field

PREFIX = "c2c-"  # people who look into Asterisk see whose endpoint it is; nothing is decided by it
REALM = "c2c-stasis"  # goes into what is kept of every password: another realm would make all of them useless

# Without characters that look alike: people copy both from a screen into a phone.
_NAME_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_PASSWORD_LETTERS = _NAME_LETTERS + "ABCDEFGHJKLMNPQRSTUVWXYZ"
_NAME_LENGTH = (
    12  # 59 bits: scanners try 100 and 1000, and an address that nobody guesses is not even asked for its password
)
_PASSWORD_LENGTH = 24  # 138 bits


@dataclass(frozen=True, slots=True)
class SipAccount:
    """A user name and its password. The password is shown once, and then nobody has it but the phone."""

    username: str
    password: str = field(repr=False)

    @property
    def ha1(self) -> str:
        """What is kept: it checks this password in this realm, and is not readable (RFC 3261 22.4, RFC 7616 3.4.2)."""
        text = f"{self.username}:{REALM}:{self.password}"
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()  # the digest that every phone speaks


@dataclass(frozen=True, slots=True)
class Registrant:
    """Who registers as an endpoint that the service makes: what is kept of the password, and whether it is a page."""

    ha1: str = field(repr=False)
    browser: bool = False


def new_username() -> str:
    """A name that was never given before."""
    return PREFIX + _random(_NAME_LETTERS, _NAME_LENGTH)


def new_account(username: str) -> SipAccount:
    """This user name with a new password."""
    return SipAccount(username, _random(_PASSWORD_LETTERS, _PASSWORD_LENGTH))


def _random(letters: str, length: int) -> str:
    return "".join(secrets.choice(letters) for _ in range(length))
