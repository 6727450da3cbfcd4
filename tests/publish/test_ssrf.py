"""What the interpreter itself reports of connections (PEP 578) while the corpus of forbidden addresses is tried: nothing.

A patched method sees what goes through that method; the audit hook sees every socket of this process. That it sees them at all,
a permitted connection proves each time.
"""

import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web

from c2c_stasis.errors import InvalidRequest
from c2c_stasis.policy.webhook_urls import Ip, WebhookUrls
from c2c_stasis.publish.poster import Poster
from tests.publish.forbidden import DISGUISED, FORBIDDEN, ISATAP, PRIVATE, PRIVATE_6
from tests.publish.receiver import Receiver
from tests.publish.test_guard import BODY, LOOPBACK, SOMEWHERE, Names, endpoint, poster_with

_WATCHED = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"}
_watching: list[list[tuple[str, object]]] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event in _WATCHED:
        seen = arguments[1] if event in ("socket.connect", "socket.sendto", "socket.sendmsg") else arguments[0]
        for one in _watching:
            one.append((event, seen))


sys.addaudithook(_hook)  # stays for the life of the process, and costs nothing when nobody watches


@contextmanager
def watched() -> Iterator[list[tuple[str, object]]]:
    """Every connection, datagram to somewhere and look-up of this process meanwhile."""
    seen: list[tuple[str, object]] = []
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)


@pytest.fixture
async def receiver(tls: tuple[Path, Path]) -> AsyncIterator[Receiver]:
    receiver = await Receiver().start(tls)
    yield receiver
    await receiver.stop()


async def is_seen(receiver: Receiver, tls: tuple[Path, Path]) -> bool:
    """Whether a permitted connection shows: the positive control."""
    poster = poster_with(WebhookUrls(ports=(receiver.port,), allow_subnets=LOOPBACK), Names("127.0.0.1"), tls)
    with watched() as seen:
        answer = await poster.post(endpoint(receiver.url("hooks.test")), "evt_x", BODY)
    await poster.close()
    assert answer.attempt.status_code == 200
    return ("socket.connect", ("127.0.0.1", receiver.port)) in seen


async def saved(poster: Poster, url: str) -> bool:
    try:
        await poster.vetted(url)
    except InvalidRequest:
        return False
    return True


async def test_no_url_of_the_corpus_makes_a_connection_or_a_look_up(receiver: Receiver, tls: tuple[Path, Path]) -> None:
    assert len(FORBIDDEN) > 120
    poster = poster_with(WebhookUrls(), Names(SOMEWHERE), tls)
    with watched() as seen:
        for url in FORBIDDEN:
            assert not await saved(poster, url), url
            answer = await poster.post(endpoint(url), "evt_x", BODY)
            assert answer.attempt.status_code is None
    await poster.close()
    assert seen == []
    assert await is_seen(receiver, tls)


def addresses() -> Iterator[Ip]:
    """Every address of the corpus, bare."""
    for url in (*PRIVATE, *PRIVATE_6, *ISATAP, *DISGUISED):
        host = url.removeprefix("https://").partition("/")[0].removeprefix("[").partition("]")[0]
        try:
            yield ip_address(host.partition("%")[0].removesuffix(":8443").rstrip("."))
        except ValueError:
            continue


async def test_no_name_leads_to_an_address_of_the_corpus_alone_or_among_others(
    receiver: Receiver, tls: tuple[Path, Path]
) -> None:
    tried = 0
    for address in addresses():
        for answers in ((str(address),), (SOMEWHERE, str(address)), (str(address), SOMEWHERE)):
            names = Names(*answers)
            poster = poster_with(WebhookUrls(), names, tls)
            with watched() as seen:
                assert not await saved(poster, "https://hooks.test/")
                answer = await poster.post(endpoint("https://hooks.test/"), "evt_x", BODY)
            await poster.close()
            assert answer.attempt.error == "the address is not allowed", answers
            assert seen == [], answers
            assert names.asked == ["hooks.test"] * 2
            tried += 1
    assert tried >= 200
    assert await is_seen(receiver, tls)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_inward_is_not_followed(receiver: Receiver, tls: tuple[Path, Path], status: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as inner:
        inward = f"http://127.0.0.1:{inner.getsockname()[1]}/latest/meta-data/"

        async def redirect(_: web.Request) -> web.StreamResponse:
            return web.Response(status=status, headers={"Location": inward})

        receiver.behave = redirect
        poster = poster_with(WebhookUrls(ports=(receiver.port,), allow_subnets=LOOPBACK), Names("127.0.0.1"), tls)
        with watched() as seen:
            answer = await poster.post(endpoint(receiver.url("hooks.test")), "evt_x", BODY)
        await poster.close()
    assert answer.attempt.status_code == status
    assert not answer.accepted
    assert seen == [("socket.connect", ("127.0.0.1", receiver.port))]
