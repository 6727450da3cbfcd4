"""Platform keys: how they are made, recognised without a database, and kept.

`sk_live_` or `sk_test_`, 32 random bytes in base 62 (43 characters), and the CRC-32 of all before it in base 62 (6 characters).
The checksum lets anyone tell a key from a placeholder or a typing error; it is no secret and proves nothing else.

A key that is presented is not compared with the kept ones: its SHA-256 is looked up in a dictionary of theirs. How long that
takes tells about digests, which nobody can choose, and nothing about keys.
"""

import hashlib
import re
import secrets
import string
import zlib

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_BYTES = 32
RANDOM_LENGTH = 43  # 62 ** 43 > 256 ** 32
CHECKSUM_LENGTH = 6  # 62 ** 6 > 2 ** 32
HINT_LENGTH = len("sk_live_") + 8
FORM = re.compile(rf"(sk_(?:live|test)_[0-9A-Za-z]{{{RANDOM_LENGTH}}})([0-9A-Za-z]{{{CHECKSUM_LENGTH}}})")


def new_key(livemode: bool) -> str:
    """A new key nobody can guess."""
    prefix = "sk_live_" if livemode else "sk_test_"
    body = prefix + _base62(int.from_bytes(secrets.token_bytes(RANDOM_BYTES)), RANDOM_LENGTH)
    return body + _checksum(body)


def well_formed(text: str) -> bool:
    """Whether the text is a key that may exist: right prefix, length, alphabet and checksum."""
    form = FORM.fullmatch(text)
    return form is not None and form[2] == _checksum(form[1])


def digest(text: str) -> str:
    """What is kept of a key, and what it is found by: SHA-256 in hex. A slow hash would only help against guessable secrets."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def hint(text: str) -> str:
    """The first characters of a key, enough to tell it from others and of no use to an attacker."""
    return text[:HINT_LENGTH]


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits: list[str] = []
    for _ in range(length):
        number, remainder = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[remainder])
    return "".join(reversed(digits))
