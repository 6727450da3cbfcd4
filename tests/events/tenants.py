"""Three tenants who call while anything at all arrives on the event connection, and what must be so afterwards.

The whole service works here, from the bytes of a message to those of a request, on a standing clock. Each call has a fate that
was tried out in silence first; whatever arrives, it must turn out exactly so. Only calls of two users, about whom lies are told
in the form of real events, may end otherwise; end they must, once, and without touching anybody.
"""

import asyncio
import gc
import json
import logging
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import click
import msgspec
import pytest

from c2c_stasis.api.records import record_of
from c2c_stasis.ari import connection as connection_module
from c2c_stasis.ari.client import Client
from c2c_stasis.ari.connection import Connection
from c2c_stasis.ari.devices import MOST_CONTACTS
from c2c_stasis.arilog import AriLog
from c2c_stasis.arilog.log import _Item, _Pen
from c2c_stasis.call.model import Call, CallState
from c2c_stasis.directory.model import Account, User
from c2c_stasis.ids import CallId, LegId, call_of
from c2c_stasis.lab.script import Script
from c2c_stasis.logs import JsonFormatter, TextFormatter
from c2c_stasis.metrics import Metrics
from c2c_stasis.ports import SipServer, StoredEvent
from c2c_stasis.publish.envelope import Envelopes
from c2c_stasis.service import CallService
from c2c_stasis.store.sql_store import SqlStore, open_store
from c2c_stasis.trace import from_log, terminal
from c2c_stasis.trace.replay import replay
from tests.events.asterisk import APP, PlayedAsterisk, end
from tests.events.forging import MARK, Cast, forge
from tests.events.oracle import OfContact, OfLeg, said
from tests.fakes.ari_log import SETTINGS
from tests.fakes.clock import Clock, standing_clock
from tests.fakes.store import WatchedStore
from tests.scenarios.house import ANSWER, CALLS, POLICY, RING, TONE, TRUNKS, prove_log

ACCOUNTS, USERS = 3, 5  # the last user of the first two accounts is one about whom lies are told
NUMBER = "+15551234567"
DESK = "1000"  # the extension of somebody who never calls, and has two phones
MOST_SECONDS = 0.5  # of processor time for one message; a million brackets take a hundredth of that
RECENT = 300  # messages of its own that Asterisk may repeat


SILENT = Script()


@dataclass(frozen=True)
class Fate:
    """What the phones do, what the destination does, and when somebody cancels; and how the call ends then."""

    ends: tuple[str, str, str, int | None]  # outcome, reason, ended_by, duration
    phone: Script
    far: Script = SILENT
    cancel_at: float | None = None
    dialled: str = NUMBER


_TAKES = Script(ring_after=0.1, answer_after=1.0)
FATES = {
    "talks": Fate(
        ("completed", "normal", "destination", 7), _TAKES, Script(ring_after=0.2, answer_after=2.0, hang_up_after=5.0)
    ),
    "hangs up": Fate(
        ("completed", "normal", "user", 6),
        Script(ring_after=0.1, answer_after=1.0, hang_up_after=6.0),
        Script(answer_after=1.0),
    ),
    "early media": Fate(
        ("completed", "normal", "destination", 4),
        _TAKES,
        Script(progress_after=0.2, answer_after=2.0, hang_up_after=2.0),
    ),
    "busy": Fate(
        ("busy", "destination_busy", "destination", 5), _TAKES, Script(ring_after=0.1, reject=486, reject_after=1.0)
    ),
    "refused": Fate(
        ("rejected", "destination_rejected", "destination", 5), _TAKES, Script(reject=603, reject_after=1.0)
    ),
    "unknown number": Fate(("failed", "invalid_number", "destination", 4), _TAKES, Script(reject=404)),
    "congestion": Fate(("failed", "congestion", "destination", 4), _TAKES, Script(reject=503)),
    "nobody there": Fate(("no_answer", "destination_no_answer", "system", 64), _TAKES, Script(ring_after=0.1)),
    "nobody here": Fate(("no_answer", "user_no_answer", "system", 0), Script(ring_after=0.1)),
    "declined": Fate(("rejected", "user_rejected", "user", 0), Script(ring_after=0.1, reject=603, reject_after=2.0)),
    "colleague": Fate(
        ("completed", "normal", "destination", 5),
        _TAKES,
        Script(ring_after=0.2, answer_after=1.0, hang_up_after=4.0),
        dialled=DESK,
    ),
    "colleague declines": Fate(
        ("rejected", "destination_rejected", "destination", 6),
        _TAKES,
        Script(ring_after=0.2, reject=603, reject_after=2.0),
        dialled=DESK,
    ),
    "cancelled": Fate(("cancelled", "cancelled_by_api", "api", 0), Script(ring_after=0.1), cancel_at=3.0),
    "cancelled talk": Fate(("completed", "normal", "api", 4), _TAKES, Script(answer_after=1.0), cancel_at=5.0),
}

