"""The system's resolver, asked in threads: it knows no other way, and cannot be told to stop.

So a thread is spent for each name that is being looked up, and not one of a few that all share: a name whose servers hang, for
ten seconds or more, keeps no other waiting. Of one owner so many at a time, and each name once, however many ask for it.
"""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from threading import Thread

from c2c_stasis.policy.webhook_urls import Ip
from c2c_stasis.publish.places import Part, Places

AT_A_TIME = 256  # threads; each needs some ten kB while it waits
OF_ONE = 16  # as many as an account has endpoints: none of them waits for another


class LookUps:
    """Looks names up; `close` lets go of those that are under way."""

    def __init__(self) -> None:
        self._places = Places(AT_A_TIME, OF_ONE)
        self._asked: dict[Part, asyncio.Task[Sequence[Ip]]] = {}

    async def __call__(self, host: str, owner: str) -> Sequence[Ip]:
        """The addresses of a name, asked on behalf of somebody. Raises `OSError`."""
        part = owner, host
        asking = self._asked.get(part)
        if asking is None:
            asking = self._asked[part] = asyncio.create_task(self._ask(part), name="webhook name")
            asking.add_done_callback(lambda done: self._answered(part, done))
        return await asyncio.shield(asking)  # who stops waiting does not free the thread

    def close(self) -> None:
        """Wait for no answer any more."""
        for asking in self._asked.values():
            asking.cancel()

    async def _ask(self, part: Part) -> Sequence[Ip]:
        await self._places.take(part)
        try:
            return await _in_a_thread(part[1])
        finally:
            self._places.give_back(part)

    def _answered(self, part: Part, asking: asyncio.Task[Sequence[Ip]]) -> None:
        del self._asked[part]
        if not asking.cancelled():
            asking.exception()  # seen, also when nobody waits any more


async def _in_a_thread(host: str) -> Sequence[Ip]:
    """Ask in a thread for which nobody waits at the end of the process, as executors do."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Sequence[Ip]] = loop.create_future()

    def tell(found: Sequence[Ip] | Exception) -> None:
        if answer.done():
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def ask() -> None:
        found: Sequence[Ip] | Exception
        try:
            found = _addresses(host)
        except Exception as error:
            found = error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, found)

    Thread(target=ask, name="webhook-name", daemon=True).start()
    return await answer


def _addresses(host: str) -> Sequence[Ip]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [ip_address(address[0]) for *_, address in found]
