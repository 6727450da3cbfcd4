"""One live story: its people, its phones, its service; and the proof at its end that nothing is left."""

import asyncio
import itertools
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from c2c_stasis.app import App
from c2c_stasis.config import (
    AccountLimits,
    Address,
    Ari,
    Calls,
    Config,
    Database,
    Http,
    KeyLimits,
    RouteRule,
    Sip,
    Trunk,
    UserLimits,
    Webhooks,
)
from c2c_stasis.directory.model import Account, Platform, User
from c2c_stasis.lab.configuration import TrunkAccount
from c2c_stasis.lab.phone import RINGS, Phone, PhoneCall, Script
from c2c_stasis.lab.tones import TonePattern
from c2c_stasis.lab.user_agent import PRODUCT
from c2c_stasis.logs import TextFormatter
from c2c_stasis.store.sql_store import SqlStore, open_store
from tests.live.client import Client, PlacedCall, Record
from tests.live.process import ServiceProcess
from tests.live.proxy import CuttableProxy
from tests.live.town import Town, device_names, password_of
from tests.live.waiting import GENEROUS, eventually, until

logger = logging.getLogger(__name__)

# Short, because stories are many: nobody in them is slower than this unless the story says so.
TONE_SECONDS = 2.0
SHORT = Calls(ring_timeout=10.0, answer_timeout=10.0, max_duration=60.0, tone_seconds=TONE_SECONDS)
# Far above what a story does, and yet counted: what the defaults refuse is told by stories of its own.
LIMITS: dict[str, Any] = {
    "starts_per_second": 1000.0,
    "burst": 10_000,
    "same_destination": 100_000,
    "international_per_hour": 1_000_000,
    "minutes_per_day": 10_000_000,
}
ANSWERS_SOON = Script(ring_after=0.02, answer_after=0.1)
TALKS_BRIEFLY = Script(ring_after=0.02, answer_after=0.1, hang_up_after=0.2)

PAUSE_BEGUN = 0.2  # seconds of silence after which a tone is over, and does not just stutter

ANSWERED_ELSEWHERE = ['SIP;cause=200;text="Call completed elsewhere"', "Q.850;cause=26"]
"""The Reason headers with which a phone is told that another one took the call (RFC 3326)."""


class Journal(logging.Handler):
    """Keeps every log record of the process, from INFO on."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.records.append(record)

    def alarms(self) -> list[str]:
        """The messages of level ERROR and above, ours or anybody's."""
        return [record.getMessage() for record in self.records if record.levelno >= logging.ERROR]

    def text(self) -> str:
        """All of it, with what `extra` held."""
        formatter = TextFormatter()
        return "\n".join(formatter.format(record) for record in self.records)


