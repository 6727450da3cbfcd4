"""The connection against a small ARI server: how it opens, what it tells, how it comes back, and what ends it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from c2c_stasis.ari import connection as module
from c2c_stasis.ari import pulse
from c2c_stasis.ari.connection import AppTaken, Connection
from c2c_stasis.call.commands import CreateLeg, DialLeg, HangUpLeg
from c2c_stasis.call.model import LegState, Party
from c2c_stasis.call.signals import LegCreated, LegEnded, Signal
from c2c_stasis.config import Trunk
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable
from c2c_stasis.ids import LegId
from c2c_stasis.metrics import Metrics
from c2c_stasis.ports import Contact, Stock
from tests.ari.server import APP, PASSWORD, USERNAME, Answer, AriServer, Request
from tests.ari.test_translate import recorded
from tests.call.stories import A1, A2, ANN, CALL_ID, outward_call
from tests.fakes.waiting import until

CALL = outward_call()


class Ear:
    """A listener that keeps what it hears, and may fail."""

    def __init__(self) -> None:
        self.heard: list[Signal] = []
        self.connects = 0
        self.fails: Exception | None = None

    def receive(self, leg_id: LegId, signal: Signal) -> None:
        if self.fails is not None:
            raise self.fails
        self.heard.append(signal)

    async def connected(self) -> None:
        self.connects += 1
        if self.fails is not None:
            raise self.fails


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.005)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(module, "STANDS_BY", 0.0)


@asynccontextmanager
async def running(
    url: str, ear: Ear, *, password: str = PASSWORD, timeout: float = 0.3, metrics: Metrics | None = None
) -> AsyncIterator[tuple[Connection, asyncio.Task[None]]]:
    """A connection at work."""
    connection = Connection(url, USERNAME, password, APP, timeout=timeout, metrics=metrics)
    task = asyncio.create_task(connection.run(ear))
    try:
        yield connection, task
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
async def connection(server: AriServer, ear: Ear) -> AsyncIterator[Connection]:
    """A connection that is open."""
    async with running(server.url, ear) as (connection, _):
        await until(lambda: ear.connects, "a connection")
        yield connection


# --- opening ---


async def test_it_connects_once_for_both_applications_and_filters_what_comes(
    server: AriServer, connection: Connection
) -> None:
    assert connection.connected
    assert connection.problem == ""
    (opened,) = server.asked("events.eventWebsocket")
    assert opened.query == {"app": "c2c,c2c-devices", "subscribeAll": "false"}
    calls, devices = server.asked("applications.filter")
    assert (calls.path, devices.path) == ("/applications/c2c/eventFilter", "/applications/c2c-devices/eventFilter")
    assert {"type": "ChannelStateChange"} in calls.body["allowed"]
    assert {"type": "ChannelVarset"} not in calls.body["allowed"]
    assert devices.body == {"allowed": [{"type": "ContactStatusChange"}]}
    (subscribed,) = server.asked("applications.subscribe")
    assert (subscribed.path, subscribed.body) == (
        "/applications/c2c-devices/subscription",
        {"eventSource": "endpoint:PJSIP"},
    )


async def test_nothing_is_asked_before_it_is_connected(server: AriServer) -> None:
    connection = Connection(server.url, USERNAME, PASSWORD, APP)
    assert not connection.connected
    with pytest.raises(SwitchUnavailable):
        await connection.look()
    with pytest.raises(SwitchUnavailable):
        await connection.execute(CALL, HangUpLeg(A1, 16))
    await connection.close()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(401, {"message": "no"}), "user name or password"),
        (Answer(403, {"message": "no"}), "may only read"),
        (Answer(404, "<html>"), "ARI is not loaded"),
        (Answer(503, {"message": "Asterisk not booted"}), "Asterisk not booted"),
        (Answer(lost=True), "no answer"),
        (Answer(200, "no JSON"), ""),
        (Answer(200, {"swaggerVersion": "9"}), ""),
    ],
)
async def test_what_keeps_it_from_connecting_is_explained_and_it_tries_again(
    server: AriServer, ear: Ear, answer: Answer, problem: str
) -> None:
    server.answer = lambda request: answer
    async with running(server.url, ear) as (connection, task):
        await until(lambda: len(server.requests) > 3, "several attempts")
        assert not connection.connected
        assert problem in connection.problem
        assert connection.problem not in ("", "not connected yet")
        assert PASSWORD not in connection.problem
        server.answer = lambda request: None
        await until(lambda: connection.connected, "a connection after all")
        assert not task.done()
        assert connection.problem == ""


@pytest.mark.parametrize(
    "step",
    [
        "declaration of channels",
        "events.eventWebsocket",
        "applications.filter",
        "applications.subscribe",
        "channels.create",
        "channels.getChannelVar",
    ],
)
@pytest.mark.parametrize("answer", [Answer(500, {"message": "no"}), Answer(lost=True), Answer(after=5.0)])
async def test_whatever_step_fails_it_begins_again_and_says_it_is_not_connected(
    server: AriServer, ear: Ear, step: str, answer: Answer
) -> None:
    tolerated = step == "channels.getChannelVar" and answer.status == 500  # an endpoint that Asterisk does not have
    server.answer = lambda request: answer if request.name == step else None
    async with running(server.url, ear, timeout=0.05) as (connection, task):
        await connection.watch({"d1"})
        if not tolerated:
            await until(lambda: len(server.asked(step)) > 1, "two attempts")
            assert not connection.connected
            assert ear.connects == 0
            server.answer = lambda request: None
        await until(lambda: connection.connected, "a connection after all")
        assert not task.done()


async def test_a_wrong_password_is_explained(server: AriServer, ear: Ear) -> None:
    async with running(server.url, ear, password="wrong") as (connection, _):
        await until(lambda: "user name or password" in connection.problem, "an explanation")
        assert not connection.connected


async def test_nobody_listens_where_asterisk_should_be(ear: Ear) -> None:
    async with running("http://127.0.0.1:9", ear) as (connection, task):
        await until(lambda: "cannot be reached" in connection.problem, "an explanation")
        assert "([ari] url; http.conf: enabled = yes" in connection.problem
        assert not task.done()


async def test_attempts_come_less_and_less_often(
    ear: Ear, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.01)
    caplog.set_level(logging.DEBUG, logger=module.__name__)
    async with running("http://127.0.0.1:9", ear):
        await until(lambda: len(caplog.records) >= 6, "six attempts")
    pauses = [getattr(record, "again_in_s", None) for record in caplog.records[:6]]
    assert pauses == pytest.approx([0.001, 0.002, 0.004, 0.008, 0.01, 0.01])
    told = [record.levelno == logging.WARNING for record in caplog.records[:6]]
    assert told == [True, False, False, False, True, True]  # the first, and then only the rarest


async def test_what_is_wrong_is_told_at_once_when_it_is_something_else(
    server: AriServer, ear: Ear, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE", 60.0)
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    server.answer = lambda request: Answer(503, {"message": "Asterisk not booted"})
    async with running(server.url, ear) as (connection, _):
        await until(lambda: len(server.requests) > 3, "several attempts")
        server.answer = lambda request: Answer(403, {"message": "no"})
        await until(lambda: "may only read" in connection.problem, "another problem")
    told = [record.__dict__["error"] for record in caplog.records if record.levelno == logging.WARNING]
    assert told == ["503 Asterisk not booted", "this ARI user may only read (ari.conf: read_only = no)"]


async def test_attempts_are_soon_again_after_a_connection_that_worked(
    server: AriServer, ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger=module.__name__)
    server.answer = lambda request: Answer(503, {"message": "Asterisk not booted"})
    async with running(server.url, ear):
        await until(lambda: len(caplog.records) >= 4, "four attempts")
        server.answer = lambda request: None
        await until(lambda: ear.connects, "a connection")
        caplog.clear()
        server.answer = lambda request: Answer(503, {"message": "Asterisk not booted"})
        await server.drop()
        await until(lambda: len(caplog.records) >= 2, "the loss and an attempt")
    pauses = [record.again_in_s for record in caplog.records if hasattr(record, "again_in_s")]
    assert pauses[0] <= 2 * module.FIRST_PAUSE


# --- events ---


async def test_every_event_of_a_call_is_told_in_order(server: AriServer, connection: Connection, ear: Ear) -> None:
    for event in recorded("talk"):
        await server.send(event)
    await until(lambda: sum(isinstance(signal, LegEnded) for signal in ear.heard) == 3, "three ends")
    assert ear.heard[0] == LegCreated(LegId(f"{CALL_ID}.b1"))


@pytest.mark.parametrize(
    "bad",
    [
        "no JSON",
        "[]",
        "7",
        "{}",
        '{"type": 7}',
        '{"type": "Dial"}',
        '{"type": "StasisStart", "channel": {}}',
        '{"type": "ChannelDestroyed", "channel": null}',
        '{"type": "ContactStatusChange", "application": "c2c-devices"}',
        '{"type": "SomethingNew", "channel": {"id": "x"}}',
    ],
)
async def test_an_event_that_is_not_understood_is_passed_by(
    server: AriServer, connection: Connection, ear: Ear, bad: str
) -> None:
    await server.send(bad)
    await server.send(recorded("busy")[-1])
    await until(lambda: ear.heard, "the next event")
    assert ear.heard == [LegEnded(A1, 17, 486)]
    assert connection.connected


@pytest.mark.parametrize("party", ["channel", "peer"])
async def test_of_an_event_that_is_not_understood_no_number_and_no_name_is_told(
    server: AriServer, connection: Connection, ear: Ear, caplog: pytest.LogCaptureFixture, party: str
) -> None:
    ear.fails = RuntimeError("a fault of ours")
    event = recorded("busy")[-1]
    caller = {"name": "Alice Secret", "number": "2025550123"}
    await server.send({**event, party: {**event["channel"], "caller": caller, "dialplan": {"exten": "02079460018"}}})
    await until(lambda: "not understood" in caplog.text, "a line in the log")
    (line,) = [record for record in caplog.records if "not understood" in record.message]
    assert (line.__dict__["event"], line.__dict__["channel"]) == ("ChannelDestroyed", A1)
    everything = repr(line.__dict__) + caplog.text
    assert not [secret for secret in ("Alice", "2025550123", "02079460018") if secret in everything]


async def test_a_listener_that_fails_does_not_end_the_reading(
    server: AriServer, connection: Connection, ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    ear.fails = RuntimeError("a fault of ours")
    await server.send(recorded("busy")[-1])
    await until(lambda: "a fault of ours" in caplog.text, "a line in the log")
    ear.fails = None
    await server.send(recorded("busy")[-1])
    await until(lambda: ear.heard, "the next event")
    assert server.connects == 1


@pytest.mark.parametrize("application", ["another", "", "C2C", "c2c ", None, ["c2c"], 7])
async def test_events_of_another_application_are_neither_signals_nor_a_pulse_nor_the_end(
    server: AriServer, connection: Connection, ear: Ear, application: object
) -> None:
    for event in [*recorded("busy"), {"type": "ApplicationReplaced"}]:
        await server.send({**event, "application": application})
    await server.send({**recorded("busy")[-1], "application": f"{APP}-devices"})
    await server.send("no JSON")
    await until(
        lambda: connection._client and connection._client._complaints._told == len(recorded("busy")) + 2, "all of them"
    )
    assert ear.heard == []
    assert not connection._pulse._felt.is_set()
    assert connection.connected


async def test_an_endpoint_that_is_watched_again_is_looked_up_again(server: AriServer, connection: Connection) -> None:
    """Meanwhile nobody followed it."""
    server.answer = registered("d1")
    await connection.watch({"d1"})
    await connection.watch(())
    assert connection.contacts("d1") == ()
    server.answer = registered()
    await connection.watch({"d1"})
    assert connection.contacts("d1") == ()
    assert len(server.asked("channels.getChannelVar")) == 2


async def test_of_an_endpoint_that_is_let_go_while_it_is_looked_up_nothing_is_kept(
    server: AriServer, connection: Connection
) -> None:
    def slow(request: Request) -> Answer | None:
        found = registered("d1")(request)
        return Answer(found.status, found.body, after=0.05) if found else None

    server.answer = slow
    watching = asyncio.create_task(connection.watch({"d1"}))
    await until(lambda: server.asked("channels.getChannelVar"), "the question")
    await connection.watch(())
    await watching
    assert connection.contacts("d1") == ()
    await connection.watch({"d1"})
    assert connection.contacts("d1")
    assert len(server.asked("channels.getChannelVar")) == 2


async def test_events_of_the_devices_application_are_no_signals(
    server: AriServer, connection: Connection, ear: Ear
) -> None:
    for event in recorded("busy"):
        await server.send({**event, "application": "c2c-devices"})
    await server.send(recorded("busy")[-1])
    await until(lambda: ear.heard, "the one event that is for us")
    assert len(ear.heard) == 1


async def test_a_thousand_events_at_once(server: AriServer, connection: Connection, ear: Ear) -> None:
    event = recorded("busy")[-1]
    for _ in range(1000):
        await server.send(event)
    await until(lambda: len(ear.heard) == 1000, "every event")


# --- losing it ---


async def test_it_connects_again_when_the_stream_ends(server: AriServer, connection: Connection, ear: Ear) -> None:
    await server.drop()
    await until(lambda: ear.connects == 2, "a second connection")
    assert connection.connected
    assert len(server.asked("applications.filter")) == 4  # Asterisk has forgotten them


async def test_a_peer_that_answers_no_ping_is_given_up(
    server: AriServer, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that vanished closes no connection: without this we would listen to it for ever."""
    monkeypatch.setattr("c2c_stasis.ari.transport.HEARTBEAT", 0.02)
    server.deaf = True
    async with running(server.url, ear) as (connection, _):
        await until(lambda: ear.connects > 1, "a second connection")
        server.deaf = False
        await until(lambda: connection.connected, "a connection that stays")


