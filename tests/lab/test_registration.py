"""Registration against a registrar that says what a test wants: challenges, stale nonces, refusals, times."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from c2c_stasis.lab.digest import Challenge, Credentials, digest_response
from c2c_stasis.lab.phone import NotSeen, Phone, RegistrationRefused
from c2c_stasis.lab.sip import SipMessage, parse, response_to

Reply = tuple[int, list[tuple[str, str]]]


@dataclass
class Registrar:
    """Answers each REGISTER with what `decide` says, and checks every digest."""

    decide: Callable[[SipMessage, int], Reply]
    heard: list[SipMessage] = field(default_factory=list)

    def open(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(("127.0.0.1", 0))
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._socket.getsockname()
        return host, port

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        data, peer = self._socket.recvfrom(65535)
        message = parse(data).stamped(at=0.0, wall=0.0, sent=False, peer=peer)
        self.heard.append(message)
        status, headers = self.decide(message, len(self.heard))
        if status:
            self._socket.sendto(response_to(message, status, tag="r", headers=headers).encode(), peer)

    @property
    def asked_for(self) -> list[str]:
        return [message.require("Expires") for message in self.heard]


def challenge(nonce: str, *, qop: bool = True, stale: bool = False) -> Reply:
    value = f'Digest realm="here", nonce="{nonce}"' + (', qop="auth", opaque="o"' if qop else "")
    return 401, [("WWW-Authenticate", value + (", stale=true" if stale else ""))]


def proof(message: SipMessage) -> dict[str, str]:
    value = message.header("Authorization")
    parts = value.removeprefix("Digest ").split(", ") if value else []
    return {name: text.strip('"') for name, _, text in (part.partition("=") for part in parts)}


def granted(message: SipMessage, seconds: int | None = None) -> Reply:
    """200 with every contact of the AOR, another phone's first, as registrars do."""
    expires = message.require("Expires") if seconds is None else str(seconds)
    return 200, [("Contact", f"<sip:desk@127.0.0.1:9>;expires=9, {message.require('Contact')};expires={expires}")]


@pytest.fixture
async def registrar() -> AsyncIterator[Registrar]:
    one = Registrar(lambda message, _: granted(message))
    one.open()
    yield one
    one.close()


@pytest.mark.parametrize("qop", [True, False])
async def test_a_challenge_is_answered_with_the_right_digest(registrar: Registrar, qop: bool) -> None:
    registrar.decide = lambda message, _: granted(message) if proof(message) else challenge("n1", qop=qop)

    async with await Phone.start("desk", server=registrar.address, password="secret", expires=600) as phone:
        first, second = registrar.heard
        given = proof(second)
        expected = digest_response(
            Challenge("here", "n1", qop=("auth",) if qop else ()),
            Credentials("desk", "secret"),
            method="REGISTER",
            uri=second.request_uri,
            cnonce=given.get("cnonce", ""),
        )
        assert (given["response"], given.get("qop"), given.get("opaque")) == (
            expected, "auth" if qop else None, "o" if qop else None,
        )  # fmt: skip
        assert (second.cseq.number, second.call_id) == (first.cseq.number + 1, first.call_id)
        assert second.via.branch != first.via.branch
        assert second.require("Contact") == f"<sip:desk@127.0.0.1:{phone.port}>"
        assert phone.registration_seconds == 600

    assert registrar.asked_for == ["600", "600", "0", "0"]
    assert (phone.registered, phone.errors) == (False, [])


async def test_a_stale_nonce_is_replaced_and_the_same_nonce_counts_on(registrar: Registrar) -> None:
    def decide(message: SipMessage, number: int) -> Reply:
        nonce = proof(message).get("nonce")
        if nonce is None:
            return challenge("old")
        return challenge("new", stale=True) if nonce == "old" and number == 2 else granted(message)

    registrar.decide = decide
    phone = await Phone.start("desk", server=registrar.address, password="secret")
    await phone.register()
    await phone.stop(quietly=True)

    assert [proof(message).get("nonce") for message in registrar.heard] == [None, "old", "new", None, "old"]
    registrar.decide = lambda message, _: challenge("same") if not proof(message) else granted(message)
    async with await Phone.start("desk", server=registrar.address, password="secret") as phone:
        await phone.register()
    assert [proof(message).get("nc") for message in registrar.heard[5:]] == [
        None, "00000001", None, "00000002", None, "00000003",
    ]  # fmt: skip


