"""`lab phone`: one scripted phone at any server, for rehearsals; prints what it sends, gets and hears."""

import asyncio
import socket
import time
from dataclasses import dataclass, field

from c2c_stasis.lab.addresses import Address
from c2c_stasis.lab.demo.onlooker import Onlooker
from c2c_stasis.lab.demo.timeline import HOLD_BACK, Screen, Timeline
from c2c_stasis.lab.errors import LaboratoryError
from c2c_stasis.lab.observation import rung
from c2c_stasis.lab.phone import Phone
from c2c_stasis.lab.script import Script
from c2c_stasis.lab.sip import SipMessage
from c2c_stasis.lab.standing import TONES
from c2c_stasis.lab.until import until_told

PATIENCE = 3.0  # seconds for the first answer; then it is said that there was none. The phone itself gives up after 32


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. `calls` is after how many calls it ends by itself; None is never."""

    name: str
    server: str
    password: str = field(default="", repr=False)
    script: Script = field(default_factory=Script)
    expires: int = 3600  # seconds
    transport: str = "udp"
    calls: int | None = None


def run(options: Options) -> None:
    """Let it ring until INT or TERM. Raises `RegistrationRefused`, or `NotSeen` when the server does not answer."""
    screen = Screen()

    async def ring() -> None:
        await until_told(_Solo(options, screen).run(), screen)

    asyncio.run(ring())


class _Solo:
    def __init__(self, options: Options, screen: Screen) -> None:
        self._options = options
        self._screen = screen
        self._timeline = Timeline(screen)
        others = {name: hz for name, hz in TONES.items() if name != options.name}
        self._onlooker = Onlooker(self._timeline, others)
        self._answered = False

    async def run(self) -> None:
        options = self._options
        server = await _resolved(options.server)
        printing = asyncio.create_task(self._timeline.run(), name="timeline")
        doubt = asyncio.get_running_loop().call_later(PATIENCE, self._say_that_nobody_answers)
        try:
            async with await Phone.start(
                options.name,
                server=server,
                password=options.password,
                script=options.script,
                expires=options.expires,
                transport=options.transport,
                host=_own_address(server),
                on_message=self._see,
            ) as phone:
                self._note(phone, f"is registered at {options.server} for {phone.registration_seconds} s")
                try:
                    await self._until_enough(phone)
                finally:
                    await self._onlooker.stop()
        finally:
            doubt.cancel()
            self._timeline.flush()
            printing.cancel()

    async def _until_enough(self, phone: Phone) -> None:
        taken = 0
        while self._options.calls is None or taken < self._options.calls:
            call = await phone.next_call(timeout=float("inf"))
            taken += 1
            await phone.wait_for(lambda call=call: not call.live, "the end of the call", float("inf"))  # type: ignore[misc]
        await asyncio.sleep(2 * HOLD_BACK)  # for the replies to its last messages, and what it heard last

    def _say_that_nobody_answers(self) -> None:
        if not self._answered:
            self._screen.say(
                f"no answer from {self._options.server} yet: is that address right, and does anything listen there?"
            )

    def _see(self, phone: Phone, message: SipMessage) -> None:
        self._answered = self._answered or not message.sent
        self._timeline.note(message.at, phone.name, rung(message))
        self._onlooker.listen(phone, message)

    def _note(self, phone: Phone, what: str) -> None:
        self._timeline.note(time.monotonic(), phone.name, what)


async def _resolved(server: str) -> Address:
    """`HOST:PORT`, or `HOST` for port 5060. Raises `LaboratoryError`."""
    host, colon, port = server.rpartition(":")
    if not colon:
        host, port = server, "5060"
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, int(port), family=socket.AF_INET, type=socket.SOCK_DGRAM
        )
    except (OSError, ValueError, OverflowError) as error:
        raise LaboratoryError(f"{server!r} is no server that can be found: write HOST:PORT") from error
    address = found[0][4]
    return str(address[0]), int(address[1])


def _own_address(server: Address) -> str:
    """The address of this machine that the server can answer to; nothing is sent to learn it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(server)
        return str(probe.getsockname()[0])
