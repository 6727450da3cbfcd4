"""Where webhooks may not go: a corpus of addresses, names that change after they were saved, and the places that are ours."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from c2c_stasis.config import Networks
from c2c_stasis.directory.webhooks import WebhookEndpoint, new_secret
from c2c_stasis.errors import InvalidRequest
from c2c_stasis.ids import AccountId, WebhookId
from c2c_stasis.policy.webhook_urls import Ip, WebhookUrls
from c2c_stasis.publish import poster as poster_module
from c2c_stasis.publish.guard import ForbiddenAddress, Guard
from c2c_stasis.publish.poster import AuthoritiesNotUsable, Poster
from tests.publish.forbidden import FORBIDDEN, ISATAP
from tests.publish.receiver import Receiver, verify

LOOPBACK = Networks((ip_network("127.0.0.0/8"), ip_network("::1")))
SOMEWHERE = "93.184.216.34"
BODY = b'{"id":"evt_x","type":"call.end"}'


class Names:
    """Name service as a test wants it, and what it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _owner: str) -> Sequence[Ip]:
        self.asked.append(host)
        if not self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [ip_address(answer) for answer in self.answers]


def poster_with(rules: WebhookUrls, names: Names, tls: tuple[Path, Path], *ours: tuple[str, int]) -> Poster:
    return Poster(Guard(rules, ours, names), wall=lambda: 1_700_000_000.0, ca_file=str(tls[0]))


def endpoint(url: str) -> WebhookEndpoint:
    return WebhookEndpoint(WebhookId("we_x"), AccountId("acct_x"), url, "*", True, new_secret())


@pytest.fixture
async def receiver(tls: tuple[Path, Path]) -> AsyncIterator[Receiver]:
    receiver = await Receiver().start(tls)
    yield receiver
    await receiver.stop()


def test_the_corpus_is_large() -> None:
    assert len(set(FORBIDDEN)) == len(FORBIDDEN) > 120


@pytest.mark.parametrize("url", FORBIDDEN, ids=ascii)
async def test_a_forbidden_url_is_refused_when_it_is_saved_and_dialled_by_nobody(
    url: str, tls: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(SOMEWHERE)

    def nothing_is_dialled(*_: object) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", nothing_is_dialled)
    monkeypatch.setattr(socket.socket, "connect_ex", nothing_is_dialled)
    poster = poster_with(WebhookUrls(), names, tls)
    try:
        with pytest.raises(InvalidRequest) as refused:
            await poster.vetted(url)
        assert refused.value.field == "url"
        answer = await poster.post(endpoint(url), "evt_x", BODY)  # also when it comes out of an older database
        assert answer.attempt.status_code is None
        assert answer.attempt.error is not None
        assert answer.attempt.error.startswith("the URL ")
        assert names.asked == []
    finally:
        await poster.close()


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hooks?a=b",
        "https://hooks.example.com:8443/",
        "https://EXAMPLE.com/",
        "https://bücher.example/",
        f"https://{SOMEWHERE}/",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/",
        "https://[64:ff9b::5db8:d822]/",
        "https://[2002:5db8:d822::1]/",
        "https://[2606:4700::5efe:808:808]/",
        "https://under_score.example.com/",
        "https://example.com./",
    ],
)
async def test_an_address_of_the_internet_is_allowed(url: str, tls: tuple[Path, Path]) -> None:
    poster = poster_with(WebhookUrls(), Names(SOMEWHERE), tls)
    assert (await poster.vetted(url)).startswith("https://")
    await poster.close()


async def test_names_are_kept_as_they_are_dialled(tls: tuple[Path, Path]) -> None:
    poster = poster_with(WebhookUrls(), Names(SOMEWHERE), tls)
    assert await poster.vetted("https://Bücher.Example.:443/x") == "https://xn--bcher-kva.example/x"
    await poster.close()


@pytest.mark.parametrize(
    "answers",
    [
        *[("127.0.0.1",), (SOMEWHERE, "10.0.0.1"), ("::ffff:169.254.169.254",), ("fe80::1%lo",)],
        *[(SOMEWHERE, url[len("https://[") : -len("]/")]) for url in ISATAP],
    ],
    ids=" ".join,
)
async def test_a_name_that_stands_for_a_forbidden_address_is_refused_even_among_others(
    answers: tuple[str, ...], tls: tuple[Path, Path]
) -> None:
    poster = poster_with(WebhookUrls(), Names(*answers), tls)
    with pytest.raises(InvalidRequest, match="leads to an address"):
        await poster.vetted("https://hooks.test/")
    answer = await poster.post(endpoint("https://hooks.test/"), "evt_x", BODY)
    assert answer.attempt.error == "the address is not allowed"
    await poster.close()