async def test_between_two_connections_it_says_that_it_is_not_connected(
    server: AriServer, connection: Connection
) -> None:
    server.answer = lambda request: Answer(503, {"message": "Asterisk not booted"})
    await server.drop()
    await until(lambda: not connection.connected, "the loss")
    assert connection.problem
    server.answer = lambda request: None
    await until(lambda: connection.connected, "a second connection")


async def test_commands_are_still_asked_while_only_the_stream_is_lost(
    server: AriServer, connection: Connection
) -> None:
    server.answer = lambda request: Answer(403, {"message": "no"}) if "events" in request.name else None
    await server.drop()
    await until(lambda: not connection.connected, "the loss")
    await connection.execute(CALL, HangUpLeg(A1, 16))
    assert server.asked("channels.hangup")


async def test_a_stream_whose_end_is_never_confirmed_is_given_up(server: AriServer, ear: Ear) -> None:
    server.mute = True
    async with running(server.url, ear) as (connection, task):
        await until(lambda: connection.connected, "a connection")
        await server.send({"type": "ApplicationReplaced"})
        await until(task.done, "the end")
        assert isinstance(task.exception(), AppTaken)


async def test_it_ends_soon_although_asterisk_says_nothing_any_more(server: AriServer, ear: Ear) -> None:
    server.mute = True
    async with running(server.url, ear) as (connection, task):
        await until(lambda: connection.connected, "a connection")
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=2.0)
        assert done


