"""The composition root: builds every part, starts them in order, stops them in the opposite order, and reconfigures them."""

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from c2c_stasis import logs, systemd
from c2c_stasis.api.cors import Cors
from c2c_stasis.api.metrics import MetricServer
from c2c_stasis.api.server import HttpServer, build_app
from c2c_stasis.api.tls import CertificateNotUsable
from c2c_stasis.ari.connection import Connection
from c2c_stasis.arilog import AriLog
from c2c_stasis.arilog import Settings as AriLogSettings
from c2c_stasis.call.model import Now
from c2c_stasis.config import Address, Ari, Config, ConfigError, Http, LogNumbers, Problem, Webhooks, changes
from c2c_stasis.directory.emergency import gaps
from c2c_stasis.directory.webhooks import who_are_told
from c2c_stasis.errors import StoreUnavailable, SwitchRefused, SwitchUnavailable
from c2c_stasis.metrics import Metrics
from c2c_stasis.policy.rates import read_rates
from c2c_stasis.policy.settings import Settings, settings_of
from c2c_stasis.policy.webhook_urls import WebhookUrls
from c2c_stasis.ports import SipServer
from c2c_stasis.publish.envelope import Envelopes
from c2c_stasis.publish.guard import Guard
from c2c_stasis.publish.poster import Poster
from c2c_stasis.publish.webhooks import WebhookSender
from c2c_stasis.service import CallService, unprepared
from c2c_stasis.service.tidying import Tidying
from c2c_stasis.stalls import StallWatch
from c2c_stasis.stopping import STOP_WITHIN, EndWithin, Told, Watchdog, wait_for_calls
from c2c_stasis.store.ownership import served
from c2c_stasis.store.sql_store import SqlStore, open_store

logger = logging.getLogger(__name__)

LAST_WORDS = 1.0  # seconds of the end that are kept for what comes after the database, the log above all
COUNT_OUTBOX = 15.0  # seconds
LOOK_AT_LOOP = 0.25  # seconds
DIRECTORY_POLL = 1.0  # seconds; how soon a change that another process made in the directory counts

MOST_FILES = 65_536  # more than anybody needs; some systems allow a billion
COLLECT_AFTER = (10_000, 20, 20)  # new objects, then rounds: a call makes some hundreds that live until its end


class CannotListen(OSError):
    """An address cannot be listened at; `key` is the setting that names it, `listen` what it says."""

    def __init__(self, key: str, listen: Address, error: OSError) -> None:
        super().__init__(error.errno, error.strerror)
        self.key = key
        self.listen = listen


@contextlib.contextmanager
def listening(key: str, listen: Address) -> Iterator[None]:
    """Raise `CannotListen` for whatever `OSError` there is."""
    try:
        yield
    except OSError as error:
        raise CannotListen(key, listen, error) from error


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> Now:
        """One reading of both clocks."""
        return Now(time.time(), time.monotonic(), _boot())


@cache
def _boot() -> str:
    """Which start of this machine it is; the monotonic clock counts from there, for all its processes."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux
        return ""


def sip_server(config: Config) -> SipServer:
    """Where provisioned phones register: as configured, else on the host where Asterisk's ARI is."""
    host = urlsplit(config.ari.url).hostname or ""
    domain = config.sip.domain or (f"[{host}]" if ":" in host else host)
    return SipServer(domain, config.sip.port or None, config.sip.transport, config.sip.websocket_url)


def ari_log_settings(ari: Ari) -> AriLogSettings | None:
    """How the ARI log is to be written, if at all."""
    if not ari.log:
        return None
    return AriLogSettings(Path(ari.log), ari.app, ari.log_max_mb * 1_000_000, full=ari.log_numbers is LogNumbers.FULL)


def webhook_urls(webhooks: Webhooks) -> WebhookUrls:
    """Where webhooks may go, as configured."""
    return WebhookUrls(webhooks.allow_http, webhooks.ports.numbers, webhooks.allow_subnets)


