"""The HTTP client for ARI: what it sends, what it takes for an answer, and what becomes of its connections."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
import uvloop

from c2c_stasis.ari import http as module
from c2c_stasis.ari.http import CannotConnect, Http
from tests.fakes.waiting import until

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
LOGIN = {"Authorization": "Basic YTpi"}


class Server:
    """Reads requests, keeps them with the number of their connection, and sends the bytes that the test wants."""

    def __init__(self) -> None:
        self.requests: list[tuple[int, str, bytes]] = []
        self.closed = 0
        self.answers: Callable[[int, asyncio.StreamWriter], Awaitable[None]] = self.ok
        self._connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> "Server":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.netloc = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()

    async def ok(self, number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)

    def says(self, *answers: bytes) -> None:
        """Answer the next requests with these bytes; after an answer that ends in nothing the connection is closed."""
        left = list(answers)

        async def answer(number: int, writer: asyncio.StreamWriter) -> None:
            text = left.pop(0)
            writer.write(text)
            if not text:
                writer.close()

        self.answers = answer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._connections += 1
        connection = self._connections
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0] or 0)
                self.requests.append((connection, head, await reader.readexactly(length)))
                await self.answers(len(self.requests), writer)
        self.closed += 1
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = await Server().start()
    yield server
    await server.stop()


@pytest.fixture
async def http(server: Server) -> AsyncIterator[Http]:
    http = Http(f"http://{server.netloc}", LOGIN, connections=2, keep_alive=10.0)
    yield http
    http.close()


async def closed(server: Server, connections: int) -> None:
    await until(lambda: server.closed == connections, "the connections to be closed")


# --- what is sent ---


async def test_a_request_without_a_body(server: Server, http: Http) -> None:
    assert await http.ask("GET", "/ari/channels?x=%20", within=5.0) == (200, b"{}")
    (_, head, body) = server.requests[0]
    assert head == f"GET /ari/channels?x=%20 HTTP/1.1\r\nHost: {server.netloc}\r\nAuthorization: Basic YTpi\r\n\r\n"
    assert body == b""


async def test_a_request_with_a_body(server: Server, http: Http) -> None:
    await http.ask("POST", "/ari/channels/create", b'{"endpoint": "PJSIP/d1"}', within=5.0)
    (_, head, body) = server.requests[0]
    assert head.endswith("\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n")
    assert body == b'{"endpoint": "PJSIP/d1"}'


async def test_a_post_without_a_body_says_so(server: Server, http: Http) -> None:
    await http.ask("POST", "/ari/channels/x/ring", within=5.0)
    assert "Content-Length: 0\r\n" in server.requests[0][1]


@pytest.mark.parametrize("target", ["/a b", "/a\r\nX: y", "/a\x00", "/\u00e4", "/a\t"])
async def test_what_is_not_quoted_is_not_sent(server: Server, http: Http, target: str) -> None:
    with pytest.raises(ValueError, match="not quoted"):
        await http.ask("GET", target, within=5.0)
    assert server.requests == []


# --- answers ---


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno!", (404, b"no!")),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n3\r\n,2]\r\n0\r\n\r\n", (200, b"[1,2]")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, (200, b"{}")),
    ],
)
async def test_every_form_of_an_answer(server: Server, http: Http, answer: bytes, expected: tuple[int, bytes]) -> None:
    server.says(answer, OK)
    assert await http.ask("DELETE", "/ari/channels/x", within=5.0) == expected
    assert await http.ask("GET", "/ari/channels", within=5.0) == (200, b"{}")
    assert {connection for connection, _, _ in server.requests} == {1}


async def test_an_answer_in_pieces(server: Server, http: Http) -> None:
    async def drip(_: int, writer: asyncio.StreamWriter) -> None:
        for byte in OK:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    server.answers = drip
    assert await http.ask("GET", "/ari/channels", within=5.0) == (200, b"{}")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        OK + OK,
        OK + b"HTTP/1.1 2",
    ],
)
async def test_after_what_is_no_answer_or_more_than_one_the_connection_is_closed(
    server: Server, http: Http, answer: bytes
) -> None:
    server.says(answer)
    with suppress(ConnectionError):
        assert await http.ask("GET", "/ari/channels", within=5.0) == (200, b"{}")
        assert answer.startswith(OK)
    await closed(server, 1)
    server.answers = server.ok
    assert await http.ask("GET", "/ari/channels", within=5.0) == (200, b"{}")
    assert [connection for connection, _, _ in server.requests] == [1, 2]


async def test_an_answer_that_is_too_large(server: Server, http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 1000)
    server.says(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001)
    with pytest.raises(ConnectionAbortedError, match="more than 1000"):
        await http.ask("GET", "/ari/channels", within=5.0)
    await closed(server, 1)


async def test_a_server_that_closes_after_its_answer_is_connected_to_anew(server: Server, http: Http) -> None:
    server.says(OK.replace(b"Content-Type", b"Connection: close\r\nContent-Type"), OK)
    assert await http.ask("GET", "/ari/channels", within=5.0) == (200, b"{}")
    assert await http.ask("GET", "/ari/channels", within=5.0) == (200, b"{}")
    assert [connection for connection, _, _ in server.requests] == [1, 2]


async def test_an_answer_that_ends_with_the_connection_is_none(server: Server, http: Http) -> None:
    async def half(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(OK[:-1])
        writer.close()

    server.answers = half
    with pytest.raises(ConnectionResetError):
        await http.ask("GET", "/ari/channels", within=5.0)
    assert len(server.requests) == 1


# --- connections ---


async def test_a_connection_that_the_server_closed_while_it_was_idle_is_not_used(server: Server, http: Http) -> None:
    async def ok_and_close(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        writer.close()

    server.answers = ok_and_close
    for _ in range(5):
        with suppress(ConnectionResetError):  # when the request meets the closing
            await http.ask("GET", "/ari/channels", within=5.0)
        await asyncio.sleep(0.01)
    assert {connection for connection, _, _ in server.requests} == {1, 2, 3, 4, 5}


async def test_a_connection_that_is_idle_for_long_is_closed(server: Server) -> None:
    http = Http(f"http://{server.netloc}", LOGIN, connections=2, keep_alive=0.02)
    await http.ask("GET", "/ari/channels", within=5.0)
    await closed(server, 1)
    assert await http.ask("GET", "/ari/channels", within=5.0) == (200, b"{}")
    http.close()


async def test_who_finds_no_connection_free_waits_for_one(server: Server, http: Http) -> None:
    answers = await asyncio.gather(*(http.ask("GET", f"/{i}", within=5.0) for i in range(50)))
    assert answers == [(200, b"{}")] * 50
    assert {connection for connection, _, _ in server.requests} == {1, 2}


async def test_who_is_cancelled_takes_nobody_elses_answer_along(server: Server, http: Http) -> None:
    """Whoever uses the connection next would get the answer to a request that is not his."""
    go_on = asyncio.Event()

    async def late(number: int, writer: asyncio.StreamWriter) -> None:
        if number <= 2:
            await go_on.wait()
        writer.write(OK.replace(b"{}", b"%02d" % number))

    server.answers = late
    impatient = [asyncio.create_task(http.ask("GET", f"/{i}", within=5.0)) for i in range(2)]
    waiting = [asyncio.create_task(http.ask("GET", f"/{i}", within=5.0)) for i in range(2, 6)]
    await until(lambda: len(server.requests) == 2, "both to be asked")
    waiting.pop().cancel()
    for task in impatient:
        task.cancel()
    answers = await asyncio.gather(*waiting)
    go_on.set()

    assert sorted(answers) == [(200, b"03"), (200, b"04"), (200, b"05")]
    assert await http.ask("GET", "/last", within=5.0) == (200, b"06")


@pytest.mark.parametrize("keep", [True, False])
async def test_who_waits_is_served_before_who_comes_later(server: Server, keep: bool) -> None:
    """Whoever asks again at once takes nobody's turn, even where each answer ends its connection."""
    if not keep:
        server.says(*[OK.replace(b"Content-Type", b"Connection: close\r\nContent-Type")] * 50)
    http = Http(f"http://{server.netloc}", LOGIN, connections=1, keep_alive=10.0)

    async def again_and_again() -> None:
        for _ in range(20):
            await http.ask("GET", "/greedy", within=5.0)

    greedy = asyncio.create_task(again_and_again())
    await asyncio.sleep(0)
    await http.ask("GET", "/patient", within=5.0)
    assert [head.split()[1] for _, head, _ in server.requests][:2] == ["/greedy", "/patient"]
    await greedy
    assert len({connection for connection, _, _ in server.requests}) == (1 if keep else 21)
    http.close()


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
async def test_a_host_that_can_have_no_address(host: str) -> None:
    http = Http(f"http://{host}:8088", LOGIN, connections=1, keep_alive=10.0)
    for _ in range(2):
        with pytest.raises(CannotConnect):
            await http.ask("GET", "/", within=5.0)


