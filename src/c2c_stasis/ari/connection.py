"""The connection to Asterisk: opened, kept, opened again, and watched; it is the `Switch` of the service."""

import asyncio
import json
import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urljoin

import anyio

from c2c_stasis.ari import switch
from c2c_stasis.ari.client import Client, RawEvent
from c2c_stasis.ari.devices import Devices
from c2c_stasis.ari.http import URGENT
from c2c_stasis.ari.operations import Operations
from c2c_stasis.ari.phone_objects import NO_ACL
from c2c_stasis.ari.provisioning import Provisioning
from c2c_stasis.ari.pulse import PULSE_EVENT, Breaker, Pulse
from c2c_stasis.ari.translate import CALL_EVENTS, NotUnderstood, leg_state, translate
from c2c_stasis.ari.transport import NeverSent, Reply, Transport
from c2c_stasis.ari.trunks import Trunks
from c2c_stasis.arilog import AriLog
from c2c_stasis.call.commands import Command
from c2c_stasis.call.model import Call
from c2c_stasis.config import Trunk
from c2c_stasis.directory.sip_account import Registrant
from c2c_stasis.errors import ClickToCallError, SwitchRefused, SwitchUnavailable, first_of
from c2c_stasis.ids import CallId, LegId, call_of
from c2c_stasis.metrics import Metrics, ask
from c2c_stasis.ports import Contact, Listener, Stock

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.1  # seconds before the first attempt to connect again; doubled each time, with jitter
LONGEST_PAUSE = 5.0  # seconds
STANDS_BY = 30.0  # seconds from a connection that took the application to the end of who was displaced
LOST = "the event connection to Asterisk is lost"
# Not "endpoint:", which tells the same and less besides: when an application with that subscription ends within milliseconds
# of a registration, Asterisk 22.10.1 crashes, and every call with it (once in about 120 tries; never in 2,100 with this one).
EVERY_DEVICE = "endpoint:PJSIP"
GONE = 404
SWEPT = 31  # Q.850 normal, unspecified: the cause of channels that nobody needs any more


class AppTaken(ClickToCallError):
    """Another service connected to Asterisk under the same application name; two would fight over every call."""

    def __init__(self, app: str) -> None:
        super().__init__(f"another service took over the Stasis application {app!r}: give each its own [ari] app")


