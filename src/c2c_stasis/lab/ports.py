"""Ports on loopback that nobody uses, for one Asterisk, and whether what answers on them is ours."""

import asyncio
import random
import secrets
import socket
import ssl
from dataclasses import dataclass

RTP_FIRST, RTP_LAST = 10000, 19999
RTP_PORTS = 2000  # two a leg, so 1000 legs
# Below where the kernel takes the ports of outgoing connections from (32768 on), or one of those could be in the way.
SERVER_FIRST, SERVER_LAST = 20000, 29999

PROBE_TIMEOUT = 0.5  # seconds; one answer on loopback takes less than 10 ms


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one Asterisk."""

    http: int
    sip: int
    """UDP and TCP, IPv4 and IPv6."""
    sips: int
    """TLS."""
    rtp: tuple[int, int]
    """First and last."""


def has_ipv6() -> bool:
    """Tell whether this machine has an IPv6 loopback."""
    return _free(socket.AF_INET6, socket.SOCK_DGRAM, 0)


def free_ports() -> Ports:
    """Choose ports that are free at this moment; someone may take one before it is used."""
    families = [socket.AF_INET, *([socket.AF_INET6] if has_ipv6() else [])]
    chosen: list[int] = []
    while len(chosen) < 3:
        port = random.randint(SERVER_FIRST, SERVER_LAST)
        kinds = [(family, kind) for family in families for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
        if port not in chosen and all(_free(family, kind, port) for family, kind in kinds):
            chosen.append(port)
    first = random.randrange(RTP_FIRST, RTP_LAST + 1, RTP_PORTS)
    http, sip, sips = chosen
    return Ports(http, sip, sips, (first, first + RTP_PORTS - 1))


async def answers_options(kind: socket.SocketKind, address: tuple[str, int], marker: str) -> bool:
    """Send one SIP OPTIONS and tell whether the answer comes from the server that calls itself `marker`."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, kind) as sock:
        sock.setblocking(False)
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                await loop.sock_connect(sock, address)
                await loop.sock_sendall(sock, _options(kind, address, sock.getsockname()[1]))
                # All that we look for is in the head of the answer, which comes in one piece on loopback.
                answer = await loop.sock_recv(sock, 4096)
        except (OSError, TimeoutError):
            return False
    return answer.startswith(b"SIP/2.0 ") and f"\r\nServer: {marker}\r\n".encode() in answer


async def shows_certificate(address: tuple[str, int], certificate: str) -> bool:
    """Shake hands over TLS and tell whether the other side has this certificate (PEM)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # it is compared below, byte for byte
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            _, writer = await asyncio.open_connection(*address, ssl=context)
    except (OSError, TimeoutError):
        return False
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return bool(shown == ssl.PEM_cert_to_DER_cert(certificate))


def _free(family: socket.AddressFamily, kind: socket.SocketKind, port: int) -> bool:
    try:
        with socket.socket(family, kind) as sock:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
    except OSError:
        return False
    return True


def _options(kind: socket.SocketKind, address: tuple[str, int], own_port: int) -> bytes:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    transport = "UDP" if kind == socket.SOCK_DGRAM else "TCP"
    token = secrets.token_hex(8)
    return (
        f"OPTIONS sip:{host}:{address[1]} SIP/2.0\r\n"
        f"Via: SIP/2.0/{transport} {host}:{own_port};rport;branch=z9hG4bK{token}\r\n"
        f"From: <sip:probe@{host}>;tag={token}\r\n"
        f"To: <sip:{host}>\r\n"
        f"Call-ID: {token}\r\n"
        f"CSeq: 1 OPTIONS\r\n"
        f"Max-Forwards: 1\r\n"
        f"Content-Length: 0\r\n\r\n"
    ).encode()
