"""Scripted phones to be called, and a bare socket that says exactly what a test wants said."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Any, Self

import pytest

from c2c_stasis.lab.addresses import Address
from c2c_stasis.lab.phone import Phone, Script
from c2c_stasis.lab.sip import SipMessage, parse, request

FAST = 0.05  # seconds of T1: retransmissions come ten times as quickly
OFFER = "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"


class Wire:
    """A bare UDP socket that speaks SIP only as far as it is told to."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))
        self.address: Address = self._socket.getsockname()
        self._number = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()

    def build(self, method: str, *, to_tag: str = "", cseq: int = 1, branch: str = "", **more: str) -> SipMessage:
        self._number += 1
        branch = branch or f"z9hG4bK-{self.address[1]}-{self._number}"
        headers = [
            ("Via", f"SIP/2.0/UDP 127.0.0.1:{self.address[1]};rport;branch={branch}"),
            ("From", '"Service" <sip:+15550100@127.0.0.1>;tag=wire'),
            ("To", f"<sip:{self.phone.name}@127.0.0.1>" + (f";tag={to_tag}" if to_tag else "")),
            ("Call-ID", more.pop("call_id", "wire-call")),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", f"<{self.uri}>"),
        ]
        sdp = more.pop("sdp", OFFER if method == "INVITE" else "")
        return request(
            method,
            self.phone.uri,
            [*headers, *((name.title().replace("_", "-"), value) for name, value in more.items())],
            sdp,
        )

    def send(self, message: SipMessage) -> SipMessage:
        self._socket.sendto(message.encode(), self.phone.address)
        return message

    def ask(self, method: str, *, to_tag: str = "", cseq: int = 1, branch: str = "", **more: str) -> SipMessage:
        return self.send(self.build(method, to_tag=to_tag, cseq=cseq, branch=branch, **more))

    def answer(self, asked: SipMessage, status: int, *headers: tuple[str, str], sdp: str = "") -> None:
        copied = [(name, asked.require(name)) for name in ("Via", "From", "Call-ID", "CSeq")]
        copied += [("To", asked.require("To") + ("" if asked.to.tag else ";tag=wire")), ("Contact", f"<{self.uri}>")]
        message = SipMessage(f"SIP/2.0 {status} Whatever", (*copied, *headers), sdp)
        self._socket.sendto(message.encode(), self.phone.address)

    @property
    def uri(self) -> str:
        return f"sip:wire@127.0.0.1:{self.address[1]}"

    async def hear(self, timeout: float = 2.0) -> SipMessage:
        async with asyncio.timeout(timeout):
            return parse(await asyncio.get_running_loop().sock_recv(self._socket, 65535))

    async def hear_status(self, status: int) -> SipMessage:
        while True:
            message = await self.hear()
            if message.status == status:
                return message

    async def hear_nothing(self, seconds: float) -> None:
        with pytest.raises(TimeoutError):
            await self.hear(seconds)


started: list[Phone] = []


async def start(name: str, **options: Any) -> Phone:
    """A phone that is stopped after the test, whatever happens in it."""
    phone = await Phone.start(name, **options)
    started.append(phone)
    return phone


async def pair(callee: Script, **options: float) -> tuple[Phone, Phone]:
    """A phone with a script, and one to call it with."""
    t1 = options.get("t1", 0.5)
    return await start("alice", t1=t1, seed=1), await start("bob", script=callee, t1=t1, seed=2)


async def stop(*phones: Phone) -> None:
    for phone in phones:
        await phone.stop()
        assert phone.errors == []


def statuses(messages: Sequence[SipMessage], *, sent: bool) -> list[int]:
    return [message.status for message in messages if message.status is not None and message.sent is sent]
