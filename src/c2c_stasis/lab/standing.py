"""`lab up`: an Asterisk with devices and a carrier that stands ready for a service, until it is told to end."""

import asyncio
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from c2c_stasis.lab import carrier
from c2c_stasis.lab.asterisk import Asterisk
from c2c_stasis.lab.configuration import DeviceAccount
from c2c_stasis.lab.demo import env_file
from c2c_stasis.lab.demo.onlooker import Onlooker
from c2c_stasis.lab.demo.timeline import Screen, Timeline
from c2c_stasis.lab.obtain import obtain
from c2c_stasis.lab.phone import Phone
from c2c_stasis.lab.script import Script
from c2c_stasis.lab.sip import SipMessage
from c2c_stasis.lab.until import until_told

CARRIER = "carrier"
TONES = {"desk": 800.0, "mobile": 1200.0, "bob": 1600.0, CARRIER: 1000.0}  # Hz; those of the demonstration
ENDPOINT = "PJSIP/{number}@carrier"
WATCH = 0.2  # seconds between two looks at Asterisk

READY = """\

ARI        {ari}, user {user}, password {password}, application {app}
SIP        {sip}, UDP and TCP
devices    {devices}; the password of each is {secret}
carrier    {endpoint}: answers after {answers:g} s, speaks {hz:.0f} Hz and hangs up after {talk:g} s;
           a number that ends in {refusals} is refused with that status

A service for it, in a folder of your own:

    echo {password} | c2c-stasis init --ari-url {ari} --ari-password - --trunk carrier \\
        --account Demo --caller-number +12025550142 --user Alice{device_options} --extension 1001
    c2c-stasis serve

A phone, in another terminal:

    C2C_LAB_PASSWORD={secret} c2c-stasis lab phone {first} --server {sip} --answer-after 1

All of it stays until Ctrl-C. What the carrier sees:"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; times are in seconds."""

    devices: tuple[str, ...]
    env_file: Path | None = None
    answer_after: float = 1.5
    hang_up_after: float = 3.0
    mirror: str | None = None
    cache: Path | None = None


def run(options: Options) -> None:
    """Let it stand until INT or TERM. Raises `LaboratoryError` when something that is needed is not there."""
    screen = Screen()

    async def stand() -> None:
        await until_told(_Standing(options, screen).run(), screen)

    asyncio.run(stand())


class _Standing:
    def __init__(self, options: Options, screen: Screen) -> None:
        self._options = options
        self._screen = screen
        self._timeline = Timeline(screen)
        self._onlooker = Onlooker(self._timeline, TONES)
        self._secret = secrets.token_urlsafe(12)

    async def run(self) -> None:
        options, screen = self._options, self._screen
        installation = await obtain(cache=options.cache, mirror=options.mirror, progress=screen.say)
        async with AsyncExitStack() as stack:
            far_end = await Phone.start(CARRIER, script=self._script, on_message=self._onlooker.see)
            await stack.enter_async_context(far_end)
            accounts = [DeviceAccount(name, self._secret) for name in options.devices]
            asterisk = await Asterisk.start(installation, accounts, far_end.address)
            await stack.enter_async_context(asterisk)
            stack.push_async_callback(self._onlooker.stop)
            printing = asyncio.create_task(self._timeline.run(), name="timeline")
            stack.callback(printing.cancel)
            screen.say(f"Asterisk {installation.version} runs (process {asterisk.pid})")
            if options.env_file is not None:
                env_file.write(options.env_file, self._variables(asterisk))
                stack.callback(options.env_file.unlink, missing_ok=True)
            screen.say(self._story(asterisk))
            await self._keep(asterisk)

    def _script(self, invite: SipMessage) -> Script:
        options = self._options
        answers = Script(
            ring_after=0.1,
            answer_after=options.answer_after,
            hang_up_after=options.hang_up_after,
            tone_hz=TONES[CARRIER],
        )
        return carrier.by_number(invite, answers, refuse_after=options.answer_after)

    async def _keep(self, asterisk: Asterisk) -> None:
        """Start Asterisk again when somebody killed it, on the same ports: that can be rehearsed too."""
        while True:
            await asyncio.sleep(WATCH)
            if asterisk.pid is None:
                self._timeline.note(time.monotonic(), "asterisk", "has ended; starting it again")
                await asterisk.restart()
                self._timeline.note(time.monotonic(), "asterisk", f"runs again (process {asterisk.pid})")

    def _variables(self, asterisk: Asterisk) -> dict[str, str | int]:
        """What a script, a service and `lab phone` need; those with two underscores configure a service."""
        return {
            "C2C_ARI__URL": asterisk.http_url.rstrip("/"),
            "C2C_ARI__USERNAME": asterisk.ari_username,
            "C2C_ARI__PASSWORD": asterisk.ari_password,
            "C2C_ARI__APP": asterisk.app,
            "C2C_SIP__PORT": asterisk.sip_address[1],
            "C2C_TRUNKS__0__NAME": CARRIER,
            "C2C_TRUNKS__0__ENDPOINT": ENDPOINT,
            "C2C_LAB_SERVER": _address(asterisk),
            "C2C_LAB_PASSWORD": self._secret,
            "C2C_LAB_PID": asterisk.pid or "",
            "C2C_ASTERISK_ETC": str(asterisk.run_dir / "etc"),
        }

    def _story(self, asterisk: Asterisk) -> str:
        options = self._options
        return READY.format(
            ari=asterisk.http_url.rstrip("/"),
            user=asterisk.ari_username,
            password=asterisk.ari_password,
            app=asterisk.app,
            sip=_address(asterisk),
            devices=", ".join(options.devices),
            secret=self._secret,
            endpoint=ENDPOINT,
            answers=options.answer_after,
            hz=TONES[CARRIER],
            talk=options.hang_up_after,
            refusals=", ".join(map(str, carrier.REFUSALS)),
            device_options="".join(f" --device {name}" for name in options.devices),
            first=options.devices[0],
        )


def _address(asterisk: Asterisk) -> str:
    host, port = asterisk.sip_address
    return f"{host}:{port}"
