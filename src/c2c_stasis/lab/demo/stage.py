"""All that runs during the demonstration: Asterisk, its phones, the service; whatever of it is killed is started again."""

import asyncio
import secrets
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import aiohttp

from c2c_stasis.lab import carrier
from c2c_stasis.lab.asterisk import Asterisk
from c2c_stasis.lab.configuration import DeviceAccount
from c2c_stasis.lab.demo import env_file
from c2c_stasis.lab.demo.onlooker import Onlooker
from c2c_stasis.lab.demo.record import Record, describe, winner
from c2c_stasis.lab.demo.service_process import ServiceProcess, run_once
from c2c_stasis.lab.demo.timeline import Screen, Timeline
from c2c_stasis.lab.demo.web_page import ANSWERS, WebPage
from c2c_stasis.lab.deployment import HOST
from c2c_stasis.lab.errors import LaboratoryError
from c2c_stasis.lab.installation import Installation
from c2c_stasis.lab.phone import Phone, PhoneCall, Script
from c2c_stasis.lab.ports import free_ports
from c2c_stasis.lab.sip import SipMessage, parse_uri
from c2c_stasis.together import all_of

DESTINATION = "+15551234567"
CALLER_NUMBER = "+12025550142"  # one of those kept for films
DESK, MOBILE, BOB, CARRIER = "desk", "mobile", "bob", "carrier"
TONES = {DESK: 800.0, MOBILE: 1200.0, BOB: 1600.0, CARRIER: 1000.0}  # Hz; clear of each other and of all progress tones

RING_AFTER = 0.1  # seconds
PICKED_UP_AFTER = 1.0  # seconds; by whoever is first
TOO_LATE_AFTER = 5.0  # seconds; by the other phone, if it still rings then
DESTINATION_ANSWERS_AFTER = 1.5  # seconds; time to hear ringback
TALK = 3.0  # seconds
TALK_IN_PAGE = 60.0  # seconds; by whom the page calls: somebody listens

STEADY = 5.0  # seconds; a service that lives shorter than this did not start well
MOST_STARTS = 3  # of a service that does not live
WATCH = 0.2  # seconds between two looks at Asterisk


