"""Record what a real Asterisk reports: `python tools/record_events.py` writes `tests/ari/recordings/*.json` anew.

Each file is one scene: every event of our two applications, as it came, one a line. Of the events that nobody asks for, the
first of each type is kept, to prove that they are passed by.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from c2c_stasis.ari.translate import CALL_EVENTS
from c2c_stasis.lab.asterisk import Asterisk
from c2c_stasis.lab.configuration import DeviceAccount
from c2c_stasis.lab.obtain import obtain
from c2c_stasis.lab.phone import Phone
from c2c_stasis.lab.script import ANSWERS, RINGS, Script

FOLDER = Path(__file__).parents[1] / "tests" / "ari" / "recordings"
CALL = "call_01h2xcejqtf2nbrexx3vqjhp41"
APP = "c2c"
NEEDED = {*CALL_EVENTS, "ContactStatusChange"}
WITHIN = 10.0  # seconds that an event may take


class Studio:
    """An Asterisk with two phones and a carrier, and what it reports."""

    def __init__(self, asterisk: Asterisk, session: aiohttp.ClientSession, carrier: Phone) -> None:
        self.asterisk = asterisk
        self.carrier = carrier
        self.phones: list[Phone] = []
        self.events: list[dict[str, Any]] = []
        self._session = session
        self._came = asyncio.Condition()

    async def listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Keep every event."""
        async for message in socket:
            async with self._came:
                self.events.append(json.loads(message.data))
                self._came.notify_all()

    async def saw(self, event_type: str, **expected: Any) -> None:
        """Wait for an event; `channel` and `state` are those of its channel."""

        def fits(event: dict[str, Any]) -> bool:
            channel = event.get("channel") or event.get("peer") or {}
            seen = {**event, "channel": channel.get("id"), "state": channel.get("state")}
            return bool(event["type"] == event_type and expected.items() <= seen.items())

        async with asyncio.timeout(WITHIN), self._came:
            await self._came.wait_for(lambda: any(fits(event) for event in self.events))

    async def ask(self, method: str, path: str, **body: Any) -> None:
        """One ARI request."""
        async with self._session.request(method, f"{self.asterisk.ari_url}/{path}", json=body or None) as response:
            if response.status >= 400:
                raise RuntimeError(f"{method} {path}: {response.status} {await response.text()}")

    async def create(self, name: str, endpoint: str) -> str:
        """A leg that may be dialled."""
        leg = f"{CALL}.{name}"
        variables = {"CALLERID(all)": '"Ann" <+15557654321>'}
        await self.ask("POST", "channels/create", endpoint=endpoint, app=APP, channelId=leg, variables=variables)
        await self.saw("StasisStart", channel=leg)
        return leg

    async def dial(self, name: str, endpoint: str, *, timeout: int = 30) -> str:
        """A leg that was dialled."""
        leg = await self.create(name, endpoint)
        await self.ask("POST", f"channels/{leg}/dial", timeout=timeout)
        return leg

    async def phone(self, name: str, script: Script) -> Phone:
        """A registered phone."""
        phone = await Phone.start(name, server=self.asterisk.sip_address, password=name, script=script)
        self.phones.append(phone)
        return phone

    async def saw_contact(self, status: str, times: int = 1) -> None:
        """Wait until a contact has come to a status so many times."""

        def seen() -> bool:
            changes = [event["contact_info"] for event in self.events if event["type"] == "ContactStatusChange"]
            return len([change for change in changes if change["contact_status"] == status]) >= times

        async with asyncio.timeout(WITHIN), self._came:
            await self._came.wait_for(seen)

    async def connect(self) -> aiohttp.ClientWebSocketResponse:
        """Another event socket for our applications."""
        url = f"{self.asterisk.ari_url}/events?app={APP},{APP}-devices"
        return await self._session.ws_connect(url)

    async def close(self) -> None:
        """Send the phones away."""
        for phone in self.phones:
            await phone.stop()


async def talk(studio: Studio) -> None:
    """Two phones ring, one wins, the destination is dialled from inside the bridge, they talk, and it hangs up."""
    await studio.phone("d1", Script(ring_after=0.0, answer_after=0.1))
    await studio.phone("d2", RINGS)
    studio.carrier.script = Script(ring_after=0.0, answer_after=0.1, hang_up_after=0.2)
    await studio.ask("POST", f"bridges/{CALL}", type="mixing,proxy_media", name=CALL)
    destination = await studio.create("b1", "PJSIP/+15551234567@carrier")
    await studio.ask("POST", f"bridges/{CALL}/addChannel", channel=destination)
    winner, loser = await studio.dial("a1", "PJSIP/d1"), await studio.dial("a2", "PJSIP/d2")
    await studio.saw("ChannelStateChange", channel=winner, state="Up")
    await studio.ask("POST", f"bridges/{CALL}/addChannel", channel=winner)
    await studio.ask("DELETE", f"channels/{loser}?reason_code=26")
    await studio.ask("POST", f"channels/{destination}/dial", caller=winner, timeout=65)
    await studio.saw("ChannelDestroyed", channel=destination)
    await studio.ask("DELETE", f"channels/{winner}?reason_code=16")
    await studio.saw("ChannelDestroyed", channel=winner)
    await studio.ask("DELETE", f"bridges/{CALL}")


