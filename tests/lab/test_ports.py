"""Ports that are free, and answers that are ours."""

import asyncio
import socket
from typing import cast

from c2c_stasis.lab import ports
from c2c_stasis.lab.ports import answers_options, free_ports, has_ipv6, shows_certificate


class Registrar(asyncio.DatagramProtocol):
    """Answers every datagram with a SIP response from a server of this name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert data.startswith(b"OPTIONS sip:127.0.0.1:")
        self.transport.sendto(f"SIP/2.0 404 Not Found\r\nServer: {self.name}\r\n\r\n".encode(), addr)


async def test_free_ports_can_be_bound_and_do_not_overlap() -> None:
    chosen = free_ports()
    assert len({chosen.http, chosen.sip, chosen.sips}) == 3
    assert not set(range(chosen.rtp[0], chosen.rtp[1] + 1)) & {chosen.http, chosen.sip, chosen.sips}
    for port in (chosen.http, chosen.sip, chosen.sips):
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", port))


async def test_a_port_in_use_is_not_chosen() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        assert not ports._free(socket.AF_INET, socket.SOCK_DGRAM, taken.getsockname()[1])


async def test_only_the_server_that_calls_itself_ours_is_ours() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Registrar("ours"), ("127.0.0.1", 0))
    address = transport.get_extra_info("sockname")
    assert await answers_options(socket.SOCK_DGRAM, address, "ours")
    assert not await answers_options(socket.SOCK_DGRAM, address, "our")
    transport.close()


async def test_nobody_on_a_port_is_not_ours() -> None:
    port = free_ports().sip
    assert not await answers_options(socket.SOCK_DGRAM, ("127.0.0.1", port), "ours")
    assert not await answers_options(socket.SOCK_STREAM, ("127.0.0.1", port), "ours")
    assert not await shows_certificate(("127.0.0.1", port), "")


async def test_a_server_without_tls_shows_no_certificate() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        assert not await shows_certificate(server.sockets[0].getsockname(), "")


async def test_ipv6_is_known() -> None:
    assert has_ipv6() in (True, False)
