"""Wrong credentials: how many are answered as such, for how long, and that right ones are let in all the same."""

import logging
import sys
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import pytest
from aiohttp import ClientSession

from c2c_stasis.api.failed_logins import FAILED_LOGINS, PERIOD, SLOTS, FailedLogins
from c2c_stasis.api.problems import Problem
from c2c_stasis.api.server import HttpServer, build_app
from c2c_stasis.config import Address, Http, Networks
from c2c_stasis.config.sections.network import parse_networks
from c2c_stasis.directory.keys import new_key
from tests.api.fakes import KEY, NO_STORE, FakeService
from tests.api.requests import GOOD, HEADERS, Client

MOST = 20
FEW = 2  # a test over HTTP may take up to half a minute then, and finds what it expects
PROXY = parse_networks("127.0.0.1")
FAR, OTHER = "203.0.113.7", "203.0.113.8"
TOKEN = "eyJhbGciOiJFZERTQSJ9.e30.x"  # of no use to anybody


@dataclass
class Guard:
    """The limits, with a clock that a test sets."""

    now: float = 1000.0

    def __post_init__(self) -> None:
        self.logins = FailedLogins(MOST, lambda address: address == "127.0.0.1", lambda: self.now)

    def wait(self, client: str, credential: str = TOKEN) -> int:
        """0 when a wrong credential is answered as such, else what `Retry-After` says."""
        try:
            self.logins.count(client, credential)
        except Problem as problem:
            found = problem
        else:
            return 0
        assert (found.status, found.code) == (429, "too_many_failed_logins")
        return int(found.headers["Retry-After"])


def test_of_one_address_twenty_a_minute_are_answered_and_retry_after_is_right_to_the_second() -> None:
    guard = Guard()
    assert [guard.wait(FAR) for _ in range(MOST)] == [0] * MOST
    for _ in range(1000):
        assert guard.wait(FAR) == PERIOD / MOST == 3  # who goes on does not have to wait longer for that
    guard.now += 2.9
    assert guard.wait(FAR) == 1
    guard.now += 0.1
    assert (guard.wait(FAR), guard.wait(FAR)) == (0, 3)
    guard.now += PERIOD
    assert [guard.wait(FAR) for _ in range(MOST)] == [0] * MOST
    assert guard.wait(FAR) == 3


@pytest.mark.parametrize("pause", [0.01, 0.5, 2.0, 2.99])
def test_whoever_never_rests_gets_twenty_and_then_twenty_a_minute(pause: float) -> None:
    guard, answered, minutes = Guard(), 0, 10
    for _ in range(int(minutes * PERIOD / pause)):
        answered += guard.wait(FAR) == 0
        guard.now += pause
    assert abs(answered - MOST - minutes * MOST) <= 2 * minutes  # whoever asks every 2 s misses the moment by up to 1 s


def test_another_address_is_not_concerned_and_a_64_of_ipv6_is_one() -> None:
    guard = Guard()
    for number in range(MOST):
        assert guard.wait(FAR) == 0
        assert guard.wait(f"2001:db8::{number:x}") == 0
    assert guard.wait(FAR) > 0
    assert guard.wait("2001:db8::ffff:ffff") > 0
    assert guard.wait(OTHER) == 0
    assert guard.wait("2001:db8:0:1::1") == 0


def test_for_one_key_twenty_a_minute_are_answered_wherever_they_come_from() -> None:
    guard, key = Guard(), new_key(livemode=True)
    guesses = [key[:16] + new_key(livemode=True)[16:] for _ in range(MOST)]
    assert [guard.wait(f"198.51.100.{number}", guess) for number, guess in enumerate(guesses)] == [0] * MOST
    assert guard.wait(FAR, key[:16] + "x") == 3
    assert guard.wait(FAR, new_key(livemode=True)) == 0
    assert guard.wait(FAR, TOKEN) == 0


def test_a_proxy_that_does_not_say_for_whom_it_asks_is_not_counted_but_keys_are() -> None:
    guard, key = Guard(), new_key(livemode=True)
    assert {guard.wait("127.0.0.1") for _ in range(1000)} == {0}
    assert [guard.wait("127.0.0.1", key) for _ in range(MOST + 1)] == [0] * MOST + [3]