class Story:
    """Use it so: make phones, users and destinations, `open` the service, `place` calls."""

    def __init__(self, town: Town, folder: Path) -> None:
        self.town = town
        self.phones: list[Phone] = []
        self.folder = folder
        self.journal = Journal()
        self.expected_alarms: list[str] = []
        """Messages of level ERROR that this story is about, in their order."""
        self.app: App | None = None
        self.database_url = ""
        self.http = Http(Address("127.0.0.1", 0))
        """Where the service listens, and whom it lets in."""
        self.webhooks = Webhooks()
        """Where the service may send events."""
        self.sip = Sip()
        """Where phones register that the service makes."""
        self.trunks: tuple[Trunk, ...] = (Trunk("carrier", "PJSIP/{number}@carrier"),)
        self.routes: tuple[RouteRule, ...] = ()
        self._numbers = (f"+1202555{number:04d}" for number in itertools.count(100))
        self._devices = iter(device_names())
        self._store: SqlStore | None = None
        self._platform: Platform | None = None
        self._account: Account | None = None
        self._client: Client | None = None
        self._proxy: CuttableProxy | None = None
        self._process: ServiceProcess | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def begin(self) -> None:
        """Prepare an empty directory."""
        self._tasks = asyncio.all_tasks()
        logging.getLogger().addHandler(self.journal)
        self.town.scripts.clear()
        self.town.carrier.calls.clear()
        self.town.carrier.messages.clear()
        self.database_url = await self.town.new_database(self.folder / "story.db")
        self._store = await open_store(self.database_url)
        self._platform = await self._store.create_platform("Platform")
        key, _ = await self._store.create_key(self._platform.id)
        self._client = Client(key)

    # Who takes part.

    @property
    def store(self) -> SqlStore:
        """The directory, to be changed until the service opens."""
        assert self._store is not None, "the service has the database now"
        return self._store

    @property
    def client(self) -> Client:
        """The way to the service."""
        assert self._client is not None
        return self._client

    async def account(self, region: str = "US") -> Account:
        """A new account."""
        assert self._platform is not None
        return await self.store.create_account(self._platform.id, "Acme", region=region)

    async def phone(self, script: Script = RINGS, *, device: str | None = None, product: str = PRODUCT) -> Phone:
        """A registered phone: of the next free device, or one more of that device; `product` is its User-Agent."""
        name = device or next(self._devices)
        server = self.town.asterisk.sip_address
        phone = await Phone.start(name, server=server, password=password_of(name), script=script, product=product)
        self.phones.append(phone)
        return phone

    async def stranger(self) -> Phone:
        """A phone that is registered nowhere, and that nobody should call."""
        phone = await Phone.start("stranger")
        self.phones.append(phone)
        return phone

    async def user(self, *devices: Phone | str, name: str = "Alice", account: Account | None = None) -> User:
        """A user with the devices of these phones; a name stands for a device whose phone is not there."""
        if account is None:
            account = self._account = self._account or await self.account()
        user = await self.store.create_user(account.id, name)
        for device in devices:
            endpoint = device if isinstance(device, str) else device.name
            await self.store.create_device(account.id, user.id, endpoint)
        return user

    def absent_device(self) -> str:
        """The name of a device that is not registered."""
        return next(self._devices)

    def destination(self, script: Script, number: str | None = None) -> str:
        """A number at which the carrier behaves so."""
        number = number or next(self._numbers)
        self.town.scripts[number] = script
        return number

    async def second_carrier(self, script: Script, *, trusted: bool = False) -> Phone:
        """Another carrier, which is tried after the first and does the same with every call.

        If it is not trusted, neither we nor Asterisk tell it the number of an anonymous call.
        """
        phone = await Phone.start("second", script=script)
        self.phones.append(phone)
        await self.town.asterisk.add_trunk(TrunkAccount("second", phone.address, trusted))
        self.trunks = (*self.trunks, Trunk("second", "PJSIP/{number}@second", trusted=trusted))
        return phone

    async def shows(self, user: User, number: str, name: str = "") -> None:
        """Let a user's calls show this number."""
        shown = await self.store.create_phone_number(user.account_id, number, caller_id_name=name)
        await self.store.update_user(user.account_id, user.id, {"caller_number_id": shown.id})

    # The service.

    async def open(self, *, ari_url: str | None = None, log_ari: bool = False, **limits: float) -> None:
        """Start the service inside this process, and wait until it takes calls. Its ARI log, if it has one, is in `ari`."""
        await self.close_directory()
        config = self.config(ari_url, **limits)
        if log_ari:
            config = replace(config, ari=replace(config.ari, log=str(self.folder / "ari")))
        self.app = App(config)
        await self.app.__aenter__()
        self.client.url = self.app.url
        await self.until_ready()

    async def open_through_proxy(self, **limits: float) -> CuttableProxy:
        """Start the service with a proxy between it and Asterisk, which can be cut."""
        self._proxy = await CuttableProxy.start(self.town.asterisk.http_url)
        await self.open(ari_url=self._proxy.url, log_ari=False, **limits)
        return self._proxy

    async def open_process(self, config: Config | None = None, **limits: float) -> ServiceProcess:
        """Start the service in a process of its own, which can be killed, perhaps with another configuration."""
        await self.close_directory()
        self._process = ServiceProcess(config or self.config(None, **limits), self.folder)
        await self.start_process()
        return self._process

    async def start_process(self) -> None:
        """Start it again, after it was killed."""
        assert self._process is not None
        self.client.url = await self._process.start()
        await self.until_ready()

    def config(self, ari_url: str | None, **limits: float) -> Config:
        """The configuration of this story's service."""
        asterisk = self.town.asterisk
        values = {name: getattr(SHORT, name) for name in Calls.__dataclass_fields__}
        return Config(
            ari=Ari(
                asterisk.ari_password,
                url=ari_url or asterisk.http_url,
                username=asterisk.ari_username,
                app=asterisk.app,
            ),
            http=self.http,
            database=Database(self.database_url),
            trunks=self.trunks,
            routes=self.routes,
            calls=Calls(**{**values, **limits}),
            webhooks=self.webhooks,
            sip=self.sip,
            user_limits=UserLimits(**LIMITS),
            account_limits=AccountLimits(**LIMITS, calls_at_a_time=100_000),
            key_limits=KeyLimits(**LIMITS),
        )

    async def close_directory(self) -> None:
        """Leave the database to the service."""
        if self._store is not None:
            await self._store.close()
            self._store = None

    async def until_ready(self) -> None:
        """Wait until the service takes calls."""
        await eventually(self.client.ready, bool, "the service to be ready")

    async def until_cut_off(self) -> None:
        """Wait until the service has noticed that it cannot hear Asterisk."""
        await eventually(self.client.ready, lambda ready: not ready, "the service to notice")

    async def place(self, user: User, number: str, **options: object) -> PlacedCall:
        """Place a call, which must be accepted."""
        return await self.client.place(user, number, **options)

    async def answered(self, call: PlacedCall, phone: Phone, ringing: int = 2) -> None:
        """Let this phone answer, once so many ring and Asterisk knows: who has not told it yet hears no reason of the end."""
        await call.told(*["leg.ringing"] * ringing)
        await (await phone.next_call()).answer()

    async def ended(self, call: PlacedCall, within: float = GENEROUS) -> Record:
        """The final record of a call, once every phone has heard of the end too."""
        record = await call.ended(within)
        await self.until_phones_are_free()
        return record

    # The carrier.

    def dialled(self, number: str) -> list[PhoneCall]:
        """The calls that the carrier got for this number."""
        return [call for call in self.town.carrier.calls if call.dialled == number]

    async def dialled_call(self, number: str, within: float = GENEROUS) -> PhoneCall:
        """The one call for this number, as soon as it is there."""
        await self.town.carrier.wait_for(lambda: bool(self.dialled(number)), f"an INVITE for {number}", within)
        (call,) = self.dialled(number)
        return call

    # Asterisk.

    async def make_channel(self, channel_id: str) -> None:
        """Make a channel in the service's application, as the service does, and leave it there."""
        asterisk = self.town.asterisk
        body = {"endpoint": "Local/x@c2c-helper", "app": asterisk.app, "channelId": channel_id}
        await self._ask_asterisk("POST", "channels/create", body)
        await eventually(self.channel_ids, lambda ids: channel_id in ids, f"the channel {channel_id}")

    async def stasis_ids(self) -> set[str]:
        """The channels that are in the hands of an application: one that is not there yet ends when the application leaves."""
        return {
            str(one["id"]) for one in await self.town.asterisk.channels() if one["dialplan"]["app_name"] == "Stasis"
        }

    async def end_channel(self, channel_id: str) -> None:
        """Hang up a channel."""
        await self._ask_asterisk("DELETE", f"channels/{channel_id}", {})

    async def put_into_bridge(self, channel_id: str) -> None:
        """Put a channel of a call into the call's bridge, as the service does."""
        call_id = channel_id.partition(".")[0]
        await self._ask_asterisk("POST", f"bridges/{call_id}/addChannel", {"channel": channel_id})

    async def channel_ids(self) -> set[str]:
        """The channels that Asterisk has; a local one, which has two halves there, counts once."""
        return {str(channel["id"]).removesuffix(";2") for channel in await self.town.asterisk.channels()}

    async def _ask_asterisk(self, method: str, path: str, body: dict[str, str]) -> None:
        asterisk = self.town.asterisk
        login = aiohttp.encode_basic_auth(asterisk.ari_username, asterisk.ari_password)
        async with (
            aiohttp.ClientSession(headers={"Authorization": login}) as http,
            http.request(method, f"{asterisk.ari_url}/{path}", json=body) as answer,
        ):
            assert answer.status in (200, 204), await answer.text()

    # The end.

    async def prove_nothing_is_left(self) -> None:
        """What must hold after every story."""
        for call in self.client.placed:
            await call.ended()
            assert_whole_log(await call.events())
        await self.until_asterisk_is_empty()
        if self.app is not None:
            app = self.app
            await until(lambda: app.service.live == 0, "the service to let go of its calls")
        await self.until_phones_are_free()
        assert [phone.errors for phone in (*self.phones, self.town.carrier) if phone.errors] == []
        for number in {call.dialled for call in self.town.carrier.calls}:
            assert number in self.town.scripts, f"the carrier was asked for {number}"

    async def until_phones_are_free(self) -> None:
        """Wait until no phone but a dead one has a call any more."""
        phones = (*self.phones, self.town.carrier)

        async def busy() -> list[str]:
            return [repr(call) for phone in phones if not phone.dead for call in phone.live_calls]

        await eventually(busy, lambda calls: calls == [], "the end of every call")

    async def until_asterisk_is_empty(self) -> None:
        """Wait until Asterisk has no channel and no bridge."""
        await eventually(self.town.asterisk.channels, lambda left: left == [], "Asterisk to have no channel")
        await eventually(self.town.asterisk.bridges, lambda left: left == [], "Asterisk to have no bridge")

    def prove_no_alarm(self) -> None:
        """No record of level ERROR but those that this story expects."""
        alarms = self.journal.alarms() + (self._process.alarms() if self._process else [])
        assert alarms == self.expected_alarms

    async def tell(self) -> None:
        """Write into the log what everybody saw, for whoever looks for the fault."""
        logger.info("log:\n%s", self.journal.text())
        for line in self._process.lines() if self._process else []:
            if line.get("logger") != "c2c_stasis.api.edge":
                logger.info("%s", line)
        for phone in (*self.phones, self.town.carrier):
            logger.info("what %s saw:\n%s", phone.name, phone.ladder())
        for call in self.client.placed:
            try:
                logger.info("record: %s", await call.record())
                logger.info("events:\n%s", "\n".join(str(event) for event in await call.events()))
            except Exception as exc:
                logger.info("no record: %r", exc)

    async def finish(self) -> None:
        """Stop what this story started, whatever became of it."""
        if self.app is not None:
            await self.app.__aexit__(None, None, None)
        if self._proxy is not None:
            await self._proxy.cut()
        if self._process is not None:
            await self._process.stop()
        await self.close_directory()
        if self._client is not None:
            await self._client.close()
        for phone in self.phones:
            await phone.stop()
        for call in self.town.carrier.live_calls:
            await call.hang_up()
        logging.getLogger().removeHandler(self.journal)

    async def prove_no_task_is_left(self) -> None:
        """Every task of the story has ended with it."""
        ours = self._tasks | {asyncio.current_task()}
        await until(lambda: asyncio.all_tasks() <= ours, "the end of every task")


