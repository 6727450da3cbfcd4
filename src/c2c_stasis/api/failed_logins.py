"""How many wrong credentials may come from one address, or for one key, before they are answered 429.

What is right is always let in, however much was wrong before it: a limit that shut out right credentials would let anybody who
knows the beginning of a key, or shares an address, keep others from calling, emergency calls included. Nobody guesses a key of
256 random bits, or the signature of a session; so what is limited is what the attempt costs us and fills the log with.
"""

import hashlib
import logging
import math
import secrets
import time
from array import array
from collections.abc import Callable

from aiohttp import web

from c2c_stasis.api.admission import group_of
from c2c_stasis.api.problems import too_many_failed_logins
from c2c_stasis.directory.keys import HINT_LENGTH

logger = logging.getLogger(__name__)

PERIOD = 60.0  # seconds in which so many may fail
SLOTS = 8192  # of each table, 64 kB. Who shares one with somebody else shares the answer to wrong credentials, and nothing more
_TOLD_EVERY = 10.0  # seconds between two lines: a flood shall not fill the log
_KEYS_BEGIN = ("sk_live_", "sk_test_")


class Buckets:
    """How often something happened for each of many names, in as much memory for all names of the world as for one.

    A bucket leaks evenly: `most` at once, and one more every `PERIOD / most` seconds (GCRA, ITU-T I.371 A.1).
    """

    def __init__(self, most: int) -> None:
        self._interval = PERIOD / most
        self._full_until = array("d", bytes(8 * SLOTS))  # monotonic seconds at which the bucket is empty again
        self._salt = secrets.token_bytes(16)  # nobody can choose names that share a slot

    def wait(self, name: str, now: float) -> float:
        """Seconds until there is room for one more of this name; 0 when there is."""
        return max(0.0, self._full_until[self._slot(name)] + self._interval - PERIOD - now)

    def add(self, name: str, now: float) -> None:
        """One more."""
        slot = self._slot(name)
        self._full_until[slot] = max(self._full_until[slot], now) + self._interval

    def _slot(self, name: str) -> int:
        digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8, key=self._salt).digest()
        return int.from_bytes(digest) % SLOTS


class FailedLogins:
    """Counts wrong credentials, by who presents them and by the key that they look like.

    `trusts` knows the proxies, which speak for many: one that does not say for whom is not counted.
    """

    def __init__(self, most: int, trusts: Callable[[str], bool], now: Callable[[], float] = time.monotonic) -> None:
        self._trusts = trusts
        self._now = now
        self._by_address = Buckets(most)
        self._by_key = Buckets(most)
        self._limited = 0
        self._tell_after = -math.inf

    def count(self, client: str, credential: str) -> None:
        """A credential of this client opened nothing. Raises `Problem` when there were too many before it."""
        now = self._now()
        counted = list(self._of(client, credential))
        wait = max((buckets.wait(name, now) for buckets, name in counted), default=0.0)
        if wait > 0:
            self._tell(client, now)
            raise too_many_failed_logins(math.ceil(wait))
        for buckets, name in counted:
            buckets.add(name, now)

    def _of(self, client: str, credential: str) -> list[tuple[Buckets, str]]:
        by_address = [] if self._trusts(client) else [(self._by_address, group_of(client))]
        of_a_key = credential.startswith(_KEYS_BEGIN)
        return by_address + ([(self._by_key, credential[:HINT_LENGTH])] if of_a_key else [])

    def _tell(self, client: str, now: float) -> None:
        self._limited += 1
        if now >= self._tell_after:
            logger.warning("failed logins limited", extra={"remote": client, "limited": self._limited})
            self._tell_after = now + _TOLD_EVERY
            self._limited = 0


FAILED_LOGINS = web.AppKey("failed_logins", FailedLogins)