async def test_a_name_that_nobody_knows_yet_is_saved_and_fails_when_it_is_used(tls: tuple[Path, Path]) -> None:
    poster = poster_with(WebhookUrls(), Names(), tls)
    assert await poster.vetted("https://soon.test/") == "https://soon.test/"
    answer = await poster.post(endpoint("https://soon.test/"), "evt_x", BODY)
    assert answer.attempt.error == "the name cannot be resolved"
    await poster.close()


async def test_a_name_that_changes_after_it_was_saved_makes_no_connection_and_the_permitted_one_does(
    receiver: Receiver, tls: tuple[Path, Path]
) -> None:
    names = Names("127.0.0.1")
    rules = WebhookUrls(ports=(receiver.port,), allow_subnets=LOOPBACK)
    open_poster = poster_with(rules, names, tls)
    url = await open_poster.vetted(receiver.url("hooks.test"))
    there = endpoint(url)
    answer = await open_poster.post(there, "evt_x", BODY)
    await open_poster.close()
    assert (answer.attempt.status_code, answer.attempt.response) == (200, "ok")
    (got,) = receiver.got
    assert got.headers["Host"] == f"hooks.test:{receiver.port}"
    assert got.body == BODY

    strict = poster_with(replace(rules, allow_subnets=Networks((ip_network("127.0.0.2"),))), names, tls)
    names.answers = ["127.0.0.2"]
    url = await strict.vetted(receiver.url("hooks.test"))
    names.answers = ["127.0.0.1"]  # where the receiver is, and what is not permitted any more
    answer = await strict.post(endpoint(url), "evt_x", BODY)
    assert answer.attempt.error == "the address is not allowed"
    assert len(receiver.got) == 1
    await strict.close()


async def test_our_own_listener_and_asterisks_are_reached_by_no_permission(
    receiver: Receiver, tls: tuple[Path, Path]
) -> None:
    rules = WebhookUrls(ports=(receiver.port,), allow_subnets=LOOPBACK)
    names = Names("127.0.0.1")
    for ours in ("127.0.0.1", "asterisk.test", "0.0.0.0", "::ffff:127.0.0.1"):
        poster = poster_with(rules, names, tls, (ours, receiver.port))
        for host in ("127.0.0.1", "hooks.test"):
            with pytest.raises(InvalidRequest, match="leads to an address"):
                await poster.vetted(receiver.url(host))
            answer = await poster.post(endpoint(receiver.url(host)), "evt_x", BODY)
            assert answer.attempt.error == "the address is not allowed"
        await poster.close()
    assert receiver.got == []


@pytest.mark.parametrize("ours", ["127.0.0.1", "127.0.0.2", "asterisk.test", "::1", "0.0.0.0"])
@pytest.mark.parametrize("there", ["127.0.0.1", "127.0.0.2", "127.1.2.3", "[::ffff:127.0.0.3]", "[64:ff9b::7f00:4]"])
async def test_what_listens_on_this_machine_may_listen_on_all_addresses_of_it(
    ours: str, there: str, tls: tuple[Path, Path]
) -> None:
    """Asterisk listens where its http.conf says; known is only one address by which it is reached."""
    rules = WebhookUrls(ports=(8088, 8089), allow_subnets=LOOPBACK)
    poster = poster_with(rules, Names("127.0.0.1"), tls, (ours, 8088))
    with pytest.raises(InvalidRequest, match="leads to an address"):
        await poster.vetted(f"https://{there}:8088/")
    assert await poster.vetted(f"https://{there}:8089/")  # another port is nobody's
    await poster.close()