# What the service may ask of Asterisk at all. Nothing in it is chosen by anybody outside.
_LEG = r"call_[0-9a-z]{26}\.[ab][0-9]{1,2}"
_PATHS = re.compile(
    rf"/ari/(?:channels(?:/create|/{_LEG}(?:/(?:dial|ring|play|variable))?|/helper_[0-9a-z]{{26}}(?:/variable)?)?"
    r"|bridges(?:/call_[0-9a-z]{26}(?:/addChannel)?)?|asterisk/info|events/user/c2c-pulse|api-docs/[a-z]+\.json"
    rf"|applications/{APP}(?:-devices)?(?:/(?:eventFilter|subscription))?"
    r"|asterisk/config/dynamic/res_pjsip/(?:contact/t[0-9]u[0-9]p[0-9]%3B%40[0-9a-f]{32}|endpoint/carrier))"
)
_SERIES = re.compile(r'[a-z0-9_]+(?:\{(?:[a-z]+="[A-Za-z0-9_.+/ -]*",?)+\})? [-+0-9.eInfa]+')


@dataclass
class Tally:
    """What was tried, and what was found."""

    messages: int = 0
    nothing: int = 0  # that say nothing
    repeated: int = 0
    lies: int = 0
    of_asterisk: int = 0
    calls: int = 0
    slowest: float = 0.0  # seconds of processor time
    slowest_is: bytes = b""
    outcomes: Counter[str] = field(default_factory=Counter)


