"""Names become addresses here, for webhooks, and every one of them is held against the rules before anything is dialled.

What was looked at is what is dialled: a name that changes between the look and the connection changes nothing.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from ipaddress import IPv6Address, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from c2c_stasis.policy.webhook_urls import Ip, Place, WebhookUrls, forms, own
from c2c_stasis.publish.look_ups import LookUps

OURS_COUNT = (
    30.0  # seconds for which the addresses of our own places are known; those of receivers are asked every time
)
OURS = "ours"

LookUp = Callable[[str, str], Awaitable[Sequence[Ip]]]
"""The addresses of a name, asked on behalf of somebody. Raises `OSError`."""

asks_for: ContextVar[str] = ContextVar("asks_for", default="")
"""The account on whose behalf a connection is made."""


class ForbiddenAddress(OSError):
    """The name stands for an address that webhooks may not go to; one such address among several is enough."""

    def __init__(self) -> None:
        super().__init__("the address is not allowed")


class Guard:
    """The rules, and which places are ours: host and port of this service and of Asterisk's HTTP server."""

    def __init__(self, rules: WebhookUrls, ours: Sequence[tuple[str, int]], look_up: LookUp | None = None) -> None:
        self.rules = rules
        self.ours = list(ours)
        self._look_ups = LookUps()
        self._look_up = look_up or self._look_ups
        self._known: dict[str, tuple[float, Sequence[Ip]]] = {}

    async def addresses(self, host: str, port: int) -> Sequence[Ip]:
        """Where a host is. Raises `ForbiddenAddress`, and `OSError` when nobody knows it."""
        found = await self._of(host, asks_for.get())
        if not found:
            raise OSError("the name has no address")
        places = await self._places()
        for address in found:
            if self.rules.forbids(address) or own(address, port, places) or _another_of_ours(address, port, places):
                raise ForbiddenAddress
        return found

    def close(self) -> None:
        """Ask for no more names."""
        self._look_ups.close()

    async def _of(self, host: str, owner: str) -> Sequence[Ip]:
        try:
            return [ip_address(host)]
        except ValueError:
            return await self._look_up(host, owner)

    async def _places(self) -> list[Place]:
        return [(address, port) for host, port in self.ours for address in await self._of_ours(host)]

    async def _of_ours(self, host: str) -> Sequence[Ip]:
        """Where a place of ours is; where it was, while nobody finds it."""
        now = asyncio.get_running_loop().time()
        until, known = self._known.get(host, (0.0, ()))
        if now >= until:
            with suppress(OSError):  # what nobody has ever found cannot be reached either
                known = await self._of(host, OURS)
                self._known[host] = now + OURS_COUNT, known
        return known


class GuardedResolver(AbstractResolver):
    """The guard, as aiohttp asks for the addresses that it dials."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 # both
    ) -> list[ResolveResult]:
        """Every address of the host, all of which are allowed. Raises `OSError`."""
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await self._guard.addresses(host, port)
        ]

    async def close(self) -> None:
        """There is nothing of its own."""


def _another_of_ours(address: Ip, port: int, places: Sequence[Place]) -> bool:
    """Whether this machine has this address, and one of ours is on this machine and port.

    What is told to listen on one address may listen on all: Asterisk's address is the one by which we reach it.
    """
    here = [at for at, own_port in places if own_port == port]
    return bool(here) and any(map(_is_local, forms(address))) and any(map(_is_local, here))


def _is_local(address: Ip) -> bool:
    """Whether an interface of this machine has this address: only then a socket can be bound to it."""
    family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((str(address), 0))
        except OSError:
            return False
    return True