def policy_of(config: Config) -> Settings:
    """What is allowed to every account, with the prices of the rate file. Raises `ConfigError`, as for any other mistake."""
    name = config.policy.rate_file
    if not name:
        return settings_of(config, None)
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or "is no text in UTF-8"
        fix = "Name a CSV file that the service can read, or leave the key out"
        raise ConfigError([Problem(name, "[policy] rate_file", f"cannot be read: {what}", fix)]) from error
    return settings_of(config, read_rates(text, name))


def place_of(url: str) -> tuple[str, int]:
    """Host and port of a server of ours or of Asterisk, which no webhook may reach."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


class App:
    """The whole service in one process; `async with` starts and stops it. `url` is where it listens, `metrics_url` where the
    figures alone are served, if that is configured. `dropped` tells how many lines of the log were lost."""

    def __init__(self, config: Config, dropped: Callable[[], int] = lambda: 0) -> None:
        self._config = config
        self._dropped = dropped
        self._cors = Cors(config.http.cors_origins)
        self._metrics = Metrics()
        self._stack = AsyncExitStack()
        self._connecting: asyncio.Task[None] | None = None
        self.url = ""
        self.metrics_url = ""

    async def __aenter__(self) -> "App":
        async with AsyncExitStack() as stack:
            config = self._config
            policy = policy_of(config)
            stack.enter_context(served(config.database.url))
            metrics = self._metrics
            self._store = store = await open_store(config.database.url, metrics=metrics)
            stack.push_async_callback(store.close)
            ari = config.ari
            self._ari_log = AriLog(ari_log_settings(ari))
            stack.push_async_callback(
                asyncio.to_thread, self._ari_log.close
            )  # the last thing: until then there is news
            self._connection = connection = Connection(
                ari.url,
                ari.username,
                ari.password,
                ari.app,
                connections=ari.pool,
                timeout=ari.request_timeout,
                contact_acl=config.sip.contact_acl,
                log=self._ari_log,
                metrics=metrics,
            )
            connection.use_trunks(config.trunks)
            stack.push_async_callback(connection.close)
            self.service = CallService(
                store=store,
                switch=connection,
                publisher=Envelopes(),
                clock=SystemClock(),
                calls=config.calls,
                trunks=config.trunks,
                routes=config.routes,
                policy=policy,
                emergency=config.emergency,
                watch=connection.watch,
                provision=connection.provision,
                sip_server=sip_server(config),
                ari_log=self._ari_log,
                metrics=metrics,
            )
            seen = await store.directory_revision()  # before the directory is read, so that no change falls in between
            await self.service.start()
            await self._tell_what_is_not_prepared()
            stack.push_async_callback(self._disconnect)
            stack.push_async_callback(
                self.service.stop
            )  # before the connection: no call shall take its end for a failure
            follower = asyncio.create_task(_follow_directory(store, self.service, seen), name="directory")
            stack.push_async_callback(_end, follower)
            self._tidying = Tidying(store, SystemClock(), config.retention.calls_days)
            tidier = asyncio.create_task(self._tidying.run(), name="tidying")
            stack.push_async_callback(_end, tidier)
            guard = Guard(webhook_urls(config.webhooks), [place_of(ari.url)])
            poster = Poster(guard, wall=time.time, ca_file=config.webhooks.ca_file)
            stack.push_async_callback(poster.close)
            self.webhooks = WebhookSender(
                store,
                poster.post,
                time.time,
                disable_after_days=config.webhooks.disable_after,
                keep_days=config.webhooks.keep_deliveries,
            )
            stack.push_async_callback(self.webhooks.stop)
            api = build_app(self.service, store, self._cors, metrics, poster.vetted)
            self._server = server = HttpServer(api, config.http)
            stack.push_async_callback(server.stop)
            await self._serve_metrics(stack)
            with listening("[http] listen", config.http.listen):
                self.url = replace(config.http, listen=await server.start()).url
            logger.info("listening", extra={"url": self.url})
            if self.metrics_url:
                logger.info("metrics served", extra={"url": self.metrics_url})
            guard.ours += [
                place_of(url) for url in (self.url, self.metrics_url) if url
            ]  # before the first event goes out
            self.webhooks.start()
            metrics.webhook_results.read = lambda: asdict(self.webhooks.tally)
            metrics.log_lines_lost.read = lambda: {"service": self._dropped(), "ari": self._ari_log.lost}
            counting = asyncio.create_task(_count_outbox(store, metrics), name="outbox")
            stack.push_async_callback(_end, counting)
            # Last: to connect takes the application from whoever has it, and what cannot serve must not do that.
            self._connecting = asyncio.create_task(connection.run(self.service), name="asterisk")
            self._stack = stack.pop_all()
        return self

    async def _tell_what_is_not_prepared(self) -> None:
        """For emergency calls. That it cannot be read is no reason not to start: other parts say that."""
        with contextlib.suppress(StoreUnavailable):
            rows, told = await self._store.directory(), who_are_told(await self._store.enabled_webhook_endpoints())
            unprepared.tell(gaps(rows, self._config.trunks, told))

    async def _serve_metrics(self, stack: AsyncExitStack) -> None:
        watching = asyncio.create_task(_watch_loop(self._metrics), name="loop lag")
        stack.push_async_callback(_end, watching)
        listen = self._config.metrics.address
        if listen is None:
            return
        server = MetricServer(self._metrics, listen)
        with listening("[metrics] listen", listen):
            self.metrics_url = f"http://{await server.start()}/metrics"
        stack.push_async_callback(server.stop)

    @property
    def lost(self) -> asyncio.Task[None]:
        """Ends when the service cannot go on, and says why."""
        assert self._connecting is not None  # it has started
        return self._connecting

    @property
    def grace(self) -> float:
        """How many seconds calls are waited for at most, should it be told to stop now."""
        return self._config.service.waits

    async def drain(self, told: Told) -> None:
        """Wait for live calls, as long as the configuration says, and take no others but emergency calls."""
        self.service.drain()
        self._server.drain()
        now = asyncio.create_task(_heard(told.now), name="told twice")
        others = {now, self.lost}
        await wait_for_calls(self.service.emptied, lambda: self.service.live, others, self.grace)
        await _end(now)

    async def reconfigure(self, read: Config) -> Config:
        """Take over what can change while we run, tell what cannot, and give the configuration that counts now."""
        found = changes(self._config, read)
        policy = await asyncio.to_thread(policy_of, found.config)
        self._config = found.config
        self.service.reconfigure(
            found.config.calls, found.config.trunks, found.config.routes, policy, found.config.emergency
        )
        self._tidying.days = found.config.retention.calls_days
        self._cors.use(found.config.http.cors_origins)
        if "trunks" in found.reloaded:
            self._connection.use_trunks(found.config.trunks)
        await self._renew_certificate(found.config.http)
        # Beside the calls: the end of the old log waits for the disk.
        await asyncio.to_thread(self._ari_log.use, ari_log_settings(found.config.ari))
        logger.info("configuration read again", extra={"changed": found.reloaded})
        for key in found.restart:
            logger.warning("needs a restart", extra={"key": key})
        return found.config

    async def _renew_certificate(self, http: Http) -> None:
        """Read it again even if its name is the same, it may be a renewed one. A broken one leaves the old one in place."""
        try:
            await self._server.renew_certificate(http)
        except CertificateNotUsable as error:
            logger.error("certificate refused", extra={"error": str(error)})

    async def _disconnect(self) -> None:
        if self._connecting is not None:
            await _end(self._connecting)

    async def __aexit__(self, *exc_info: object) -> None:
        self._store.end_within(STOP_WITHIN - LAST_WORDS)
        await self._stack.aclose()


def run(config: Config, read: Callable[[], Config] | None = None, ready: Callable[[], None] = lambda: None) -> None:
    """Serve in a process of our own, with an event loop and a garbage collector to suit; returns and raises as `serve` does."""

    def settled() -> None:
        # What has been loaded by now stays for ever. To look through it again and again cost 1 ms a call, and pauses of 100 ms.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT_AFTER)
        ready()

    _fill_standard_streams()
    _take_descriptors()
    watchdog = Watchdog()
    # libuv's loop costs a fifth less processor time a call than asyncio's own.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(config, read, settled, watchdog.end_within))


def _fill_standard_streams() -> None:
    """Put something harmless where standard input, output or error was closed (`2>&-`).

    Else the next file that is opened gets that number, and libuv ends the process with SIGABRT when it closes such a one.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one


