"""An Asterisk of the doctor's own, whose configuration can be spoiled, with a carrier, two devices and a directory."""

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from c2c_stasis.config import Address, Ari, Config, Database, Http, Trunk
from c2c_stasis.directory.model import SIP_PHONE
from c2c_stasis.directory.sip_account import SipAccount
from c2c_stasis.doctor.examination import Report, examine
from c2c_stasis.doctor.patient import Patient
from c2c_stasis.lab.asterisk import Asterisk
from c2c_stasis.lab.configuration import DeviceAccount
from c2c_stasis.lab.obtain import obtain
from c2c_stasis.lab.phone import Phone
from c2c_stasis.lab.ports import free_ports
from c2c_stasis.store.sql_store import open_store
from tests.live.process import COMMAND, as_toml
from tests.live.town import database_url

DESK, MOBILE = DeviceAccount("desk", "secret-of-desk"), DeviceAccount("mobile", "secret-of-mobile")
TRUNK = Trunk("carrier", "PJSIP/{number}@carrier")
HELP = Trunk("help", "PJSIP/{number}@carrier", emergency=True)
READER, STRANGER, PASSWORD = "reader", "stranger", "known"  # ARI users beside the service's
CALLER = "+442079460018"  # Ofcom's number for drama
MORE_USERS = f"""
[{READER}]
type = user
read_only = yes
password = {PASSWORD}

[{STRANGER}]
type = user
password = {PASSWORD}
deny = 0.0.0.0/0.0.0.0
"""


class Clinic:
    """One installation without a service. `config` is right in everything."""

    def __init__(self, asterisk: Asterisk, folder: Path) -> None:
        self.asterisk = asterisk
        self.folder = folder
        self.config = Config(
            ari=Ari(asterisk.ari_password, url=asterisk.http_url, app=asterisk.app),
            http=Http(Address("127.0.0.1", free_ports().http)),
            database=Database(database_url(folder / "c2c.db")),
            trunks=(TRUNK, HELP),
        )

    @classmethod
    @asynccontextmanager
    async def open(
        cls, folder: Path, carrier: tuple[str, int], spoil: "Callable[[Clinic], None]"
    ) -> "AsyncIterator[Clinic]":
        """Start Asterisk, change its files and start it again."""
        async with await Asterisk.start(await obtain(), [DESK, MOBILE], carrier) as asterisk:
            clinic = cls(asterisk, folder)
            clinic.change("pjsip.conf", r"(?m)^qualify_frequency = 60", "qualify_frequency = 1")
            clinic.change("pjsip.conf", r"(?m)^qualify_timeout = 3(?=\n\n\[carrier\])", "qualify_timeout = 0.5")
            clinic.change("ari.conf", r"\Z", MORE_USERS)
            spoil(clinic)
            await asterisk.restart()
            await clinic.directory(folder / "c2c.db", [DESK.name, MOBILE.name])
            yield clinic

    def change(self, file: str, pattern: str, text: str) -> None:
        """Change a file of Asterisk in exactly one place."""
        path = self.asterisk.run_dir / "etc" / file
        changed, count = re.subn(pattern, text, path.read_text())
        assert count == 1, f"{pattern!r} is in {file} {count} times"
        path.write_text(changed)

    async def directory(
        self,
        file: Path,
        devices: Iterable[str],
        region: str = "GB",
        phone: SipAccount | None = None,
        type: str = SIP_PHONE,
    ) -> Database:
        """A new database with one account, which has a caller number and whose user has these devices."""
        store = await open_store(database_url(file), migrate=True)
        platform = await store.create_platform("Platform")
        account = await store.create_account(platform.id, "Acme", region=region)
        number = await store.create_phone_number(account.id, CALLER)
        await store.set_account_caller_number(account.id, number.id)
        address = {"street": "Main Street", "city": "Springfield", "country": region}
        location = await store.create_location(account.id, "Head office", address)
        user = await store.create_user(account.id, "Alice", location_id=location.id)
        await store.create_webhook_endpoint(
            account.id, "https://alarm.example.com/", livemode=True, events=["call.emergency"], description="Reception"
        )
        for device in devices:
            await store.create_device(account.id, user.id, device)
        if phone is not None:
            await store.create_device(account.id, user.id, phone.username, ha1=phone.ha1, type=type)
        await store.close()
        return Database(database_url(file))

    async def examined(self, config: Config | None = None, **surroundings: Any) -> Report:
        """What the doctor says of this configuration here."""
        async with Patient(config or self.config, **surroundings) as patient:
            return await examine(patient)

    def with_ari(self, **changes: Any) -> Config:
        """The configuration with another [ari]."""
        return replace(self.config, ari=replace(self.config.ari, **changes))


async def commanded(*arguments: str, config: Config, folder: Path) -> tuple[int, str]:
    """Run c2c-stasis as an operator does; gives exit status and output."""
    file = folder / "c2c.toml"
    file.write_text(as_toml(config))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, *arguments, "--config", str(file)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


@asynccontextmanager
async def registered(clinic: Clinic, device: DeviceAccount) -> AsyncIterator[Phone]:
    """A phone that is there."""
    phone = await Phone.start(device.name, server=clinic.asterisk.sip_address, password=device.password)
    try:
        yield phone
    finally:
        await phone.stop()


@asynccontextmanager
async def pretending(url: str, said: bytes, instead: bytes) -> AsyncIterator[str]:
    """A proxy in front of Asterisk that replaces a word of its answers with another one of the same length."""
    assert len(said) == len(instead)
    target = urlsplit(url)
    links: set[asyncio.Task[None]] = set()

    async def link(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        links.add(task)
        there, out = await asyncio.open_connection(target.hostname, target.port)
        try:
            await asyncio.gather(_copy(reader, out, b"", b""), _copy(there, writer, said, instead))
        finally:
            writer.close()
            out.close()

    server = await asyncio.start_server(link, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in links:
            task.cancel()
        await asyncio.gather(*links, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: bytes, instead: bytes) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data.replace(said, instead) if said else data)
            await writer.drain()
        writer.write_eof()