async def test_a_fault_while_catching_up_is_no_end_of_everything(
    server: AriServer, ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    ear.fails = KeyError("a fault of ours")
    async with running(server.url, ear) as (connection, task):
        await until(lambda: ear.connects > 2, "several attempts")
        assert not task.done()
        await until(lambda: connection.problem, "the problem to be told")
        assert any(record.levelno == logging.ERROR and record.exc_info for record in caplog.records)
        ear.fails = None
        await until(lambda: connection.connected, "a connection after all")


async def test_a_loss_while_catching_up_is_one_more_loss(server: AriServer, ear: Ear) -> None:
    ear.fails = SwitchUnavailable("lost again")
    async with running(server.url, ear) as (connection, _):
        await until(lambda: ear.connects > 2, "several attempts")
        ear.fails = None
        await until(lambda: connection.connected, "a connection after all")


async def test_told_to_end_in_the_moment_of_a_loss_it_ends(server: AriServer) -> None:
    class Ending(Ear):
        async def connected(self) -> None:
            asyncio.get_running_loop().call_soon(task.cancel)
            raise SwitchUnavailable("lost while catching up")

    async with running(server.url, Ending()) as (_, task):
        await until(task.done, "the end")
    assert task.cancelled()


@pytest.mark.parametrize("application", [APP, f"{APP}-devices"])
async def test_who_is_displaced_ends_and_says_so(server: AriServer, ear: Ear, application: str) -> None:
    async with running(server.url, ear) as (connection, task):
        await until(lambda: ear.connects, "a connection")
        await server.send({"type": "ApplicationReplaced", "application": application})
        await until(task.done, "the end")
        assert isinstance(task.exception(), AppTaken)
        assert not connection.connected
        assert server.connects == 1  # it never fights back


async def test_who_is_displaced_soon_stands_by_so_that_two_do_not_displace_each_other_all_the_time(
    server: AriServer, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes the application once in that time at most, however soon it is started again."""
    monkeypatch.setattr(module, "STANDS_BY", 1.0)
    began = asyncio.get_running_loop().time()
    async with running(server.url, ear) as (connection, task):
        await until(lambda: ear.connects, "a connection")
        await server.send({"type": "ApplicationReplaced"})
        await until(lambda: not connection.connected, "the loss")
        await until(task.done, "the end")
    assert asyncio.get_running_loop().time() - began >= 1.0
    assert server.connects == 1


async def test_who_is_displaced_before_the_connection_stands_ends_too(server: AriServer, ear: Ear) -> None:
    server.greetings.append({"type": "ApplicationReplaced", "application": APP})
    async with running(server.url, ear) as (_, task):
        await until(task.done, "the end")
        assert isinstance(task.exception(), AppTaken)


async def test_it_leaves_nothing_behind(server: AriServer, ear: Ear) -> None:
    before = asyncio.all_tasks()
    async with running(server.url, ear) as (connection, _):
        await until(lambda: ear.connects, "a connection")
        for _ in range(5):
            await server.drop()
            await until(lambda: connection.connected and server.sockets, "a connection")
    await until(lambda: asyncio.all_tasks() == before and not server.sockets, "silence")


async def test_a_command_of_a_displaced_service_is_neither_sent_nor_told_as_failed(server: AriServer, ear: Ear) -> None:
    """Its calls belong to whoever displaced it, or to its own next start: nothing may be recorded of them."""
    server.answer = lambda request: Answer(lost=True, after=0.2) if request.name == "channels.create" else None
    async with running(server.url, ear, timeout=5.0) as (connection, task):
        await until(lambda: ear.connects, "a connection")
        under_way = asyncio.create_task(connection.execute(CALL, CreateLeg(A1, "PJSIP/d1", ANN, None, "US", 60)))
        await until(lambda: server.asked("channels.create"), "a request that is under way")
        await server.send({"type": "ApplicationReplaced"})
        await until(task.done, "the end")
        new = asyncio.create_task(connection.execute(CALL, HangUpLeg(A2, 16)))
        done, _ = await asyncio.wait({under_way, new}, timeout=0.5)
        assert not done
        assert len(server.asked("channels.create")) == 1
        assert not server.asked("channels.hangup")
        for one in (under_way, new):
            one.cancel()


# --- whether it is really there ---


@pytest.fixture
def _quick_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "EVERY", 0.02)
    monkeypatch.setattr(pulse, "SOON", 0.02)
    monkeypatch.setattr(pulse, "COMES_WITHIN", 0.05)


@pytest.mark.usefixtures("_quick_pulse")
async def test_while_it_is_quiet_an_event_of_our_own_goes_round_and_all_is_well(server: AriServer, ear: Ear) -> None:
    async with running(server.url, ear) as (connection, _):
        await until(lambda: len(server.asked("events.userEvent")) > 3, "several events of our own")
        assert connection.connected
        assert connection.answering
    assert server.connects == 1
    first = server.asked("events.userEvent")[0]
    assert (first.path, first.body) == ("/events/user/c2c-pulse", {"application": APP})
    assert {"type": "ChannelUserevent"} in server.asked("applications.filter")[0].body["allowed"]
    assert ear.heard == []  # it is nobody's business


async def test_while_other_events_come_none_of_our_own_is_sent(
    server: AriServer, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "EVERY", 0.3)
    async with running(server.url, ear):
        await until(lambda: ear.connects, "a connection")
        for _ in range(12):
            await server.send(recorded("talk")[0])
            await asyncio.sleep(0.05)
        assert not server.asked("events.userEvent")


@pytest.mark.usefixtures("_quick_pulse")
async def test_a_stream_that_is_open_and_delivers_nothing_is_opened_anew(server: AriServer, ear: Ear) -> None:
    metrics = Metrics()
    server.swallows = True
    async with running(server.url, ear, metrics=metrics) as (connection, _):
        await until(lambda: ear.connects > 1, "a second connection")
        server.swallows = False
        await until(lambda: connection.connected, "a connection that stays")
    assert b"c2c_ari_pulses_missed_total 0.0" not in metrics.text()


@pytest.mark.usefixtures("_quick_pulse")
async def test_an_application_that_asterisk_has_forgotten_is_registered_anew(server: AriServer, ear: Ear) -> None:
    async with running(server.url, ear) as (connection, _):
        await until(lambda: ear.connects, "a connection")
        server.answer = lambda request: (
            Answer(404, {"message": "Application not found"}) if request.name == "events.userEvent" else None
        )
        await until(lambda: ear.connects > 1, "a second connection")
        server.answer = lambda request: None
        await until(lambda: connection.connected, "a connection that stays")


@pytest.mark.usefixtures("_quick_pulse")
@pytest.mark.parametrize("silence", [Answer(after=1.0), Answer(lost=True)])
async def test_when_three_requests_are_not_answered_it_takes_no_new_calls_until_one_is(
    server: AriServer, ear: Ear, silence: Answer
) -> None:
    metrics = Metrics()
    async with running(server.url, ear, timeout=0.05, metrics=metrics) as (connection, _):
        await until(lambda: ear.connects, "a connection")
        server.answer = lambda request: silence
        await until(lambda: not connection.answering, "the breaker")
        assert b"c2c_ari_silent 1.0" in metrics.text()
        assert connection.connected  # events are heard all the same
        server.answer = lambda request: None
        await until(lambda: connection.answering, "an answer")
        assert b"c2c_ari_silent 0.0" in metrics.text()
        assert server.connects == 1


async def test_a_refusal_is_an_answer(server: AriServer, connection: Connection) -> None:
    server.answer = lambda request: Answer(500, {"error": "Allocation failed"})
    for _ in range(5):
        with pytest.raises(SwitchRefused):
            await connection.look()
    assert connection.answering


# --- asking ---


async def test_a_look_tells_our_legs_and_leaves_strangers_out(server: AriServer, connection: Connection) -> None:
    def channel(name: str, state: str, app: str = "Stasis") -> dict[str, Any]:
        return {"id": f"{CALL_ID}.{name}", "state": state, "dialplan": {"app_name": app}}

    answers = {
        "channels.list": [channel("a1", "Up"), channel("a2", "Down"), channel("a3", "Down", ""), channel("x", "Up")],
        "bridges.list": [{"id": CALL_ID, "channels": [A1]}, {"id": "theirs", "channels": []}],
        "applications.get": {"channel_ids": [f"{CALL_ID}.{name}" for name in ("a1", "a2", "a3", "gone")]},
    }
    server.answer = lambda request: Answer(200, answers[request.name]) if request.name in answers else None
    assert await connection.look() == Stock(
        {
            LegId(f"{CALL_ID}.a1"): LegState.UP,
            LegId(f"{CALL_ID}.a2"): LegState.READY,
            LegId(f"{CALL_ID}.a3"): LegState.CREATING,
        },
        {CALL_ID: frozenset({A1}), "theirs": frozenset()},  # type: ignore[dict-item]  # anybody's bridge
        1795420800.0,
    )


async def test_a_look_tells_which_legs_are_in_another_application(server: AriServer, connection: Connection) -> None:
    def channel(name: str, app: str, data: str) -> dict[str, Any]:
        return {"id": f"{CALL_ID}.{name}", "state": "Up", "dialplan": {"app_name": app, "app_data": data}}

    channels = [
        channel("a1", "Stasis", f"another,{CALL_ID},{CALL_ID}.a1"),
        channel("a2", "Stasis", f"c2c,{CALL_ID},{CALL_ID}.a2"),  # ours, and not yet among those of the application
        channel("b1", "Dial", "another"),
    ]
    server.answer = lambda request: Answer(200, channels) if request.name == "channels.list" else None
    stock = await connection.look()
    assert stock.elsewhere == {A1}
    assert stock.legs == {}


async def test_a_sweep_passes_by_what_is_gone_and_goes_on_when_one_leftover_is_refused(
    server: AriServer, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    server.answer = lambda request: Answer(404, {"message": "gone"}) if "channels" in request.name else None
    await connection.sweep([A1], [CALL_ID])
    assert [request.name for request in server.requests[-2:]] == ["channels.hangup", "bridges.destroy"]
    assert caplog.records == []
    server.answer = lambda request: Answer(500, {"message": "no"})
    await connection.sweep([A1, A2], [CALL_ID])
    assert [request.name for request in server.requests[-3:]] == [
        "channels.hangup",
        "channels.hangup",
        "bridges.destroy",
    ]
    assert [record.__dict__["id"] for record in caplog.records] == [A1, A2, CALL_ID]
    server.answer = lambda request: Answer(lost=True)
    with pytest.raises(SwitchUnavailable):
        await connection.sweep([A1], [])


# --- trunks ---


def _without_endpoint(name: str) -> Callable[[Request], Answer | None]:
    def answer(request: Request) -> Answer | None:
        missing = request.path == f"/asterisk/config/dynamic/res_pjsip/endpoint/{name}"
        return Answer(404, {"message": "Object not found"}) if missing else None

    return answer


async def test_a_trunk_whose_endpoint_asterisk_has_not_is_told_at_every_connect_and_when_it_is_new(
    server: AriServer, ear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> list[tuple[object, object]]:
        lines = [record.__dict__ for record in caplog.records if "does not know the trunk" in record.message]
        return [(line["endpoint"], line["trunk"]) for line in lines]

    server.answer = _without_endpoint("nosuch")
    wrong, right = Trunk("carrier", "PJSIP/{number}@nosuch"), Trunk("other", "PJSIP/{number}@carrier.example")
    async with running(server.url, ear) as (connection, _):
        connection.use_trunks([wrong, right])
        await until(lambda: len(told()) == 1, "a word about the trunk")
        await server.drop()
        await until(lambda: len(told()) == 2, "the same word")
        connection.use_trunks([right])
        await until(lambda: "endpoint/carrier.example" in server.requests[-1].path, "another look")
        connection.use_trunks([right, wrong])
        await until(lambda: len(told()) == 3, "a word when it is back")
    assert set(told()) == {("nosuch", "[[trunks]] carrier")}


async def test_trunks_that_cannot_be_looked_up_keep_nobody_from_connecting(server: AriServer, ear: Ear) -> None:
    def answer(request: Request) -> Answer | None:
        return Answer(500, {"message": "no"}) if "/endpoint/" in request.path else None

    server.answer = answer
    async with running(server.url, ear) as (connection, _):
        connection.use_trunks([Trunk("carrier", "PJSIP/{number}@carrier")])
        await until(lambda: any("/endpoint/" in request.path for request in server.requests), "a look")
        await connection.look()
        assert connection.connected
        assert server.connects == 1


async def test_a_create_whose_answer_got_lost_is_asked_again_with_the_same_id(
    server: AriServer, connection: Connection
) -> None:
    lost: list[Request] = []

    def answer(request: Request) -> Answer | None:
        if request.name != "channels.create":
            return None
        lost.append(request)
        return Answer(lost=True) if len(lost) == 1 else Answer(409, {"message": "already exists"})

    server.answer = answer
    await connection.execute(CALL, CreateLeg(A1, "PJSIP/d1", ANN, Party("1"), "US", 60))
    assert [request.body["channelId"] for request in lost] == [A1, A1]


async def test_a_dial_whose_answer_got_lost_is_not_asked_again(server: AriServer, connection: Connection) -> None:
    server.answer = lambda request: Answer(lost=True) if request.name == "channels.dial" else None
    await connection.execute(CALL, DialLeg(A1, None, 35))
    assert [request.body for request in server.asked("channels.dial")] == [{"timeout": 35}]


# --- contacts ---


def registered(*names: str) -> Callable[[Request], Answer | None]:
    """Asterisk's answers when these are registered, each once."""

    def answer(request: Request) -> Answer | None:
        if request.name != "channels.getChannelVar":
            return None
        asked = request.query["variable"].removeprefix("PJSIP_DIAL_CONTACTS(").removesuffix(")")
        return Answer(200, {"value": f"PJSIP/{asked}/sip:{asked}@192.0.2.1" if asked in names else ""})

    return answer


async def test_contacts_are_looked_up_when_it_connects(server: AriServer, ear: Ear) -> None:
    server.answer = registered("d1")
    async with running(server.url, ear) as (connection, _):
        await connection.watch({"d1", "d2"})
        await until(lambda: ear.connects, "a connection")
        assert connection.contacts("d1") == (Contact("sip:d1@192.0.2.1"),)
        assert connection.contacts("d2") == ()


async def test_what_is_watched_later_is_looked_up_then_and_only_that(server: AriServer, connection: Connection) -> None:
    server.answer = registered("d1", "d2")
    await connection.watch({"d1"})
    await connection.watch({"d1", "d2"})
    await connection.watch({"d1", "d2"})
    variables = [request.query["variable"] for request in server.asked("channels.getChannelVar")]
    assert variables == ["PJSIP_DIAL_CONTACTS(d1)", "PJSIP_DIAL_CONTACTS(d2)"]
    assert connection.contacts("d2")


async def test_what_is_watched_while_it_connects_is_not_missed(server: AriServer, ear: Ear) -> None:
    watched: list[asyncio.Task[None]] = []

    def answer(request: Request) -> Answer | None:
        if request.name == "channels.getChannelVar" and not watched:
            watched.append(asyncio.create_task(opening[0].watch({"d1", "d2"})))
            return Answer(200, {"value": ""}, after=0.05)
        return registered("d1", "d2")(request)

    opening: list[Connection] = []
    server.answer = answer
    async with running(server.url, ear) as (connection, _):
        opening.append(connection)
        await connection.watch({"d1"})
        await until(lambda: ear.connects, "a connection")
        assert connection.contacts("d2")


async def test_a_look_up_that_failed_is_made_again_when_asked_again(server: AriServer, connection: Connection) -> None:
    server.answer = lambda request: Answer(503, {"message": "no"}) if request.name == "channels.create" else None
    with pytest.raises((SwitchRefused, SwitchUnavailable)):
        await connection.watch({"d1"})
    server.answer = registered("d1")
    await connection.watch({"d1"})
    assert connection.contacts("d1")


async def test_contacts_are_looked_up_anew_at_every_connect(server: AriServer, ear: Ear) -> None:
    server.answer = registered("d1")
    async with running(server.url, ear) as (connection, _):
        await connection.watch({"d1"})
        await until(lambda: connection.contacts("d1"), "a contact")
        server.answer = registered()
        await server.drop()
        await until(lambda: ear.connects == 2, "a second connection")
        assert connection.contacts("d1") == ()