def test_a_hundred_thousand_addresses_and_keys_take_no_memory() -> None:
    guard = Guard()

    def size() -> int:
        logins = guard.logins
        tables: list[array[float]] = [one._full_until for one in (logins._by_address, logins._by_key)]
        return sum(sys.getsizeof(table) for table in tables) + len(logins.__dict__)

    before = size()
    for number in range(100_000):
        with suppress(Problem):
            guard.logins.count(f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1", f"sk_live_{number:08}x")
    assert size() == before < 3 * 8 * SLOTS  # an array takes a little more than it holds


def test_a_flood_is_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard()
    for _ in range(100):
        guard.wait(FAR)
    guard.now += 10.5  # in which three are answered again
    for _ in range(4):
        guard.wait(FAR)
    told = [(record.levelno, record.__dict__["remote"], record.__dict__["limited"]) for record in caplog.records]
    assert told == [(logging.WARNING, FAR, 1), (logging.WARNING, FAR, 80)]


# --- over HTTP ---

Ask = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def opened(stack: AsyncExitStack, service: FakeService, trusted: Networks = PROXY) -> Client:
    http = Http(Address("127.0.0.1", 0), trusted_proxies=trusted, max_failed_logins=FEW)
    server = HttpServer(build_app(service, NO_STORE), http)
    address = await server.start()
    stack.push_async_callback(server.stop)
    return await stack.enter_async_context(ClientSession(f"http://{address}"))


async def asked(client: Client, credential: str, *of: str) -> tuple[int, str]:
    """Status and `Retry-After` of a request with a credential, for these clients of a proxy."""
    headers = HEADERS | {"Authorization": f"Bearer {credential}"}
    sent = [*headers.items(), *[("X-Forwarded-For", one) for one in of]]
    async with client.post("/v1/calls", json=GOOD, headers=sent) as response:
        return response.status, response.headers.get("Retry-After", "")


async def test_after_so_many_wrong_credentials_a_wrong_one_is_429_and_a_right_one_is_let_in(
    stack: AsyncExitStack, service: FakeService
) -> None:
    client = await opened(stack, service, Networks())
    assert [await asked(client, TOKEN) for _ in range(FEW)] == [(401, "")] * FEW
    for wrong in (TOKEN, "sk_live_x", new_key(livemode=True)):
        status, wait = await asked(client, wrong)
        assert (status, 0 < int(wait) <= PERIOD / FEW) == (429, True)
    assert (await asked(client, KEY))[0] == 202
    assert len(service.calls) == 1
    assert (await client.get("/v1/calls/x")).status == 401  # nobody said who he is


async def test_nobody_is_locked_out_by_guesses_at_his_key_from_everywhere(
    stack: AsyncExitStack, service: FakeService
) -> None:
    client = await opened(stack, service)
    guesses = [await asked(client, KEY[:16] + str(number), f"198.51.100.{number}") for number in range(FEW + 5)]
    assert [status for status, _ in guesses] == [401] * FEW + [429] * 5
    assert (await asked(client, KEY, FAR))[0] == 202


async def test_behind_a_proxy_each_client_is_counted_and_what_it_claims_to_be_is_not_believed(
    stack: AsyncExitStack, service: FakeService
) -> None:
    client = await opened(stack, service)
    for number in range(FEW):
        assert await asked(client, TOKEN, f"192.0.2.{number}", FAR) == (
            401,
            "",
        )  # the first is of the client's own making
    assert (await asked(client, TOKEN, "192.0.2.99", FAR))[0] == 429
    assert (await asked(client, TOKEN, OTHER))[0] == 401


async def test_without_a_proxy_nobody_passes_for_somebody_else(stack: AsyncExitStack, service: FakeService) -> None:
    client = await opened(stack, service, Networks())
    answers = [await asked(client, TOKEN, f"192.0.2.{number}") for number in range(FEW + 1)]
    assert [status for status, _ in answers] == [401] * FEW + [429]


async def test_how_many_is_configured(service: FakeService) -> None:
    app = build_app(service, NO_STORE)
    HttpServer(app, Http(Address("127.0.0.1", 0), max_failed_logins=1))
    app[FAILED_LOGINS].count(FAR, TOKEN)
    with pytest.raises(Problem) as refused:
        app[FAILED_LOGINS].count(FAR, TOKEN)
    assert int(refused.value.headers["Retry-After"]) in (59, 60)