def refused(status: int) -> Callable[[Studio], Awaitable[None]]:
    """A phone that refuses with this status."""

    async def scene(studio: Studio) -> None:
        await studio.phone("d1", Script(ring_after=0.0, reject=status, reject_after=0.05))
        await studio.saw("ChannelDestroyed", channel=await studio.dial("a1", "PJSIP/d1"))

    return scene


async def redirected(studio: Studio) -> None:
    """A phone that answers 302."""
    await studio.phone("d1", Script(redirect_to="sip:x@127.0.0.1:9", reject_after=0.0))
    await studio.saw("ChannelDestroyed", channel=await studio.dial("a1", "PJSIP/d1"))


async def unanswered(studio: Studio) -> None:
    """A phone that rings until Asterisk gives up."""
    await studio.phone("d1", RINGS)
    await studio.saw("ChannelDestroyed", channel=await studio.dial("a1", "PJSIP/d1", timeout=1))


async def early_media(studio: Studio) -> None:
    """A destination that sends sound before it answers."""
    studio.carrier.script = Script(progress_after=0.0, answer_after=0.1, hang_up_after=0.1)
    leg = await studio.dial("b1", "PJSIP/+15551234567@carrier")
    await studio.saw("ChannelDestroyed", channel=leg)


async def hung_up_by_the_phone(studio: Studio) -> None:
    """A phone that answers, and hangs up."""
    await studio.phone("d1", Script(answer_after=0.0, hang_up_after=0.1))
    await studio.saw("ChannelDestroyed", channel=await studio.dial("a1", "PJSIP/d1"))


async def contacts(studio: Studio) -> None:
    """A phone registers, does not answer any more, answers again, and goes."""
    phone = await studio.phone("d1", ANSWERS)
    await studio.saw_contact("Reachable")
    phone.dead = True
    await studio.asterisk.cli("pjsip qualify d1")
    await studio.saw_contact("Unreachable")
    phone.dead = False
    await studio.asterisk.cli("pjsip qualify d1")
    await studio.saw_contact("Reachable", 2)
    await phone.unregister()
    await studio.saw_contact("Removed")


async def replaced(studio: Studio) -> None:
    """Somebody else connects under our name."""
    socket = await studio.connect()
    await studio.saw("ApplicationReplaced", application=APP)
    await socket.close()


SCENES: dict[str, Callable[[Studio], Awaitable[None]]] = {
    "talk": talk,
    "busy": refused(486),
    "declined": refused(603),
    "redirected": redirected,
    "unanswered": unanswered,
    "early_media": early_media,
    "hung_up_by_the_phone": hung_up_by_the_phone,
    "contacts": contacts,
    "replaced": replaced,
}


async def record(
    asterisk: Asterisk, carrier: Phone, scene: Callable[[Studio], Awaitable[None]]
) -> list[dict[str, Any]]:
    """Play one scene and give its events."""
    login = aiohttp.encode_basic_auth(asterisk.ari_username, asterisk.ari_password)
    async with aiohttp.ClientSession(headers={"Authorization": login}) as session:
        studio = Studio(asterisk, session, carrier)
        socket = await studio.connect()
        listening = asyncio.create_task(studio.listen(socket))
        await studio.ask("POST", f"applications/{APP}-devices/subscription", eventSource="endpoint:PJSIP")
        try:
            await scene(studio)
        finally:
            await studio.close()
            await socket.close()
            await listening
        return studio.events


def kept(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is worth keeping: all that we ask Asterisk for, and one example of everything else."""
    examples: set[tuple[str, str]] = set()
    chosen = []
    for event in events:
        kind = event["type"], event["application"]
        if event["type"] in NEEDED or kind not in examples:
            chosen.append(event | {"asterisk_id": "00:00:00:00:00:00"})  # else the address of this machine
        examples.add(kind)
    return chosen


async def main() -> None:
    """Play every scene."""
    FOLDER.mkdir(exist_ok=True)
    devices = [DeviceAccount(name, name) for name in ("d1", "d2")]
    async with (
        await Phone.start("carrier") as carrier,
        await Asterisk.start(await obtain(), devices, carrier.address) as asterisk,
    ):
        for name, scene in SCENES.items():
            events = kept(await record(asterisk, carrier, scene))
            lines = ",\n".join(json.dumps(event) for event in events)
            (FOLDER / f"{name}.json").write_text(f"[\n{lines}\n]\n")
            print(f"{name}: {len(events)} events")


if __name__ == "__main__":
    asyncio.run(main())