async def test_of_another_machine_only_the_address_that_is_known_is_ours(tls: tuple[Path, Path]) -> None:
    rules = WebhookUrls(ports=(8088,), allow_subnets=Networks((ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"))))
    poster = poster_with(rules, Names("127.0.0.1"), tls, ("10.255.0.1", 8088))
    with pytest.raises(InvalidRequest, match="leads to an address"):
        await poster.vetted("https://10.255.0.1:8088/")
    assert await poster.vetted("https://127.0.0.1:8088/")
    await poster.close()


async def test_where_ours_are_is_not_asked_for_every_connection_and_where_receivers_are_is(
    tls: tuple[Path, Path],
) -> None:
    names = Names("127.0.0.1")
    rules = WebhookUrls(allow_subnets=LOOPBACK)
    poster = poster_with(rules, names, tls, ("asterisk.test", 8088))
    for _ in range(3):
        await poster.vetted("https://hooks.test/")
    assert sorted(names.asked) == ["asterisk.test", *["hooks.test"] * 3]
    await poster.close()


async def test_ours_are_where_they_were_while_their_name_is_not_found(tls: tuple[Path, Path]) -> None:
    names = Names("127.0.0.1")
    rules = WebhookUrls(ports=(8088,), allow_subnets=LOOPBACK)
    strict = Guard(rules, [("asterisk.test", 8088)], names)
    with pytest.raises(ForbiddenAddress):
        await strict.addresses("127.0.0.1", 8088)
    names.answers = []
    strict._known = {host: (0.0, known) for host, (_, known) in strict._known.items()}  # that was long ago
    with pytest.raises(ForbiddenAddress):
        await strict.addresses("127.0.0.1", 8088)
    assert names.asked == ["asterisk.test"] * 2


async def test_headers_that_never_end_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poster_module, "ANSWER_WITHIN", 0.2)
    gone = asyncio.Event()

    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"x: y\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.close()
        gone.set()

    server = await asyncio.start_server(drips, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    rules = WebhookUrls(allow_http=True, ports=(port,), allow_subnets=LOOPBACK)
    poster = Poster(Guard(rules, ()), wall=time.time)
    answer = await poster.post(endpoint(f"http://127.0.0.1:{port}/"), "evt_x", BODY)
    assert answer.attempt.status_code is None
    assert answer.attempt.error == "no answer within 0 s"
    async with asyncio.timeout(5):
        await gone.wait()  # the connection is closed, too
    await poster.close()
    server.close()
    await server.wait_closed()


async def test_no_proxy_no_cookie_and_no_other_name_in_the_certificate(
    receiver: Receiver, tls: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    rules = WebhookUrls(ports=(receiver.port,), allow_subnets=LOOPBACK)
    poster = poster_with(rules, Names("127.0.0.1"), tls)
    there = endpoint(receiver.url("hooks.test"))
    assert (await poster.post(there, "evt_x", BODY)).accepted
    assert "Cookie" not in receiver.got[0].headers
    answer = await poster.post(endpoint(receiver.url("other.test")), "evt_x", BODY)
    assert answer.attempt.error is not None
    assert answer.attempt.error.startswith("TLS: ")
    await poster.close()
    distrustful = Poster(Guard(rules, (), Names("127.0.0.1")), wall=lambda: 1.0)
    answer = await distrustful.post(there, "evt_x", BODY)
    assert answer.attempt.error is not None
    assert answer.attempt.error.startswith("TLS: ")
    await distrustful.close()
    assert len(receiver.got) == 1


async def test_plain_http_is_sent_only_where_the_configuration_says_so(tls: tuple[Path, Path]) -> None:
    plain = await Receiver().start()
    rules = WebhookUrls(ports=(plain.port,), allow_subnets=LOOPBACK)
    for allowed in (False, True):
        poster = poster_with(replace(rules, allow_http=allowed), Names("127.0.0.1"), tls)
        answer = await poster.post(endpoint(plain.url()), "evt_x", BODY)
        assert answer.accepted is allowed
        await poster.close()
    assert len(plain.got) == 1
    await plain.stop()


async def test_every_event_is_verified_by_the_library_of_receivers(receiver: Receiver, tls: tuple[Path, Path]) -> None:
    rules = WebhookUrls(ports=(receiver.port,), allow_subnets=LOOPBACK)
    poster = Poster(Guard(rules, (), Names("127.0.0.1")), wall=time.time, ca_file=str(tls[0]))
    there = endpoint(receiver.url("hooks.test"))
    await poster.post(there, "evt_x", BODY)
    verify(receiver.got[0], there.secret)
    await poster.close()


async def test_authorities_that_cannot_be_read_are_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(AuthoritiesNotUsable, match=r"ca_file .*missing\.pem: No such file"):
        Poster(Guard(WebhookUrls(), ()), wall=lambda: 0.0, ca_file=str(tmp_path / "missing.pem"))
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    with pytest.raises(AuthoritiesNotUsable, match="holds no certificate"):
        Poster(Guard(WebhookUrls(), ()), wall=lambda: 0.0, ca_file=str(empty))
