"""What all live stories of one process share: a real Asterisk, sixty devices in it, a carrier behind its trunk."""

import asyncio
import logging
import shutil
from pathlib import Path
from typing import Self

from c2c_stasis.lab.addresses import parse_uri
from c2c_stasis.lab.asterisk import Asterisk
from c2c_stasis.lab.configuration import DeviceAccount
from c2c_stasis.lab.obtain import obtain
from c2c_stasis.lab.phone import Phone, Script
from c2c_stasis.lab.sip import SipMessage
from c2c_stasis.store.sql_store import open_store
from tests.live.waiting import eventually

logger = logging.getLogger(__name__)

DEVICES = 60
NOT_IN_SERVICE = Script(reject=404)


class Town:
    """One Asterisk with its devices and its carrier. It has no service: each story brings its own, with its own database."""

    def __init__(self, asterisk: Asterisk, carrier: Phone, blank: Path) -> None:
        self.asterisk = asterisk
        self.carrier = carrier
        self.scripts: dict[str, Script] = {}
        """What the carrier does with a call, by the number that was dialled."""
        self._blank = blank
        carrier.script = self._script

    @classmethod
    async def build(cls, folder: Path, etc: Path | None = None) -> Self:
        """Obtain an Asterisk and start it. Raises LaboratoryError: a machine without one fails, it does not skip.

        `etc` is configuration to deploy instead of the shipped one.
        """
        installation = await obtain(progress=logger.info)
        blank = folder / "blank.db"
        await (await open_store(database_url(blank), migrate=True)).close()
        carrier = await Phone.start("carrier", script=NOT_IN_SERVICE)
        try:
            devices = [DeviceAccount(name, password_of(name)) for name in device_names()]
            return cls(await Asterisk.start(installation, devices, carrier.address, etc=etc), carrier, blank)
        except BaseException:
            await carrier.stop()
            raise

    async def close(self) -> None:
        """Take everything down."""
        await self.carrier.stop()
        await self.asterisk.stop()

    async def restart_asterisk(self) -> None:
        """Start an Asterisk that was killed, with no phone registered.

        It writes its database once a second: phones that left in its last second would be back (22.10.1).
        """
        await asyncio.to_thread((self.asterisk.run_dir / "var/astdb.sqlite3").unlink)
        await self.asterisk.restart()

    async def clear(self) -> None:
        """End whatever a failed story left in Asterisk; after a good one there is nothing to end."""
        if await self.asterisk.channels():
            await self.asterisk.cli("channel request hangup all")
            await eventually(self.asterisk.channels, lambda left: left == [], "the end of all channels")
        for bridge in await self.asterisk.bridges():
            await self.asterisk.remove_bridge(bridge["id"])

    async def new_database(self, path: Path) -> str:
        """Put an empty database of the present version there, and give its URL."""
        await asyncio.to_thread(shutil.copyfile, self._blank, path)
        return database_url(path)

    def _script(self, invite: SipMessage) -> Script:
        return self.scripts.get(parse_uri(invite.request_uri).user, NOT_IN_SERVICE)


def device_names() -> list[str]:
    """The names of all devices."""
    return [f"d{number}" for number in range(1, DEVICES + 1)]


def password_of(device: str) -> str:
    """What a device registers with."""
    return f"secret-of-{device}"


def database_url(path: Path) -> str:
    """The URL of an SQLite file."""
    return f"sqlite+aiosqlite:///{path}"