def assert_whole_log(events: list[Record]) -> None:
    """An event log has no gap, and one end, which comes last."""
    assert [event["data"]["sequence"] for event in events] == list(range(1, len(events) + 1))
    types = [event["type"] for event in events]
    assert types.count("call.end") == 1
    assert types[-1] == "call.end"


async def hears(call: PhoneCall, pattern: TonePattern, within: float = 2 * GENEROUS) -> None:
    """Wait until a phone has heard a call progress tone once, undisturbed by what it heard before or after."""

    async def listen() -> list[float]:
        ear = call.audio.ear if call.audio else None
        stretches = ear.stretches(pattern.hz) if ear else []
        if ear is None or not stretches:
            return []
        starts = [stretch.start for stretch in stretches[1:]] + [ear.blocks()[-1].end]
        silences = [start - stretch.end for stretch, start in zip(stretches, starts, strict=True)]
        pairs = zip((stretch.seconds for stretch in stretches), silences, strict=True)
        return [round(seconds, 2) for pair in pairs for seconds in pair]

    what = f"{pattern.name} {pattern.cadence} at {call.phone.name}"
    await eventually(listen, lambda times: holds(times, pattern.cadence), what, within)


def holds(times: list[float], cadence: tuple[float, ...], tolerance: float = 0.1) -> bool:
    """Whether a cadence is somewhere among the times of sound and silence; the last silence may still go on."""

    def fits(at: int, seconds: float, wanted: float) -> bool:
        begun = at == len(times) - 1 and seconds >= PAUSE_BEGUN
        return abs(seconds - wanted) <= tolerance or (begun and seconds <= wanted)

    return any(
        all(fits(at, times[at], wanted) for at, wanted in enumerate(cadence, begin))
        for begin in range(0, len(times) - len(cadence) + 1, 2)
    )
