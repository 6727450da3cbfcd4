"""The whole process put together: what it starts it stops, in whatever state it is, and it notices what others change."""

import asyncio
import io
import logging
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from c2c_stasis import app as module
from c2c_stasis.app import App, serve
from c2c_stasis.ari import connection
from c2c_stasis.ari.connection import AppTaken
from c2c_stasis.config import (
    AccountLimits,
    Address,
    Ari,
    Config,
    ConfigError,
    Database,
    Http,
    Log,
    OnStop,
    Origins,
    Policy,
    Problem,
    Process,
    Trunk,
)
from c2c_stasis.directory.model import Account, User
from c2c_stasis.errors import StoreUnavailable, SwitchRefused
from c2c_stasis.service import CallService
from c2c_stasis.stopping import Told
from c2c_stasis.store.backup import backup
from c2c_stasis.store.errors import DatabaseNotUsable, DatabaseServed
from c2c_stasis.store.sql_store import open_store
from tests.ari.server import APP, PASSWORD, USERNAME, Answer, AriServer, Request, ari_server
from tests.fakes.waiting import until


@dataclass(frozen=True)
class Site:
    """A place where the service can run: a database with a user in it, and an Asterisk."""

    config: Config
    asterisk: AriServer
    account: Account
    user: User
    key: str


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(module, "DIRECTORY_POLL", 0.01)
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.005)
    monkeypatch.setattr(connection, "STANDS_BY", 0.0)
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'c2c.db'}")
    store = await open_store(database.url, migrate=True)
    platform = await store.create_platform("Platform")
    account = await store.create_account(platform.id, "Bakery")
    user = await store.create_user(account.id, "Ann")
    await store.create_device(account.id, user.id, "d1")
    key, _ = await store.create_key(platform.id)
    await store.close()
    async with ari_server() as asterisk:
        asterisk.answer = _registered
        ari = Ari(PASSWORD, asterisk.url, USERNAME, APP)
        trunk = Trunk("carrier", "PJSIP/{number}@carrier")
        yield Site(Config(ari, Http(Address("127.0.0.1", 0)), database, (trunk,)), asterisk, account, user, key)


@pytest.fixture(autouse=True)
def _signals_stay_as_they_were() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _registered(request: Request) -> Answer | None:
    """Asterisk's answers when d1 and d2 are registered."""
    if request.name != "channels.getChannelVar":
        return None
    name = request.query["variable"].removeprefix("PJSIP_DIAL_CONTACTS(").removesuffix(")")
    return Answer(200, {"value": f"PJSIP/{name}/sip:{name}@192.0.2.1" if name in ("d1", "d2") else ""})


def possessions() -> tuple[set[str], set[str], list[str]]:
    """Tasks, threads and sockets of this process."""
    tasks = {task.get_name() for task in asyncio.all_tasks()}
    threads = {thread.name for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}
    links = (Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd"))
    sockets = sorted(os.readlink(link) for link in links if link.is_symlink())
    return tasks, threads, [name for name in sockets if name.startswith("socket:")]


async def get(app: App, path: str, site: Site | None = None) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {site.key}", "DialStack-Account": site.account.id} if site else {}
    async with aiohttp.ClientSession() as session, session.get(app.url + path, headers=headers) as response:
        return response.status, await response.text()


async def place(app: App, site: Site) -> str:
    """Place a call over HTTP and give its path."""
    headers = {"Authorization": f"Bearer {site.key}", "DialStack-Account": site.account.id}
    body = {"user_id": site.user.id, "dial_string": "+15551234567"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{app.url}/v1/calls", json=body) as response,
    ):
        assert response.status == 202, await response.text()
        return response.headers["Location"]


# --- starting and stopping ---


@pytest.mark.parametrize(
    ("limits", "taken"),
    [
        ((1024, 524_288), [(65_536, 524_288)]),
        ((1024, 4096), [(4096, 4096)]),
        ((1024, resource.RLIM_INFINITY), [(65_536, resource.RLIM_INFINITY)]),
        ((4096, 4096), []),
        ((100_000, 524_288), []),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), []),
    ],
)
def test_it_takes_as_many_descriptors_as_it_may(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], taken: list[tuple[int, int]]
) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _what: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _what, both: set_to.append(both))
    module._take_descriptors()
    assert set_to == taken


async def test_what_it_starts_it_stops(site: Site) -> None:
    before = possessions()
    for _ in range(2):
        async with App(site.config) as app:
            await until(lambda: site.asterisk.sockets, "a connection to Asterisk")
            assert (await get(app, "/livez"))[0] == 200
        await until(lambda: not site.asterisk.sockets, "the end of the connection")
    await until(lambda: possessions() == before, "everything given back")


