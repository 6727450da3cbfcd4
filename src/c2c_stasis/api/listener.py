"""Listening, and letting connections in: who is one too many is turned away before a TLS handshake is spent on him."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from c2c_stasis.api.admission import Admission, Place
from c2c_stasis.api.protocol import HEADER_TIMEOUT, Protocol
from c2c_stasis.config import Address

logger = logging.getLogger(__name__)

_BACKLOG = 1024
_PAUSE = 0.5  # seconds, when the machine has no descriptor or no memory for another connection (EMFILE, ENOMEM)


class Listener:
    """Every socket of one address. `tls` is what new connections are encrypted with, if they are."""

    def __init__(self, address: Address, admission: Admission, tls: ssl.SSLContext | None) -> None:
        self.tls = tls
        self._address = address
        self._admission = admission
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> Address:
        """Have the address, and say which port that is: the system's choice when 0 was asked for. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        host, port = self._address.host, self._address.port
        found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, kind, protocol, _, place in dict.fromkeys(found):
                self._sockets.append(_listening(family, kind, protocol, place))
        except OSError:
            self._close_sockets()
            raise
        return Address(*self._sockets[0].getsockname()[:2])

    def serve(self, protocol: Callable[[], Protocol]) -> None:
        """Let connections in from now on, each with a protocol of its own."""
        for one in self._sockets:
            self._start(self._accept(one, protocol), "listener")

    async def close(self) -> None:
        """Let nobody in any more; who is in stays."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._close_sockets()

    async def _accept(self, listening: socket.socket, protocol: Callable[[], Protocol]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listening)
            except ConnectionError:
                continue  # it was gone before it was let in
            except OSError as error:
                logger.error("no connection can be accepted", extra={"error": str(error)})
                await asyncio.sleep(_PAUSE)
                continue
            if (place := self._admission.connect(str(peer[0]))) is None:
                connection.close()
            else:
                self._start(self._let_in(connection, place, protocol), "connection")
            await asyncio.sleep(0)  # a flood of connections must not keep everybody else waiting

    async def _let_in(self, connection: socket.socket, place: Place, protocol: Callable[[], Protocol]) -> None:
        """Begin the conversation, after the handshake if there is one."""
        tls = self.tls
        one = protocol()
        one.place = place
        timeout = HEADER_TIMEOUT if tls is not None else None
        loop = asyncio.get_running_loop()
        begun = False
        if (task := asyncio.current_task()) is not None:
            place.turn_out = partial(_cancel, task)  # in the middle of a handshake
        try:
            await loop.connect_accepted_socket(lambda: one, connection, ssl=tls, ssl_handshake_timeout=timeout)
            begun = True
            place.turn_out = one.force_close
        except OSError as error:  # no TLS, or nobody there any more; an error of TLS is an OSError too
            logger.debug("connection not begun", extra={"error": type(error).__name__})
        finally:
            if not begun:
                place.leave()

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _close_sockets(self) -> None:
        for one in self._sockets:
            one.close()
        self._sockets.clear()


def _cancel(task: asyncio.Task[object]) -> None:
    task.cancel()


def _listening(family: int, kind: int, protocol: int, place: tuple[object, ...]) -> socket.socket:
    """A socket that listens there. Raises `OSError` that names the place."""
    one = socket.socket(family, kind, protocol)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(place)
        one.listen(_BACKLOG)
        one.setblocking(False)
    except OSError as error:
        one.close()
        raise OSError(error.errno, f"cannot listen on {place[0]} port {place[1]}: {error.strerror}".lower()) from error
    return one