class Connection:
    """Asterisk over ARI. `run` keeps it connected until cancelled, and ends with `AppTaken` if it is displaced, though not
    sooner than half a minute after it connected."""

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        app: str,
        *,
        connections: int = 32,
        timeout: float = 3.0,
        contact_acl: str = NO_ACL,
        log: AriLog | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._log = log or AriLog()
        self._metrics = metrics or Metrics()
        ask(self._metrics.ari_connected, lambda: self._connected)
        self._url = url
        self._app = app
        self._devices_app = f"{app}-devices"  # its own application: else each channel event would come twice
        self._breaker = Breaker(self._metrics)
        self._pulse = Pulse(app, self._breaker, self._metrics)
        self._transport = Transport(
            url, username, password, connections=connections, timeout=timeout, log=self._log, note=self._note
        )
        self._patience = timeout
        self._devices = Devices(self._expected, lambda endpoint: endpoint in self._watched)
        self._trunks = Trunks()
        self._provisioning = Provisioning(contact_acl)
        self._client: Client | None = None
        self._ready: Operations | None = None
        self._connected = False
        self._taken = False
        self._took_at = 0.0
        self._watched: frozenset[str] = frozenset()
        self._read: frozenset[str] = frozenset()  # those of them whose contacts are known
        self.problem = "not connected yet"
        self.started_at: float | None = None
        self._told = ""  # the problem that was told last, if nothing has become better since

    @property
    def connected(self) -> bool:
        return self._connected and not self._taken

    @property
    def answering(self) -> bool:
        return not self._breaker.open

    def contacts(self, endpoint: str) -> Sequence[Contact]:
        return self._devices.contacts(endpoint)

    async def watch(self, endpoints: Iterable[str]) -> None:
        """Say which endpoints matter; those that are new are looked up now, or at the next connect.

        Raises `SwitchUnavailable` or `SwitchRefused` when they could not be looked up; then say it again.
        """
        self._watched = frozenset(endpoints)
        self._read &= self._watched
        self._devices.forget()
        if self._connected:
            await self._read_contacts(self._operations)

    async def provision(self, phones: Mapping[str, Registrant], removed: Iterable[str]) -> None:
        """Say which endpoints Asterisk must have by our doing, for whom each, and which it must not have any more.

        When this returns that is so, or it is told why not and tried again; while we are not connected, at the next connect.
        Raises `SwitchUnavailable` when Asterisk does not answer in time; that is tried again, too.
        """
        self._provisioning.want(phones, removed)
        if not self._connected:
            return
        try:
            async with asyncio.timeout(self._patience):  # for all of it, and for whoever settles before us
                await self._provisioning.settle_new(self._operations)
        except TimeoutError as error:
            raise SwitchUnavailable(f"phones not provisioned within {self._patience:g} s") from error

    def provisioned(self, endpoint: str) -> bool:
        """Whether Asterisk has this endpoint by our doing, as far as anybody knows."""
        return self._connected and self._provisioning.there(endpoint)

    def use_trunks(self, trunks: Sequence[Trunk]) -> None:
        """Say which trunks are in use; it is told which of them Asterisk does not know, now or at the next connect."""
        self._trunks.use(trunks)

    async def execute(self, call: Call, command: Command) -> None:
        before = URGENT.set(call.emergency)
        try:
            await switch.execute(self._operations, self._app, call, command)
        except Exception:
            if self._taken:
                # What we cannot ask for any more has not failed: its record stays as it is until somebody finds the call.
                await asyncio.get_running_loop().create_future()
            raise
        finally:
            URGENT.reset(before)

    async def look(self) -> Stock:
        operations = self._operations
        channels, bridges, info, app = await asyncio.gather(
            operations.channels.list(),
            operations.bridges.list(),
            operations.asterisk.getInfo(only="status"),
            operations.applications.get(applicationName=self._app),
        )
        ours = set(app.json()["channel_ids"])
        legs = {LegId(channel["id"]): leg_state(channel) for channel in channels.json() if channel["id"] in ours}
        elsewhere = {LegId(channel["id"]) for channel in channels.json() if self._is_elsewhere(channel)} - legs.keys()
        members = {CallId(bridge["id"]): frozenset(map(LegId, bridge["channels"])) for bridge in bridges.json()}
        return Stock(legs, members, _started_at(info), frozenset(elsewhere))

    async def was_dialled(self, leg_id: LegId) -> bool | None:
        return await switch.was_dialled(self._operations, leg_id)

    async def sweep(self, legs: Iterable[LegId], bridges: Iterable[CallId]) -> None:
        for leg_id in legs:
            await _release(leg_id, self._operations.channels.hangup(channelId=leg_id, reason_code=str(SWEPT)))
        for bridge_id in bridges:
            await _release(bridge_id, self._operations.bridges.destroy(bridgeId=bridge_id))

    async def run(self, listener: Listener) -> None:
        """Connect, and connect again whenever the connection is lost, until cancelled."""
        pause = FIRST_PAUSE
        try:
            while True:
                try:
                    await self._attempt(listener)
                    pause = FIRST_PAUSE
                    self.problem, self._told = LOST, ""
                    self._metrics.ari_losses.inc()
                    logger.warning("connection to Asterisk lost", extra={"app": self._app})
                except (SwitchUnavailable, SwitchRefused) as error:
                    self._failed(_explain(error), pause)
                except Exception as error:
                    self._failed(f"not understood: {type(error).__name__}", pause, error)
                if self._taken:
                    logger.error("another service took over our Stasis application", extra={"app": self._app})
                    # Whoever starts us again at once would let the two take it from one another without end.
                    await asyncio.sleep(self._took_at + STANDS_BY - asyncio.get_running_loop().time())
                    raise AppTaken(self._app)
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311  # jitter, not a secret
                pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            await self.close()

    def _failed(self, problem: str, pause: float, fault: Exception | None = None) -> None:
        """Tell what keeps us from connecting when it is new, and when attempts are as rare as they become."""
        level = logging.WARNING if fault is None else logging.ERROR
        if problem == self._told and pause < LONGEST_PAUSE:
            level = logging.DEBUG
        self.problem = self._told = problem
        message = "not connected to Asterisk" if fault is None else "connection to Asterisk failed"
        logger.log(level, message, extra={"error": problem, "again_in_s": pause}, exc_info=fault)

    async def close(self) -> None:
        """Give the connections to Asterisk back; `run` does so at its end."""
        await self._transport.shut()

    async def _attempt(self, listener: Listener) -> None:
        """One connection, in a task of its own: a task group that is failing when it is cancelled forgets that it was (anyio
        4.16), and who is told to end must end."""
        staying = asyncio.create_task(self._stay(listener), name="asterisk connection")
        try:
            await asyncio.wait({staying})
        except asyncio.CancelledError:
            staying.cancel()
            await asyncio.gather(staying, return_exceptions=True)
            raise
        staying.result()

    async def _stay(self, listener: Listener) -> None:
        """One connection from its opening to its end. Raises what keeps it from opening."""
        try:
            async with anyio.create_task_group() as group:
                apps = [self._app, self._devices_app]
                client = Client(group, self._url, apps, self._transport, self._hearing(listener), self._log)
                async with client:
                    self._client, self._took_at = client, asyncio.get_running_loop().time()
                    if self._taken:  # the stream was heard before there was a client to end
                        client.ended.set()
                    self._ready = Operations(client.swagger, self._transport, self._metrics)
                    await self._set_up(self._ready)
                    self._connected = True
                    self._metrics.ari_connections.inc()
                    self.problem = ""
                    logger.info("connected to Asterisk", extra={"app": self._app})
                    await listener.connected()
                    group.start_soon(self._devices.meet_strangers, self._ready)
                    group.start_soon(self._trunks.watch, self._ready)
                    group.start_soon(self._provisioning.keep, self._ready)
                    group.start_soon(self._feel_pulse, client)
                    await client.ended.wait()
                    group.cancel_scope.cancel()
        except ExceptionGroup as errors:
            error = first_of(errors, SwitchUnavailable, SwitchRefused)
            if error is None:
                raise
            raise error from errors
        finally:
            if self._connected:  # who sees that it is lost is told why at once
                self._connected, self.problem = False, LOST

    def _note(self, answered: bool) -> None:
        if answered or self._connected:  # why there is no connection is told elsewhere
            self._breaker.note(answered)

    async def _feel_pulse(self, client: Client) -> None:
        await self._pulse.watch(self._ready)
        client.ended.set()

    async def _set_up(self, operations: Operations) -> None:
        await self._filter(self._app, (*CALL_EVENTS, PULSE_EVENT))
        await self._filter(self._devices_app, ("ContactStatusChange",))
        await operations.applications.subscribe(applicationName=self._devices_app, eventSource=EVERY_DEVICE)
        self.started_at = _started_at(await operations.asterisk.getInfo(only="status"))
        await self._provisioning.forget()
        await self._provisioning.settle(operations)  # before contacts are read: Asterisk may have lost its phones
        self._read = frozenset()
        await self._read_contacts(operations)

    async def _read_contacts(self, operations: Any) -> None:
        """Look up what is watched and was not looked up on this connection yet, also what is added meanwhile."""
        while new := self._watched - self._read:
            await self._devices.read(operations, self._devices_app, new)
            self._read |= new & self._watched
        self._devices.forget()  # what was let go of meanwhile

    def _expected(self, endpoint: str) -> bool:
        """Whether Asterisk should have this endpoint; not if its device was deleted meanwhile, or we have not put it there."""
        return endpoint in self._watched and not self._provisioning.in_work(endpoint)

    def _is_elsewhere(self, channel: dict[str, Any]) -> bool:
        """Whether a channel is in another Stasis application; Asterisk tells its name and arguments, with commas between."""
        dialplan = channel.get("dialplan", {})
        app = str(dialplan.get("app_data", "")).split(",")[0]
        return dialplan.get("app_name") == "Stasis" and app not in ("", self._app)

    async def _filter(self, app: str, types: Sequence[str]) -> None:
        # asyncari wraps the body of this operation in a field of its own, which Asterisk then ignores
        url = urljoin(self._url, f"/ari/applications/{app}/eventFilter")
        await self._transport.request("PUT", url, data=json.dumps({"allowed": [{"type": name} for name in types]}))

    def _hearing(self, listener: Listener) -> Callable[[RawEvent], None]:
        def hear(event: RawEvent) -> None:
            application = event.get("application")
            if application not in (self._app, self._devices_app):
                raise NotUnderstood("application")
            if event.get("type") == "ApplicationReplaced":
                self._taken = True
                self._transport.bar()
                if self._client is not None:
                    self._client.ended.set()
            elif application == self._devices_app:
                self._devices.hear(event)
            else:
                self._pulse.feel()
                if (reported := translate(event)) is not None:
                    listener.receive(*reported)

        return hear

    @property
    def _operations(self) -> Any:
        if self._ready is None:
            raise SwitchUnavailable("not connected to Asterisk yet")
        return self._ready


async def _release(name: str, request: Any) -> None:
    """Carry out one clean-up; that one leftover cannot be released must keep nobody from connecting."""
    try:
        await request
    except SwitchRefused as refusal:
        if refusal.status != GONE:
            extra = {"call_id": call_of(LegId(name)), "id": name, "error": str(refusal)}
            logger.warning("leftover not released", extra=extra)


def _explain(error: Exception) -> str:
    if isinstance(error, SwitchRefused) and error.status == 401:
        return "Asterisk does not accept the user name or password ([ari] username, password; ari.conf)"
    if isinstance(error, SwitchRefused) and error.status == 403:
        return "this ARI user may only read (ari.conf: read_only = no)"
    if isinstance(error, SwitchRefused) and error.status == 404:
        return "Asterisk's HTTP server answers, but ARI is not loaded (ari.conf: enabled = yes; res_ari modules)"
    if isinstance(error, NeverSent):
        return f"{error} ([ari] url; http.conf: enabled = yes, bindaddr and bindport)"
    return str(error)


def _started_at(info: Reply) -> float:
    """When Asterisk started, in Unix seconds by its own clock; it tells the same as long as it runs, wherever that is set."""
    return datetime.fromisoformat(info.json()["status"]["startup_time"]).timestamp()