class RawLog(AriLog):
    """Keeps the lines of the ARI log as they would be written, until they are looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.on = True
        self.lines: list[bytes] = []
        self._writer = _Pen(SETTINGS, 1)  # never started

    def _put(self, item: _Item) -> None:
        self.lines += self._writer._lines_of(item)


class Tenants:
    """The service with its tenants, and an Asterisk that is played."""

    def __init__(self, clock: Clock, store: SqlStore, people: list[tuple[Account, list[User]]], rng: Random) -> None:
        self.clock = clock
        self.store = store
        watched = WatchedStore(store)
        clock.busy.append(lambda: watched.busy)
        self.people = people
        self.rng = rng
        self.tally = Tally()
        self.asterisk = PlayedAsterisk(clock, self._script)
        self.log = RawLog()
        self.metrics = Metrics()
        self.fates: dict[CallId, str] = {}
        self.lied_about: set[CallId] = set()
        self.placed: set[CallId] = set()  # in all rounds
        self.losses = 0  # of the event connection
        self.lines: list[logging.LogRecord] = []
        self.asked_before = 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connection_module, "Transport", lambda *_, **__: self.asterisk)
            url = "http://asterisk.invalid:8088"
            self.connection = Connection(url, "c2c", "c2c", APP, log=self.log, metrics=self.metrics)
        self.service = CallService(
            store=watched,
            switch=self.connection,
            publisher=Envelopes(),
            clock=clock,
            calls=CALLS,
            trunks=TRUNKS,
            policy=POLICY,
            watch=self.connection.watch,
            provision=self.connection.provision,
            sip_server=SipServer("pbx.example.com"),
            ari_log=self.log,
            metrics=self.metrics,
        )
        switch = self.asterisk.switch
        switch.trunk("carrier")
        self.phones = [
            name for number in range(ACCOUNTS) for user in range(USERS + 1) for name in phones_of(number, user)
        ]
        for name in self.phones:
            switch.phone(name)
        self.of_liars = {name for number in range(2) for name in phones_of(number, USERS - 1)}
        self.silent: dict[str, dict[str, Any]] = {}

    def _script(self, leg_id: LegId) -> Script:
        fate = FATES[self.fates.get(call_of(leg_id), "nobody here")]
        script = fate.phone if ".a" in leg_id else fate.far
        if leg_id.endswith("2"):  # the second phone of somebody: it rings, or declines with the first
            return Script(ring_after=0.3, reject=script.reject, reject_after=script.reject_after)
        return script

    async def open(self) -> None:
        """Start Asterisk and the service, and connect them; then try every fate out in silence."""
        await self.service.start()
        self.connection.use_trunks(TRUNKS)
        self._tasks = [asyncio.create_task(self.asterisk.run()), asyncio.create_task(self.connection.run(self.service))]
        await self.clock.until(lambda: self.service.live_calls.caught_up, "the connection")
        await self.clock.settle()
        self._at_rest = len(asyncio.all_tasks())
        for name, fate in FATES.items():
            call_id = await self._place(0, 0, name)
            await self._until_over([call_id], noise=0)
            self.silent[name] = await self._summary(call_id)
            call = await self._stored(call_id)
            assert call.end is not None
            assert (call.end.outcome, call.end.reason, call.end.ended_by, call.duration) == fate.ends, name
            await self._prove()

    async def close(self) -> None:
        """Stop the service and Asterisk."""
        stopping = asyncio.create_task(self.service.stop())
        await self.clock.until(stopping.done, "the end of the service")
        await stopping
        for task in reversed(self._tasks):
            await end(task)

    # --- a round ---

    async def round(self, messages: int, *, losses: float = 0.0) -> None:
        """Everybody calls, so many messages arrive meanwhile, and everything must be right when all calls are over.

        `losses` is how likely it is, at each look at the clock, that the event connection is lost and opened anew. Nobody knows
        then what was not heard, and calls must only end, each once.
        """
        honest = []
        for account in range(ACCOUNTS):
            for user in range(USERS):
                lied = user == USERS - 1 and account < 2
                if account > 0 and self.rng.random() < 0.3:
                    continue  # not everybody always
                call_id = await self._place(account, user, self.rng.choice(list(FATES)), lied=lied)
                if not lied:
                    honest.append(call_id)
                await self._say(self.rng.randrange(1 + messages // 60))
        await self._until_over(honest, noise=max(1, messages // 150), losses=losses)
        for call_id in honest if not losses else ():
            here, silent = await self._summary(call_id), self.silent[self.fates[call_id]]
            assert here == silent, (
                f"{self.fates[call_id]}: {[(key, here[key], silent[key]) for key in here if here[key] != silent[key]]}"
            )
        await self._until_empty()
        await self._prove()

    async def _place(self, account: int, user: int, fate: str, *, lied: bool = False) -> CallId:
        of, users = self.people[account]
        call = await self.service.place(of, users[user].id, FATES[fate].dialled, livemode=True, metadata={})
        self.fates[call.id] = fate
        self.placed.add(call.id)
        if lied:
            self.lied_about.add(call.id)
        if (cancel_at := FATES[fate].cancel_at) is not None:
            asyncio.get_running_loop().call_later(cancel_at, lambda: asyncio.ensure_future(self._cancel(of, call.id)))
        self.tally.calls += 1
        return call.id

    async def _cancel(self, account: Account, call_id: CallId) -> None:
        await self.service.cancel(account, call_id)

    async def _until_over(self, calls: list[CallId], *, noise: int, losses: float = 0.0) -> None:
        """Let time pass, and messages arrive, until these calls are over."""
        give_up = self.clock.elapsed + RING + ANSWER + TONE + 60.0
        while any(call_id in self.service.live_calls.runners for call_id in calls):
            assert self.clock.elapsed < give_up, "calls that do not end"
            await self._say(noise)
            if self.connection.connected and self.rng.random() < losses:
                self.losses += 1
                await self.asterisk.sockets[0].close()
            await self.clock.advance(self.rng.choice((0.05, 0.3, 1.0)))

    async def _until_empty(self) -> None:
        """Let time pass until all that lies have left behind is gone too: what nobody has is found by the rounds."""
        await self.clock.until(lambda: not self.service.live_calls.runners, "the end of every call", 300.0)
        await self.clock.advance(200.0)
        assert self.asterisk.switch.empty

    # --- what arrives ---

    async def _say(self, messages: int) -> None:
        for _ in range(messages):
            message = self._message()
            if message is not None:
                self.tally.messages += 1
                self.asterisk.say(message)
        await self.clock.settle()

    def _message(self) -> bytes | None:
        recent = self.asterisk.said[-RECENT:]
        if recent and self.rng.random() < 0.1:
            self.tally.repeated += 1
            return self.rng.choice(recent)
        message = forge(self.rng, self._cast())
        told = said(message, APP, self.phones)
        if told is None:
            self.tally.nothing += 1
            return message
        if (isinstance(told, OfLeg) and self._may_be_lied_about(told.call)) or (
            isinstance(told, OfContact) and told.endpoint in self.of_liars
        ):
            self.tally.lies += 1
            return message
        return None

    def _may_be_lied_about(self, call_id: str) -> bool:
        return call_id in self.lied_about or CallId(call_id) not in self.service.live_calls.runners

    def _cast(self) -> Cast:
        calls = [runner.call for runner in self.service.live_calls.runners.values()]
        if (
            self.rng.random() < 0.2
        ):  # else few lies would be told: most of what is forged is about somebody who is not lied about
            calls = [call for call in calls if call.id in self.lied_about] or calls
        live = [leg.id for call in calls for leg in call.legs]
        over = [f"{call_id}.a1" for call_id in list(self.fates)[-20:]]
        return Cast(APP, [*live, *over] or ["call_01h2xcejqtf2nbrexx3vqjhp41.a1"], self.phones)

    # --- what must be so ---

    async def _stored(self, call_id: CallId) -> Call:
        for account, _ in self.people:
            if (call := await self.store.find_call(account.id, call_id)) is not None:
                return call
        raise AssertionError(f"{call_id} has no record")

    async def _events(self, call: Call) -> list[StoredEvent]:
        return await self.store.call_events(call.account_id, call.id)

    async def _summary(self, call_id: CallId) -> dict[str, Any]:
        """All that a call was, without its names and moments."""
        call = await self._stored(call_id)
        legs = [(leg.id[-2:], leg.outcome, leg.won, leg.cause, leg.sip_code, leg.release_cause) for leg in call.legs]
        events = await self._events(call)
        asked = {
            json.dumps([method, path, given], sort_keys=True, default=str).replace(call_id, "CALL")
            for method, path, given in self.asterisk.done[self.asked_before :]
            if call_id in path or call_id in str(given.get("channelId"))
        }
        return {
            "end": call.end,
            "duration": call.duration,
            "estimated": call.ended_at_estimated,
            "legs": legs,
            "events": Counter(event.type for event in events),
            "asked": {re.sub(r"t[0-9]u[0-9](p[0-9])", r"\1", _without_caller(one)) for one in asked},
        }

    async def _prove(self) -> None:
        """Nothing is left, nothing has got out, and every call has one record and one end."""
        assert self.connection.connected
        assert self.asterisk.opened == 1 + self.losses
        self._prove_requests()
        self._prove_lines()
        self._prove_figures()
        for call_id, fate in self.fates.items():
            call = await self._stored(call_id)
            assert call.state is CallState.ENDED
            events = await self._events(call)
            prove_log(events, ended=True)
            for text in [json.dumps(_plain(call), ensure_ascii=False), *(event.body.decode() for event in events)]:
                assert text.isprintable(), text
                assert MARK not in text
            self.tally.outcomes["lied about" if call_id in self.lied_about else fate] += 1
        devices = self.connection._devices
        assert devices._contacts.keys() <= set(self.phones)
        assert all(len(contacts) <= MOST_CONTACTS for contacts in devices._contacts.values())
        for name in set(self.phones) - self.of_liars:
            assert {one.uri for one in self.connection.contacts(name)} == self.asterisk.switch.far_ends[
                name
            ].contacts.keys()
        assert not devices._strangers
        left = [task.get_name() for task in asyncio.all_tasks() if not task.done()]
        assert len(left) == self._at_rest, left
        for name in self.of_liars:  # what lies have registered is gone again, as Asterisk would tell
            for contact in self.connection.contacts(name):
                if contact.uri not in self.asterisk.switch.far_ends[name].contacts:
                    devices._contacts[name].pop(contact.uri)
        self.tally.of_asterisk = self.asterisk.told
        self.fates.clear()
        self.lied_about.clear()
        del self.asterisk.said[:-RECENT]
        self.asterisk.asked.clear()
        self.asterisk.done.clear()
        assert self.tally.slowest < MOST_SECONDS

    def _prove_requests(self) -> None:
        dialled = [path for method, path, _ in self.asterisk.done if path.endswith("/dial")]
        assert len(dialled) == len(set(dialled)), "dialled twice"
        for method, path, given in self.asterisk.asked:
            text = json.dumps([method, path, given], ensure_ascii=False)
            assert _PATHS.fullmatch(path), text
            assert {CallId(one) for one in re.findall(r"call_[0-9a-z]{26}", text)} <= self.placed, text
            assert text.isprintable(), text
            assert MARK not in text, text
            if path.endswith("/create") and not given["endpoint"].startswith("Local/x@c2c-helper"):
                assert self._is_known(given["endpoint"]), text

    def _is_known(self, endpoint: str) -> bool:
        """Whether this is the carrier with the number that was dialled, or a phone of the tenants, at a contact perhaps."""
        phone = re.fullmatch(r"PJSIP/(t[0-9]u[0-9]p[0-9])(/sips?:[!-~]+)?", endpoint)
        own = phone is not None and (phone[2] is None or phone[1] in self.of_liars)
        return own or endpoint == f"PJSIP/{NUMBER}@carrier"

    def _prove_lines(self) -> None:
        for record in self.lines:
            assert record.levelno < logging.ERROR, TextFormatter().format(record)
            for formatter in (JsonFormatter(), TextFormatter()):
                line = formatter.format(record)
                assert line.isprintable(), line
                assert MARK not in line, line
        self.lines.clear()
        for raw in self.log.lines:  # it has what came, masked, and as one printable line
            text = raw.decode()
            assert text.endswith("\n"), text
            assert text[:-1].isprintable(), text
        for call_id in self.rng.sample(sorted(self.fates), min(3, len(self.fates))):
            self._prove_trace(call_id)
        self.log.lines.clear()

    def _prove_trace(self, call_id: CallId) -> None:
        """The call can be drawn and decided again from the log, and nothing of what came is in the picture."""
        lines = [json.loads(line) for line in self.log.lines if call_id.encode() in line]
        drawn = [click.unstyle(line) for line in terminal.lines(from_log.ladder(call_id, lines, "log"))]
        for text in drawn:
            assert text.isprintable(), text
            assert MARK not in text, text
        of_heart = [line for line in lines if line["kind"] in ("call", "step") and line.get("call") == call_id]
        assert not [one for one in replay(of_heart) if one.differences]

    def _prove_figures(self) -> None:
        for line in self.metrics.text().decode().splitlines():
            assert line.startswith("#") or _SERIES.fullmatch(line), line


def _plain(call: Call) -> Any:
    return msgspec.to_builtins(record_of(call))


def _without_caller(request: str) -> str:
    return re.sub(r'"(?:CALLERID|CONNECTEDLINE)[^"]*": "(?:[^"\\]|\\.)*",? ?', "", request)


def phones_of(account: int, user: int) -> tuple[str, str]:
    """The endpoints of a user."""
    return f"t{account}u{user}p1", f"t{account}u{user}p2"


class _Lines(logging.Handler):
    def __init__(self, lines: list[logging.LogRecord]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record)


@contextmanager
def _listening(lines: list[logging.LogRecord]) -> Iterator[None]:
    """All that is logged, from DEBUG on."""
    logger, handler = logging.getLogger("c2c_stasis"), _Lines(lines)
    level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates


def _timed(tally: Tally, take: Callable[[Client, bytes], None]) -> Callable[[Client, bytes], None]:
    def timed(client: Client, message: bytes) -> None:
        gc.disable()  # what the tests keep in memory is none of the message's
        began = time.thread_time()
        take(client, message)
        took = time.thread_time() - began
        gc.enable()
        if took > tally.slowest:
            tally.slowest, tally.slowest_is = took, message

    return timed


async def _people(store: SqlStore) -> list[tuple[Account, list[User]]]:
    platform = await store.create_platform("Platform")
    people = []
    for number in range(ACCOUNTS):
        account = await store.create_account(platform.id, f"Tenant {number}")
        shown = await store.create_phone_number(account.id, f"+1555765432{number}", caller_id_name=f"Tenant {number}")
        account = await store.set_account_caller_number(account.id, shown.id)
        users = []
        for one in range(USERS + 1):
            users.append(await store.create_user(account.id, f"User {one}"))
            for name in phones_of(number, one):
                await store.create_device(account.id, users[-1].id, name)
        await store.create_extension(account.id, DESK, users[-1].id)
        people.append((account, users))
    return people


@asynccontextmanager
async def tenants(folder: Path, rng: Random) -> AsyncIterator[Tenants]:
    """The tenants at work, over a database in this folder."""
    with standing_clock() as clock, pytest.MonkeyPatch.context() as patch:
        store = await open_store(f"sqlite:///{folder / 'c2c.db'}", migrate=True)
        try:
            here = Tenants(clock, store, await _people(store), rng)
            patch.setattr("random.uniform", rng.uniform)  # how long it pauses
            patch.setattr(Client, "_take", _timed(here.tally, Client._take))
            failures: list[Any] = []
            asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
            with _listening(here.lines):
                await here.open()
                yield here
                await here.close()
            assert not failures, failures
        finally:
            asyncio.get_running_loop().set_exception_handler(None)
            await store.close()