class Stage:
    """`async with Stage(...) as stage`: all is ready inside, and nothing is left afterwards."""

    def __init__(
        self, installation: Installation, screen: Screen, *, mute: str | None, env: Path | None, page: bool = False
    ) -> None:
        self.timeline = Timeline(screen)
        self.onlooker = Onlooker(self.timeline, TONES)
        self.records: dict[str, asyncio.Future[Record]] = {}
        """The final record of each call by its id, as soon as it has ended."""
        self.phones: dict[str, Phone] = {}
        self._installation = installation
        self._screen = screen
        self._mute = mute
        self._env = env
        self._env_wanted = False
        self._page_wanted = page
        self._page: WebPage | None = None
        self._stack = AsyncExitStack()
        self._beside: set[asyncio.Task[None]] = set()
        self._config = Path()
        self._made: dict[str, Any] = {}
        self._made_carol: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    # --- what it is made of ---

    async def _start(self, stack: AsyncExitStack) -> None:
        far_end = await stack.enter_async_context(
            await Phone.start(CARRIER, script=self._carrier_script, on_message=self._see)
        )
        accounts = {name: DeviceAccount(name, secrets.token_urlsafe(12)) for name in (DESK, MOBILE, BOB)}
        started = time.monotonic()
        self.asterisk = await Asterisk.start(self._installation, accounts.values(), far_end.address)
        await stack.enter_async_context(self.asterisk)
        took = time.monotonic() - started
        self._screen.say(f"Asterisk {self._installation.version} runs (process {self.asterisk.pid}, {took:.1f} s)")
        self.phones = {CARRIER: far_end}
        for name, account in accounts.items():
            phone = await Phone.start(
                name,
                server=self.asterisk.sip_address,
                password=account.password,
                script=self._phone_script(name),
                on_message=self._see,
            )
            self.phones[name] = await stack.enter_async_context(phone)
        stack.push_async_callback(self.onlooker.stop)
        self._screen.say(
            "phones are registered: desk and mobile (Alice), bob (Bob); the carrier waits behind the trunk"
        )
        if self._page_wanted:
            self._page = await WebPage.start()
            stack.push_async_callback(self._page.stop)
        await self._provide()
        self.service = self._service()
        await self.service.start(self.base_url)
        stack.push_async_callback(self._stop_service)
        self._screen.say(f"the service runs (process {self.service.pid}): {self.base_url}")
        if self._page is not None:
            carol = str(self._made_carol["user_id"])
            await self._page.open_for(self.base_url, self._headers, carol, self.asterisk.websocket_url)
        printing = asyncio.create_task(self.timeline.run(), name="timeline")
        stack.callback(printing.cancel)
        stack.callback(self._remove_env)
        stack.push_async_callback(self._let_go)

    def _service(self) -> ServiceProcess:
        asterisk, origin = self.asterisk, self._page.origin if self._page else ""
        return ServiceProcess(self._config, self._hear, asterisk.sip_address[1], asterisk.websocket_url, origin)

    async def _provide(self) -> None:
        """Make configuration, database, account and users, as an operator does."""
        # Inside Asterisk's folder: that one is removed with us, or by the next start if we are killed.
        folder = self.asterisk.run_dir / "service"
        folder.mkdir()
        self._config = folder / "c2c.toml"
        listen = f"{HOST}:{free_ports().http}"
        about_file = (
            *("--listen", listen, "--ari-url", self.asterisk.http_url, "--ari-username", self.asterisk.ari_username),
            *("--ari-password", "-", "--ari-app", self.asterisk.app, "--trunk", CARRIER),
        )
        alice = ("--user", "Alice", "--device", DESK, "--device", MOBILE, "--extension", "1001")
        bob = ("--user", "Bob", "--device", BOB, "--extension", "1002")
        init = ("init", "--json", "-c", str(self._config))
        account = ("--account", "Demo", "--region", "US", "--caller-number", CALLER_NUMBER)
        self._made = await run_once(
            *init, *about_file, *account, *alice, folder=folder, secret=self.asterisk.ari_password
        )
        await run_once(*init, *bob, folder=folder)
        if self._page is not None:
            self._made_carol = await run_once(*init, "--user", "Carol", "--extension", "1003", folder=folder)
        self._screen.say("c2c-stasis init has made a configuration, a database, an account, Alice, Bob and a key")

    def _phone_script(self, name: str) -> Script:
        first = self._mute if self._mute in (DESK, MOBILE) else DESK  # who is muted must be heard to be missed
        answer_after = PICKED_UP_AFTER if name in (first, BOB) else TOO_LATE_AFTER
        return Script(
            ring_after=RING_AFTER,
            answer_after=answer_after,
            hang_up_after=TALK if name == BOB else None,
            tone_hz=TONES[name],
            muted=self._mute == name,
        )

    def _carrier_script(self, invite: SipMessage) -> Script:
        answers = Script(
            ring_after=RING_AFTER,
            answer_after=DESTINATION_ANSWERS_AFTER,
            hang_up_after=TALK_IN_PAGE if parse_uri(invite.request_uri).user == ANSWERS else TALK,
            tone_hz=TONES[CARRIER],
            muted=self._mute == CARRIER,
        )
        return carrier.by_number(invite, answers, refuse_after=PICKED_UP_AFTER)

    # --- for those who call ---

    @property
    def base_url(self) -> str:
        """Where the API is served."""
        return str(self._made["base_url"])

    @property
    def key(self) -> str:
        """A key of the platform."""
        return str(self._made["key"])

    @property
    def account_id(self) -> str:
        """The account that Alice and Bob belong to."""
        return str(self._made["account_id"])

    @property
    def user_id(self) -> str:
        """Alice."""
        return str(self._made["user_id"])

    @property
    def page_url(self) -> str:
        """Where a browser on this machine is a phone."""
        return f"{self._page.origin}/" if self._page else ""

    @property
    def curl(self) -> str:
        """The request of the product page, for Alice and `DESTINATION`."""
        return str(self._made["curl"])

    def write_env(self) -> None:
        """Write the file for scripts, now and whenever something in it changes."""
        self._env_wanted = True
        if self._env is None:
            return
        env_file.write(
            self._env,
            {
                "C2C_BASE_URL": self.base_url,
                "C2C_API_KEY": self.key,
                "C2C_ACCOUNT": self.account_id,
                "C2C_USER": self.user_id,
                "C2C_DESTINATION": DESTINATION,
                "C2C_ARI_URL": self.asterisk.http_url.rstrip("/"),
                "C2C_ARI_USERNAME": self.asterisk.ari_username,
                "C2C_ARI_PASSWORD": self.asterisk.ari_password,
                "C2C_LAB_SERVER": "{}:{}".format(*self.asterisk.sip_address),
                "C2C_DATABASE_URL": self._made["database_url"],
                "C2C_SERVICE_PID": self.service.pid,
                "C2C_ASTERISK_PID": self.asterisk.pid or "",
                "C2C_CONFIG": str(self._config),
                "C2C_ASTERISK_ETC": str(self.asterisk.run_dir / "etc"),
            },
        )

    async def place_call(self) -> str:
        """Ask the API for one call of Alice to the destination, and give its id. Raises `LaboratoryError`."""
        body = {"user_id": self.user_id, "dial_string": DESTINATION}
        async with self._http() as http, http.post(f"{self.base_url}/v1/calls", json=body) as answer:
            text = await answer.text()
            if answer.status != 202:
                raise LaboratoryError(f"the API refused the call: {answer.status} {text}")
            call_id = answer.headers["Location"].rpartition("/")[2]
        self.records.setdefault(call_id, asyncio.get_running_loop().create_future())
        return call_id

    def deaf_side(self, record: Record) -> str | None:
        """What is wrong with the sound of a call that was completed, or nothing."""
        near = _last_call(self.phones[winner(record, "a") or DESK])
        far = _last_call(self.phones[winner(record, "b") or CARRIER])
        if near is None or far is None:
            return "nobody answered"
        return self.onlooker.deaf_side(near, far)

    def _http(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers=self._headers, timeout=aiohttp.ClientTimeout(total=10.0))

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "DialStack-Account": self.account_id}

    # --- while it runs ---

    async def keep_alive(self) -> None:
        """Start again what was killed, until cancelled. Raises `LaboratoryError` when it does not come back."""
        await all_of([self._keep_service(), self._keep_asterisk()])

    async def _keep_service(self) -> None:
        short_lives = 0
        while True:
            began = time.monotonic()
            how = await self.service.wait()
            short_lives = short_lives + 1 if time.monotonic() - began < STEADY else 0
            if short_lives >= MOST_STARTS:
                raise LaboratoryError(f"the service {how}, again and again:\n{self.service.last_words}")
            self._tell("service", f"{how}; starting it again")
            service = self._service()
            await service.start(self.base_url)
            self.service = service
            self._tell("service", f"runs again (process {service.pid})")
            self._refresh_env()

    async def _keep_asterisk(self) -> None:
        while True:
            await asyncio.sleep(WATCH)
            if self.asterisk.pid is None:
                self._tell("asterisk", "has ended; starting it again")
                await self.asterisk.restart()
                self._tell("asterisk", f"runs again (process {self.asterisk.pid})")
                self._refresh_env()

    def _refresh_env(self) -> None:
        if self._env_wanted:
            self.write_env()

    def _remove_env(self) -> None:
        if self._env_wanted and self._env is not None:
            self._env.unlink(missing_ok=True)

    def _tell(self, who: str, what: str) -> None:
        self.timeline.note(time.monotonic(), who, what)

    def _hear(self, line: dict[str, Any]) -> None:
        self.onlooker.hear(line)
        match line:
            case {"message": "call.initiated", "call_id": str() as call_id}:
                self._do(self._name_winner(line, call_id))
            case {"message": "call.end", "call_id": str() as call_id}:
                self._do(self._keep_record(call_id))

    def _see(self, phone: Phone, message: SipMessage) -> None:
        self.onlooker.see(phone, message)
        if message.method == "INVITE" and not message.sent and not message.to.tag:
            self._do(self._find_call(message.call_id))

    async def _find_call(self, dialog: str) -> None:
        """Ask Asterisk which channel this dialog is: a channel has the id of its leg, which begins with that of the call."""
        asterisk = self.asterisk
        login = aiohttp.encode_basic_auth(asterisk.ari_username, asterisk.ari_password)
        try:
            async with (
                aiohttp.ClientSession(
                    headers={"Authorization": login}, timeout=aiohttp.ClientTimeout(total=1.0)
                ) as http,
                http.get(f"{asterisk.http_url.rstrip('/')}/ari/channels") as answer,
            ):
                channels = await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError):  # it only marks lines
            return
        for channel in channels:
            if channel.get("protocol_id") == dialog:
                self.timeline.belongs(dialog, channel["id"].rpartition(".")[0])

    async def _name_winner(self, line: dict[str, Any], call_id: str) -> None:
        record = await self._record(call_id)
        self.onlooker.won(line, winner(record, "a") if record else None)

    async def _keep_record(self, call_id: str) -> None:
        record = await self._record(call_id)
        if record is None:
            return
        future = self.records.setdefault(call_id, asyncio.get_running_loop().create_future())
        if not future.done():
            self.timeline.block(describe(record))
            future.set_result(record)

    async def _record(self, call_id: str) -> Record | None:
        try:
            async with self._http() as http, http.get(f"{self.base_url}/v1/calls/{call_id}") as answer:
                record: Record = await answer.json()
                return record if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError):  # killed in this moment
            return None

    def _do(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    async def _let_go(self) -> None:
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)

    async def _stop_service(self) -> None:
        await self.service.stop()


def _last_call(phone: Phone) -> PhoneCall | None:
    return next((call for call in reversed(phone.calls) if call.answered_at is not None), None)