async def test_a_wrong_password_is_refused_after_one_try_and_leaves_nothing_open(registrar: Registrar) -> None:
    registrar.decide = lambda *_: challenge("n1")

    with pytest.raises(RegistrationRefused, match="401") as refusal:
        await Phone.start("desk", server=registrar.address, password="wrong")

    assert refusal.value.status == 401
    assert len(registrar.heard) == 2


async def test_new_nonces_for_ever_are_not_followed_for_ever(registrar: Registrar) -> None:
    registrar.decide = lambda _, number: challenge(f"n{number}")

    with pytest.raises(RegistrationRefused, match="401"):
        await Phone.start("desk", server=registrar.address, password="wrong")

    assert len(registrar.heard) == 3


async def test_without_a_password_or_with_an_unknown_algorithm_there_is_no_answer(registrar: Registrar) -> None:
    registrar.decide = lambda *_: challenge("n1")
    with pytest.raises(RegistrationRefused):
        await Phone.start("desk", server=registrar.address)
    registrar.decide = lambda *_: (401, [("WWW-Authenticate", 'Digest realm="r", nonce="n", algorithm=ODD')])
    with pytest.raises(RegistrationRefused):
        await Phone.start("desk", server=registrar.address, password="secret")

    assert len(registrar.heard) == 2


async def test_too_brief_an_interval_is_lengthened(registrar: Registrar) -> None:
    def decide(message: SipMessage, _: int) -> Reply:
        asked = int(message.require("Expires"))
        return granted(message) if asked >= 60 or not asked else (423, [("Min-Expires", "60")])

    registrar.decide = decide
    async with await Phone.start("desk", server=registrar.address, expires=10):
        pass

    assert registrar.asked_for == ["10", "60", "0"]


async def test_a_registration_is_refreshed_before_it_runs_out_and_after_a_refusal(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c2c_stasis.lab.registration._RETRY_AFTER", 0.01)
    registrar.decide = lambda message, number: (503, []) if number == 2 else granted(message, 1 if number < 3 else 100)

    phone = await Phone.start("desk", server=registrar.address)
    await phone.wait_for(lambda: len(registrar.heard) == 3 and phone.registered, "a refresh")
    await phone.stop()

    assert registrar.asked_for == ["3600", "3600", "3600", "0"]
    assert [str(error) for error in phone.errors] == [
        "sip:desk@127.0.0.1 was refused: SIP/2.0 503 Service Unavailable",
    ]  # fmt: skip


async def test_nobody_answers(registrar: Registrar) -> None:
    registrar.decide = lambda *_: (0, [])

    with pytest.raises(NotSeen, match=r"a reply to REGISTER(?s:.)*REGISTER sip:127"):
        await Phone.start("desk", server=registrar.address, t1=0.005)

    assert len(registrar.heard) > 5
    assert len({message.via.branch for message in registrar.heard}) == 1


async def test_a_phone_registered_nowhere_cannot_register_or_dial() -> None:
    async with await Phone.start("carrier") as carrier:
        with pytest.raises(ValueError, match="without a server"):
            await carrier.register()
        with pytest.raises(ValueError, match="without a server"):
            carrier.dial("100")
        await carrier.unregister()
        assert not carrier.registered


async def test_a_dead_phone_stays_registered_until_it_is_stopped(registrar: Registrar) -> None:
    phone = await Phone.start("desk", server=registrar.address, dead=True)
    assert phone.registered
    await phone.stop()

    assert registrar.asked_for == ["3600", "0"]