async def test_it_stops_with_a_call_that_lives_and_takes_it_over_when_it_starts_again(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    before = possessions()
    async with App(site.config) as app:
        await until(lambda: site.asterisk.sockets, "a connection to Asterisk")
        await until(lambda: "ok" in _asterisk(app), "readiness")
        path = await place(app, site)
        await until(lambda: len(site.asterisk.asked("channels.create")) == 3, "two legs and a helper")
        assert app.service.live == 1
    await until(lambda: possessions() == before, "everything given back")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    async with App(site.config) as app:
        status, text = await get(app, path, site)
        assert (status, '"status":null' in text.replace(" ", "")) == (200, True)


async def test_a_call_that_is_being_accepted_at_sigterm_is_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(site.config, service=Process(OnStop.WAIT, 60.0))
    async with App(config) as app:
        await until(lambda: "ok" in _asterisk(app), "readiness")
        accept, go_on = app.service._store.accept, asyncio.Event()

        async def accept_late(*given: Any) -> None:
            await go_on.wait()
            await accept(*given)

        monkeypatch.setattr(app.service._store, "accept", accept_late)
        placing = asyncio.create_task(place(app, site))
        await until(lambda: app.service.live_calls.placing, "a call that is being accepted")
        told = Told(lambda _seconds: None, lambda: app.grace)
        stopping = asyncio.create_task(module._stop(app, told))
        await until(lambda: app.service.live_calls.draining, "the beginning of the end")
        go_on.set()
        await placing
        assert app.service.live == 1
        assert not stopping.done()
        told.hear()
        told.hear()
        await stopping


def _asterisk(app: App) -> str:
    return "ok" if app.service._switch.connected else ""


async def test_a_port_that_is_taken_ends_the_start_and_leaves_nothing(site: Site) -> None:
    before = possessions()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = replace(site.config, http=Http(Address("127.0.0.1", taken.getsockname()[1])))
        with pytest.raises(OSError, match="in use"):
            async with App(config):
                pass
    await until(lambda: possessions() == before, "everything given back")


async def test_a_database_that_is_not_there_ends_the_start_and_leaves_nothing(site: Site, tmp_path: Path) -> None:
    before = possessions()
    config = replace(site.config, database=Database(f"sqlite+aiosqlite:///{tmp_path / 'nowhere.db'}"))
    with pytest.raises(DatabaseNotUsable):
        async with App(config):
            pass
    await until(lambda: possessions() == before, "everything given back")


async def test_a_second_service_on_the_same_database_is_refused_and_never_speaks_to_asterisk(site: Site) -> None:
    async with App(site.config) as first:
        await until(lambda: _asterisk(first), "a connection")
        connects = site.asterisk.connects
        config = replace(site.config, ari=replace(site.config.ari, app="another"))
        with pytest.raises(DatabaseServed, match="stop that service"):
            async with App(config):
                pass
        assert site.asterisk.connects == connects
        assert (await get(first, "/readyz"))[0] == 200


async def test_one_whose_port_is_taken_does_not_take_the_application_from_the_one_that_serves(
    site: Site, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    backup(site.config.database.url, copy)
    async with App(site.config) as first:
        await until(lambda: _asterisk(first), "a connection")
        taken = Http(Address("127.0.0.1", int(first.url.rpartition(":")[2])))
        with pytest.raises(OSError, match="in use"):
            async with App(replace(site.config, http=taken, database=Database(f"sqlite+aiosqlite:///{copy}"))):
                pass
        assert site.asterisk.connects == 1


async def test_a_start_that_fails_half_way_leaves_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    before = possessions()

    async def start(self: CallService) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(CallService, "start", start)
    with pytest.raises(StoreUnavailable):
        async with App(site.config):
            pass
    await until(lambda: possessions() == before, "everything given back")


async def test_without_asterisk_it_starts_says_so_and_connects_later(site: Site) -> None:
    site.asterisk.answer = lambda request: Answer(503, {"message": "Asterisk not booted"})
    async with App(site.config) as app:
        assert (await get(app, "/livez"))[0] == 200
        assert (await get(app, "/readyz"))[0] == 503
        site.asterisk.answer = _registered
        await until(lambda: _asterisk(app), "a connection after all")
        assert (await get(app, "/readyz"))[0] == 200


# --- serving until told otherwise ---


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_order(site: Site, number: signal.Signals) -> None:
    before = possessions()
    serving = asyncio.create_task(serve(site.config))
    await until(lambda: site.asterisk.sockets, "a connection to Asterisk")
    os.kill(os.getpid(), number)
    await until(serving.done, "the end")
    serving.result()
    await until(lambda: possessions() == before, "everything given back")


async def test_who_waits_for_it_is_told_once_it_listens(site: Site) -> None:
    listening: list[bool] = []
    serving = asyncio.create_task(serve(site.config, ready=lambda: listening.append(True)))
    await until(lambda: listening, "a listening service")
    assert not serving.done()
    os.kill(os.getpid(), signal.SIGTERM)
    await until(serving.done, "the end")
    assert listening == [True]


async def test_who_is_displaced_stops_serving_and_says_why(site: Site) -> None:
    serving = asyncio.create_task(serve(site.config))
    await until(lambda: site.asterisk.sockets, "a connection to Asterisk")
    await site.asterisk.send({"type": "ApplicationReplaced"})
    await until(serving.done, "the end")
    assert isinstance(serving.exception(), AppTaken)


# --- the configuration, read again ---


@dataclass
class Serving:
    """A service that runs, and what it will read when it is told to."""

    site: Site
    following: Config | Exception
    log: io.StringIO = field(default_factory=io.StringIO)

    def hang_up(self) -> None:
        os.kill(os.getpid(), signal.SIGHUP)

    def read(self) -> Config:
        if isinstance(self.following, Exception):
            raise self.following
        return self.following

    def warned(self) -> list[str]:
        """The keys that need a restart, in the order in which it was said."""
        lines = [line for line in self.log.getvalue().splitlines() if "needs a restart" in line]
        return [line.rpartition("key=")[2] for line in lines]

    async def told(self, what: str) -> str:
        """Wait for a line of the log."""
        await until(lambda: what in self.log.getvalue(), what)
        return next(line for line in self.log.getvalue().splitlines() if what in line)


@pytest.fixture
async def serving(site: Site, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serving]:
    one = Serving(site, site.config)
    monkeypatch.setattr("sys.stderr", one.log)
    before = possessions()[1:]  # a fixture begins and ends in two tasks of different names
    task = asyncio.create_task(serve(site.config, one.read))
    await until(lambda: site.asterisk.sockets, "a connection to Asterisk")
    await one.told("listening")
    yield one
    os.kill(os.getpid(), signal.SIGTERM)
    await until(task.done, "the end")
    task.result()
    await until(lambda: possessions()[1:] == before, "everything given back")


async def test_at_sighup_it_goes_on_with_what_the_file_says_now(serving: Serving) -> None:
    config = serving.site.config
    serving.following = replace(config, calls=replace(config.calls, ring_timeout=7.0), log=Log(level="debug"))
    serving.hang_up()
    assert "changed=calls.ring_timeout,log.level" in await serving.told("configuration read again")
    await until(lambda: logging.getLogger("c2c_stasis").level == logging.DEBUG, "the level")
    assert "needs a restart" not in serving.log.getvalue()


async def test_at_sighup_pages_of_other_origins_are_let_in(serving: Serving) -> None:
    config, page = serving.site.config, "https://app.example.com"
    url = "http://" + (await serving.told("listening")).rpartition("http://")[2].strip('" ')
    question = {"Origin": page, "Access-Control-Request-Method": "POST"}
    async with aiohttp.ClientSession() as client:
        assert (await client.options(f"{url}/v1/calls", headers=question)).status == 405
        serving.following = replace(config, http=replace(config.http, cors_origins=Origins((page,))))
        serving.hang_up()
        await serving.told("configuration read again")
        answer = await client.options(f"{url}/v1/calls", headers=question)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, page)


async def test_what_needs_a_restart_is_named_and_keeps_its_value(serving: Serving) -> None:
    config = serving.site.config
    serving.following = replace(
        config, ari=replace(config.ari, password="another-secret", pool=3), http=Http(Address("127.0.0.1", 1))
    )
    for said in (3, 6):  # it is said again, for it is still so
        serving.hang_up()
        await until(partial(_said, serving, said), "the warnings")
    assert set(serving.warned()) == {"http.listen", "ari.password", "ari.pool"}
    assert "another-secret" not in serving.log.getvalue()


def _said(serving: Serving, warnings: int) -> bool:
    return len(serving.warned()) == warnings


async def test_a_configuration_that_is_wrong_changes_nothing_and_every_mistake_is_a_line(serving: Serving) -> None:
    serving.following = ConfigError(
        [Problem("c2c.toml:3", "calls.ring_timeout", "is a text and must be a number", "Give a number"),
         Problem("environment", "C2C_LOG__LEVLE", "is not known", "Did you mean C2C_LOG__LEVEL?")]
    )  # fmt: skip
    serving.hang_up()
    await serving.told("C2C_LOG__LEVLE is not known")
    refused = [line for line in serving.log.getvalue().splitlines() if "configuration refused" in line]
    assert len(refused) == 2
    assert "ERROR" in refused[0]
    assert "c2c.toml:3: calls.ring_timeout is a text and must be a number" in refused[0]
    assert "configuration read again" not in serving.log.getvalue()

    serving.following = serving.site.config
    serving.hang_up()
    await serving.told("configuration read again")  # it still listens


async def test_a_rate_file_that_is_wrong_ends_the_start_with_its_line(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    for text, told in (
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe", "cannot be read: is no text in UTF-8"),
        (
            b"prefix,price_per_minute,first_seconds,next_seconds\n+1,cheap,60,60\n",
            "rates.csv:2: price_per_minute is 'cheap'",
        ),
    ):
        if text is not None:
            file.write_bytes(text)
        config = replace(site.config, policy=Policy(rate_file=str(file)))
        with pytest.raises(ConfigError, match=re.escape(told)):
            async with App(config):
                raise AssertionError("it has started")


async def test_at_sighup_the_rate_file_is_read_again_and_a_wrong_one_changes_nothing(
    serving: Serving, tmp_path: Path
) -> None:
    file = tmp_path / "rates.csv"
    head = "prefix,price_per_minute,first_seconds,next_seconds\n"
    file.write_text(f"{head}+1,0.01,60,60\n")
    limits = AccountLimits(spend_per_day=1.0)
    serving.following = replace(serving.site.config, policy=Policy(rate_file=str(file)), account_limits=limits)
    serving.hang_up()
    await serving.told("configuration read again")
    file.write_text(f"{head}+1,0.01,60\n")
    serving.hang_up()
    assert "has 3 cells and must have 4" in await serving.told("configuration refused")
    assert serving.log.getvalue().count("configuration read again") == 1


async def test_a_fault_in_the_reading_is_told_and_the_next_reading_is_done(serving: Serving) -> None:
    serving.following = RuntimeError("a fault of ours")
    serving.hang_up()
    await serving.told("configuration not read")
    serving.following = serving.site.config
    serving.hang_up()
    await serving.told("configuration read again")


# --- the directory ---


async def test_a_device_that_another_process_adds_is_looked_up(site: Site) -> None:
    async with App(site.config) as app:
        await until(lambda: _asterisk(app), "a connection")
        await _add_device(site, "d2")
        await until(lambda: app.service._switch.contacts("d2"), "its contacts")


async def test_a_key_that_another_process_revokes_opens_nothing_any_more(site: Site) -> None:
    async with App(site.config) as app:
        assert (await get(app, "/v1/calls/call_01h2xcejqtf2nbrexx3vqjhp41", site))[0] == 404
        store = await open_store(site.config.database.url)
        (key,) = (await store.directory()).keys
        await store.revoke_key(key.id)
        await store.close()
        refused = asyncio.create_task(_refused(app, site))
        await until(refused.done, "the refusal")


async def _refused(app: App, site: Site) -> None:
    while (await get(app, "/v1/calls/call_01h2xcejqtf2nbrexx3vqjhp41", site))[0] != 401:
        pass


async def test_a_change_between_the_reading_and_the_following_is_not_missed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = CallService.start

    async def start(self: CallService) -> None:
        await genuine(self)
        await _add_device(site, "d2")

    monkeypatch.setattr(CallService, "start", start)
    async with App(site.config) as app:
        await until(lambda: _asterisk(app) and app.service._switch.contacts("d2"), "its contacts")


@pytest.mark.parametrize(
    "failure", [StoreUnavailable("locked"), SwitchRefused(500, "Allocation failed"), RuntimeError("a fault of ours")]
)
async def test_a_change_that_could_not_be_read_is_read_later(
    site: Site, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    genuine, failed = CallService.refresh_directory, 0

    async def refresh(self: CallService) -> None:
        nonlocal failed
        if asyncio.current_task().get_name() == "directory" and failed < 3:  # type: ignore[union-attr]  # in a task
            failed += 1
            raise failure
        await genuine(self)

    monkeypatch.setattr(CallService, "refresh_directory", refresh)
    async with App(site.config) as app:
        await until(lambda: _asterisk(app), "a connection")
        await _add_device(site, "d2")
        await until(lambda: app.service._switch.contacts("d2"), "its contacts")
    assert failed == 3


async def _add_device(site: Site, endpoint: str) -> None:
    store = await open_store(site.config.database.url)
    await store.create_device(site.account.id, site.user.id, endpoint)
    await store.close()


def test_what_was_closed_of_the_standard_streams_is_nobody_elses() -> None:
    code = "import os; from c2c_stasis import app; app._fill_standard_streams(); print(os.readlink('/proc/self/fd/2'))"
    shell = f'exec {sys.executable} -c "{code}" 2>&- <&-'
    assert subprocess.check_output(["/bin/sh", "-c", shell], text=True) == "/dev/null\n"