def _take_descriptors() -> None:
    """Open as many files as this process may: a shell gives 1024 at first, and allows far more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def serve(
    config: Config,
    read: Callable[[], Config] | None = None,
    ready: Callable[[], None] = lambda: None,
    end_within: EndWithin = lambda _seconds: None,
) -> None:
    """Run until SIGTERM or SIGINT; at SIGHUP, `read` the configuration again, or keep it if there is nothing to read.

    `ready` is called once we listen. Raises what ends the service by itself, such as `AppTaken`.
    """
    app = App(config, lambda: log.dropped)
    told, again = Told(end_within, lambda: app.grace), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.hear)
    loop.add_signal_handler(signal.SIGHUP, again.set)
    log = logs.start(level=config.log.level, style=config.log.format)
    try:
        async with app:
            ready()
            systemd.ready()
            waiting = asyncio.create_task(_heard(told.stop))
            reading = asyncio.create_task(_read_again(again, read or (lambda: config), app, log), name="configuration")
            await asyncio.wait({waiting, app.lost}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            await _end(reading)
            await _stop(app, told)
    finally:
        log.stop()


async def _stop(app: App, told: Told) -> None:
    """What comes before the bounded end. Raises what ends the service by itself."""
    grace = 0.0 if app.lost.done() else app.grace
    systemd.stopping(grace + STOP_WITHIN)
    if grace:  # whether a call lives or not: one may be being accepted
        await app.drain(told)
    told.end_in_order()
    logger.info("stopping", extra={"live_calls": app.service.live})
    if app.lost.done():
        app.lost.result()


async def _heard(event: asyncio.Event) -> None:
    await event.wait()


async def _read_again(again: asyncio.Event, read: Callable[[], Config], app: App, log: logs.LogSink) -> None:
    """Read the configuration again whenever we are told to. One that is wrong changes nothing."""
    while True:
        await again.wait()
        again.clear()
        systemd.reloading()
        try:
            config = await app.reconfigure(await asyncio.to_thread(read))  # a slow disk must not hold up a call
            log.set_level(config.log.level)
        except ConfigError as error:
            # Not a warning: with this file the next start would fail.
            for problem in error.problems:
                logger.error("configuration refused", extra={"problem": str(problem)})
        except Exception:
            logger.exception("configuration not read")  # whatever it was: the old one goes on
        systemd.ready()


async def _follow_directory(store: SqlStore, service: CallService, seen: int) -> None:
    """Take over changes of the directory that another process made since this revision of it."""
    while True:
        await asyncio.sleep(DIRECTORY_POLL)
        try:
            if uses := service.key_uses():
                await store.keys_used(uses)
            revision = await store.directory_revision()
            if revision != seen:
                await service.refresh_directory()
                seen = revision
        except (StoreUnavailable, SwitchUnavailable, SwitchRefused) as error:
            logger.warning("directory not read", extra={"error": str(error)})
        except Exception:
            logger.exception("directory not read")  # whatever it was: the next change shall be noticed all the same


async def _count_outbox(store: SqlStore, metrics: Metrics) -> None:
    """Tell from time to time how many webhooks wait: whoever reads the figures shall not wait for the database."""
    while True:
        with contextlib.suppress(StoreUnavailable):
            metrics.webhooks_waiting.set(await store.pending_deliveries())
        await asyncio.sleep(COUNT_OUTBOX)


async def _watch_loop(metrics: Metrics) -> None:
    """Tell how late the loop is, again and again: a second in which it does nothing else is a second for every call."""
    loop = asyncio.get_running_loop()
    with StallWatch() as watch:
        while True:
            due = loop.time() + LOOK_AT_LOOP
            await asyncio.sleep(LOOK_AT_LOOP)
            metrics.loop_lag.observe(max(0.0, loop.time() - due))
            watch.expect(
                LOOK_AT_LOOP
            )  # not before: what is made ready at the start blocks the loop, and keeps nobody waiting


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
