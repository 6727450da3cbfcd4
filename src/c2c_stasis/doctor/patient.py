"""What the checks may look at. Each thing is looked up once, however many checks ask for it."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import aiohttp

from c2c_stasis.ari.inspector import CONNECTIONS, Helper, Inspector
from c2c_stasis.config import Address, Config, Http
from c2c_stasis.directory.model import DirectoryRows
from c2c_stasis.directory.webhooks import who_are_told
from c2c_stasis.doctor.asterisk_files import WHERE_ASTERISK_LOOKS, AsteriskFiles, FileUnread
from c2c_stasis.errors import ClickToCallError, SwitchRefused, SwitchUnavailable
from c2c_stasis.ids import AccountId, CallId
from c2c_stasis.store.ownership import is_served
from c2c_stasis.store.sql_store import open_store

T = TypeVar("T")

MOUNTS = Path("/proc/self/mountinfo")
SERVICE_ANSWERS_WITHIN = 6.0  # seconds; `/readyz` of a service that is unwell takes 5
COPY = "Run doctor where Asterisk runs, or copy its files with their rights and name the copy: --asterisk-etc FOLDER."
NAME_THEM = (
    "Name the folder that holds them, --asterisk-etc FOLDER, and run doctor as a user who may read it, such as root."
)
_PARTS = {"asterisk", "database", "service"}  # by these a c2c-stasis is known
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 # where to reach who listens everywhere


class CannotSee(Exception):
    """A check cannot be made because of something that another check reports; the text says what."""


class Unseen(Exception):
    """Something cannot be seen from here; the text says why, and `fix` how it could be."""

    def __init__(self, why: str, fix: str = "") -> None:
        super().__init__(why)
        self.fix = fix


class NotLoaded(Exception):
    """Asterisk runs without a module that only the doctor needs, to see something."""

    def __init__(self, module: str) -> None:
        super().__init__(f"Asterisk has not loaded {module}, through which it could be seen")
        self.module = module


class Patient:
    """One installation: its configuration, its Asterisk, its database, its machine. `async with` lets go of it all.

    `now` and `mounts` are the machine's clock and its table of mounts. `asterisk_etc` is the folder of Asterisk's files;
    without it they are looked for where Asterisk looks, if it runs here. `config_file` is where the configuration came from.
    """

    def __init__(
        self,
        config: Config,
        *,
        now: Callable[[], float] = time.time,
        mounts: Path = MOUNTS,
        asterisk_etc: Path | None = None,
        config_file: Path | None = None,
    ) -> None:
        self.config = config
        self.config_file = config_file
        self._asterisk_etc = asterisk_etc
        self.now = now
        self.mounts = mounts
        self._files: AsteriskFiles | None = None
        self._known: dict[str, asyncio.Task[Any]] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Patient":
        ari = self.config.ari
        self.inspector = Inspector(ari.url, ari.username, ari.password, timeout=ari.request_timeout)
        self._stack.push_async_callback(self.inspector.close)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for task in self._known.values():
            task.cancel()
        await asyncio.gather(*self._known.values(), return_exceptions=True)
        await self._stack.aclose()

    # --- Asterisk ---

    async def greet(self) -> dict[str, Any]:
        """What Asterisk says of itself. Raises what went wrong as it is: for the check whose question this is."""
        return await self._once("greeting", lambda: self.inspector.get("asterisk/info"))

    async def may_write(self) -> bool:
        """Whether our ARI user may change anything."""
        return await self._once("right", self.inspector.may_write)

    async def info(self) -> dict[str, Any]:
        """What Asterisk says of itself. Raises `CannotSee`."""
        try:
            return await self.greet()
        except (SwitchUnavailable, SwitchRefused, ValueError) as error:
            raise CannotSee("Asterisk cannot be asked") from error

    async def modules(self) -> set[str]:
        """The modules that run, such as `res_pjsip.so`. Raises `CannotSee`."""
        await self.info()
        found = await self._once("modules", lambda: self.inspector.get("asterisk/modules"))
        return {module["name"] for module in found if module["status"] == "Running"}

    async def require(self, module: str) -> None:
        """Raise `NotLoaded` when this module does not run, or `CannotSee`."""
        if module not in await self.modules():
            raise NotLoaded(module)

    async def endpoint_states(self) -> dict[str, str]:
        """Every PJSIP endpoint that Asterisk lists: online, offline or unknown. Raises `CannotSee`."""
        await self.info()
        found = await self._once("endpoints", lambda: self.inspector.get("endpoints"))
        return {one["resource"]: one["state"] for one in found if one["technology"] == "PJSIP"}

    async def endpoint(self, name: str) -> dict[str, str] | None:
        """The settings of an endpoint; None when Asterisk has none of that name. Raises `CannotSee`."""
        await self.info()
        return await self._once(f"endpoint {name}", lambda: self.inspector.pjsip_object("endpoint", name))

    async def endpoints(self, names: Iterable[str]) -> dict[str, dict[str, str] | None]:
        """The settings of several."""
        wanted = list(dict.fromkeys(names))
        turn = asyncio.Semaphore(CONNECTIONS)  # who waits for a connection is timed as if Asterisk took that long

        async def ask(name: str) -> dict[str, str] | None:
            async with turn:
                return await self.endpoint(name)

        return dict(zip(wanted, await asyncio.gather(*map(ask, wanted)), strict=True))

    async def helper(self, module: str) -> Helper:
        """A channel on which the functions of this module can be read. Raises `NotLoaded` or `CannotSee`."""
        await self.require(module)
        if not await self.may_write():
            raise CannotSee("the ARI user may only read")
        return await self._once("helper", lambda: self._stack.enter_async_context(self.inspector.helper()))

    def asterisk_files(self) -> AsteriskFiles:
        """Asterisk's configuration files. Raises `Unseen` when there is no folder that can be read."""
        if self._files is None:
            folder = self._asterisk_etc
            if folder is None and not self.beside_asterisk:
                raise Unseen("Asterisk's files are not on this machine", COPY)
            files = AsteriskFiles(folder or WHERE_ASTERISK_LOOKS)
            try:
                if "asterisk.conf" not in files.names():
                    raise Unseen(f"there is no asterisk.conf in {files.folder}", NAME_THEM)
            except FileUnread as error:
                raise Unseen(str(error), NAME_THEM) from error
            self._files = files
        return self._files

    async def setting(self, file: str, section: str, key: str) -> str:
        """A setting of Asterisk's files, empty when it is not there: from the folder, else from Asterisk's own reader.

        Raises `Unseen`, `NotLoaded` or `CannotSee` when neither can be read.
        """
        try:
            return self.asterisk_files().whole(file).named(section).value(key)
        except (Unseen, FileUnread):
            return await self.asterisks_own(file, section, key)

    async def asterisks_own(self, file: str, section: str, key: str) -> str:
        """A setting as Asterisk itself reads it now, empty when it is not there. Raises `NotLoaded` or `CannotSee`."""
        helper = await self.helper("func_config.so")
        return (
            await helper.read(f"AST_CONFIG({file},{section},{key},-1)") or ""
        ).strip()  # -1: the last one, which counts

    @property
    def beside_asterisk(self) -> bool:
        """Whether Asterisk runs on this machine, as far as its address says: a socket here could have it."""
        host = urlsplit(self.config.ari.url).hostname or ""
        if host == "localhost":
            return True
        try:
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind((socket.inet_ntop(probe.family, socket.inet_pton(probe.family, host)), 0))
        except OSError:  # also a name: looking it up may take long, and is not this machine's own
            return False
        return True

    # --- the service and its database ---

    async def directory(self) -> DirectoryRows:
        """The directory. Raises `CannotSee`."""
        try:
            return await self.read_database()
        except (ClickToCallError, OSError) as error:
            raise CannotSee("the database cannot be used") from error

    async def read_database(self) -> DirectoryRows:
        """Prove that the database can be read and written, and read the directory. Raises like `open_store`."""
        return await self._once("database", self._read_database)

    async def _read_database(self) -> DirectoryRows:
        store = await open_store(self.config.database.url)
        try:
            return await store.directory()
        finally:
            await store.close()

    async def told_of_emergencies(self) -> set[AccountId]:
        """The accounts with somebody who is told of their emergency calls. Raises `CannotSee`."""
        await self.directory()
        store = await open_store(self.config.database.url)
        try:
            return who_are_told(await store.enabled_webhook_endpoints())
        finally:
            await store.close()

    async def service(self) -> dict[str, str] | None:
        """How the service on our port says it is, part by part; None when none is there."""
        return await self._once("service", lambda: ask_service(self.config.http))

    async def another_service(self) -> bool:
        """Whether the service on our port is another one than ours: then nobody runs with our database."""
        return await self.service() is not None and is_served(self.config.database.url) is False

    async def live_calls(self) -> set[CallId]:
        """The calls that have not ended, by our database. Raises `CannotSee`."""
        await self.directory()
        store = await open_store(self.config.database.url)
        try:
            return {call.id for call in await store.live_calls()}
        finally:
            await store.close()

    # --- once ---

    async def _once(self, name: str, look: Callable[[], Awaitable[T]]) -> T:
        async def looking() -> T:
            return await look()

        if name not in self._known:
            self._known[name] = asyncio.create_task(looking(), name=name)
        return cast(T, await asyncio.shield(self._known[name]))


async def ask_service(http: Http) -> dict[str, str] | None:
    """Ask whoever listens there for `/readyz`, and give its parts if it is a c2c-stasis."""
    if http.listen.port == 0:
        return None
    place = Address(_ANY.get(http.listen.host, http.listen.host), http.listen.port)
    url = f"{replace(http, listen=place).url}/readyz"
    timeout = aiohttp.ClientTimeout(total=SERVICE_ANSWERS_WITHIN)
    try:
        # Its certificate is for another name than the one it is asked by; nothing is sent that would be worth a check.
        async with aiohttp.ClientSession(timeout=timeout) as client, client.get(url, ssl=False) as answer:
            body = await answer.json()
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return None
    details = body.get("details") if isinstance(body, dict) else None
    if not isinstance(details, dict) or not details.keys() & _PARTS:
        return None
    return {str(part): str(state) for part, state in details.items()}