@pytest.mark.parametrize("given", [True, False])
async def test_a_turn_that_is_not_taken_goes_to_the_next(
    server: Server, given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gets a connection, or the leave to open one, in the same moment in which he is cancelled."""
    http = Http(f"http://{server.netloc}", LOGIN, connections=1, keep_alive=10.0)
    server.says(OK if given else b"", OK)
    first = asyncio.create_task(http.ask("GET", "/1", within=5.0))
    second = asyncio.create_task(http.ask("GET", "/2", within=5.0))
    third = asyncio.create_task(http.ask("GET", "/3", within=5.0))
    give_back = http._give_back

    def give_back_and_cancel(connection: module._Connection) -> None:
        give_back(connection)
        second.cancel()

    monkeypatch.setattr(http, "_give_back", give_back_and_cancel)
    assert await third == (200, b"{}")
    with suppress(ConnectionResetError):
        await first
    with pytest.raises(asyncio.CancelledError):
        await second
    assert [head.split()[1] for _, head, _ in server.requests] == ["/1", "/3"]
    http.close()


async def test_what_is_urgent_waits_behind_nobody_and_takes_no_place_from_others(server: Server, http: Http) -> None:
    go_on = asyncio.Event()

    async def late(_: int, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        writer.write(OK)

    def ask(name: str) -> asyncio.Task[module.Answer]:
        return asyncio.create_task(http.ask("GET", f"/{name}", within=5.0))

    async def ask_urgently(name: str) -> module.Answer:
        before = module.URGENT.set(True)
        try:
            return await http.ask("GET", f"/{name}", within=5.0)
        finally:
            module.URGENT.reset(before)

    server.answers = late
    ordinary = [ask(f"ordinary-{i}") for i in range(5)]
    await until(lambda: len(server.requests) == 2, "all ordinary places to be taken")
    urgent = [asyncio.create_task(ask_urgently(f"urgent-{i}")) for i in range(module.RESERVED + 2)]
    await until(lambda: len(server.requests) == 2 + module.RESERVED, "those in reserve to be taken")
    assert all("/urgent" in head for _, head, _ in server.requests[2:])
    go_on.set()
    await asyncio.gather(*ordinary, *urgent)

    asked = [head.split()[1] for _, head, _ in server.requests]
    assert len(asked) == 5 + module.RESERVED + 2
    left = [name.partition("-")[0] for name in asked[2 + module.RESERVED :]]
    assert left == ["/urgent", "/urgent", "/ordinary", "/ordinary", "/ordinary"]
    await closed(server, module.RESERVED)  # what was in reserve is in reserve again
    assert await http.ask("GET", "/last", within=5.0) == (200, b"{}")


async def test_an_urgent_one_that_gives_up_is_passed_over(server: Server, http: Http) -> None:
    async def never(_: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.get_running_loop().create_future()

    async def ask_urgently(within: float) -> None:
        module.URGENT.set(True)
        with pytest.raises(TimeoutError):
            await http.ask("GET", "/urgent", within=within)

    server.answers = never
    await asyncio.gather(*(asyncio.create_task(ask_urgently(0.1)) for _ in range(2 + module.RESERVED + 3)))
    server.answers = server.ok
    assert await http.ask("GET", "/", within=5.0) == (200, b"{}")


async def test_no_answer_in_time(server: Server, http: Http) -> None:
    server.says(OK[:20])
    with pytest.raises(TimeoutError):
        await http.ask("GET", "/", within=0.05)
    await closed(server, 1)


async def test_no_connection_free_in_time(server: Server, http: Http) -> None:
    async def never(_: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.get_running_loop().create_future()

    server.answers = never
    began = asyncio.get_running_loop().time()
    failed = await asyncio.gather(*(http.ask("GET", "/", within=0.1) for _ in range(6)), return_exceptions=True)
    assert [type(error) for error in failed] == [TimeoutError] * 6
    assert asyncio.get_running_loop().time() - began >= 0.1
    assert len(server.requests) <= 4  # two more may have found a place in the last moment
    server.answers = server.ok
    assert await http.ask("GET", "/", within=5.0) == (200, b"{}")


async def test_nobody_listens() -> None:
    server = await Server().start()
    http = Http(f"http://{server.netloc}", LOGIN, connections=1, keep_alive=10.0)
    await server.stop()
    for _ in range(3):  # a failed attempt takes no place
        with pytest.raises(CannotConnect):
            await http.ask("GET", "/ari/channels", within=5.0)
    failed = await asyncio.gather(*(http.ask("GET", "/", within=5.0) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in failed] == [CannotConnect] * 3


async def test_a_server_that_speaks_no_tls() -> None:
    def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        writer.close()

    plain = await asyncio.start_server(speak, "127.0.0.1", 0)
    http = Http(f"https://127.0.0.1:{plain.sockets[0].getsockname()[1]}", LOGIN, connections=1, keep_alive=10.0)
    with pytest.raises(CannotConnect):
        await http.ask("GET", "/ari/channels", within=5.0)
    plain.close()
    assert isinstance(http._tls, ssl.SSLContext)
    assert http._tls.check_hostname
    assert http._tls.verify_mode is ssl.CERT_REQUIRED


async def test_whoever_waits_is_told_when_all_is_closed(server: Server, http: Http) -> None:
    async def never(_: int, writer: asyncio.StreamWriter) -> None:
        await asyncio.get_running_loop().create_future()

    server.answers = never
    asked = [asyncio.create_task(http.ask("GET", "/", within=5.0)) for _ in range(4)]
    await until(lambda: len(server.requests) == 2, "both to be asked")
    http.close()
    failed = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(error, ConnectionError) for error in failed] == [True] * 4
    with pytest.raises(CannotConnect):
        await http.ask("GET", "/", within=5.0)


def test_on_the_loop_that_serves() -> None:
    """uvloop's transports are of other classes than asyncio's."""

    async def some() -> list[tuple[int, bytes]]:
        server = await Server().start()
        http = Http(f"http://{server.netloc}", LOGIN, connections=2, keep_alive=10.0)
        answers = await asyncio.gather(*(http.ask("POST", "/", b"{}", within=5.0) for _ in range(9)))
        http.close()
        await server.stop()
        return answers

    assert uvloop.run(some()) == [(200, b"{}")] * 9
