"""One real Asterisk on loopback, with the shipped configuration: started, watched, restarted, stopped, never left behind."""

import asyncio
import logging
import os
import secrets
import signal
import socket
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from c2c_stasis.lab import child
from c2c_stasis.lab.configuration import (
    ARI_LOGIN_FILE,
    DEVICES_FILE,
    DeviceAccount,
    TrunkAccount,
    deploy,
    devices_file,
    shipped,
    trunks_file,
)
from c2c_stasis.lab.deployment import HOST, hold_tone, make_certificate, overrides
from c2c_stasis.lab.errors import LaboratoryError
from c2c_stasis.lab.installation import Installation
from c2c_stasis.lab.ports import PROBE_TIMEOUT, Ports, answers_options, free_ports, has_ipv6, shows_certificate
from c2c_stasis.lab.rundir import HOLD_FOLDER, RunDir, sweep

logger = logging.getLogger(__name__)

APP = "c2c-stasis"
ARI_USERNAME = "c2c-stasis"  # the one in ari.conf

PORT_TRIES = 5
READY_WITHIN = 60.0  # seconds; 0.5 is usual, 25 where the machine's own name is not known
PROBES_WITHIN = 3.0  # seconds from ARI's first answer to the last port's
POLL = 0.02  # seconds
STOP_WITHIN = 3.0  # seconds for an orderly end; then it is killed
REQUEST_WITHIN = 5.0  # seconds
# What Asterisk logs, and then says Ready all the same.
PORT_TAKEN = "Address already in use"


class PortsTaken(LaboratoryError):
    """Somebody else has one of the ports that this Asterisk was to use."""


class Asterisk:
    """A running Asterisk of our own: `async with await Asterisk.start(installation, devices) as asterisk`.

    One trunk, `carrier`, dialled as `PJSIP/<number>@carrier`; a device is `PJSIP/<name>`.
    """

    def __init__(self, installation: Installation, run_dir: RunDir, ports: Ports) -> None:
        """Use `start`."""
        self.installation = installation
        self.ports = ports
        self.app = APP
        self.ari_username = ARI_USERNAME
        self.ari_password = secrets.token_urlsafe(24)
        self.certificate: Path | None = None
        """What it shows on its TLS port (PEM); None where there is no openssl, and then there is no such port."""
        self._run_dir = run_dir
        self._marker = f"c2c-lab-{secrets.token_hex(8)}"
        self._devices: dict[str, DeviceAccount] = {}
        self._max_contacts: dict[str, int] = {}
        self._trunks: dict[str, TrunkAccount] = {}
        self._slow_name = False
        self._ipv6 = has_ipv6()
        self._process: asyncio.subprocess.Process | None = None
        self._http: aiohttp.ClientSession | None = None

    @classmethod
    async def start(
        cls,
        installation: Installation,
        devices: Iterable[DeviceAccount] = (),
        trunk_address: tuple[str, int] | None = None,
        *,
        run_dir: Path | None = None,
        choose_ports: Callable[[], Ports] = free_ports,
        etc: Path | None = None,
    ) -> Self:
        """Start one and give it when it really serves: ARI takes our password, and every SIP port answers as ours.

        `trunk_address` is where the carrier listens (UDP); without one nobody does. `run_dir` is a folder to use for its
        files instead of a temporary one; it is removed at the end like that. `etc` is a folder of configuration files to
        deploy instead of the shipped ones. Raises LaboratoryError.
        """
        for stale in await asyncio.to_thread(sweep):
            logger.info("leftover of a killed laboratory removed", extra={"path": str(stale)})
        slow_name = await child.own_name_is_slow()
        taken: PortsTaken | None = None
        for _ in range(PORT_TRIES):
            self = cls(installation, RunDir.make(run_dir), choose_ports())
            self._slow_name = slow_name
            self._devices = {device.name: device for device in devices}
            serves = False
            try:
                await self._configure(etc or shipped(), trunk_address)
                await self._spawn()
                serves = True
                return self
            except PortsTaken as error:
                taken = error
            finally:
                if not serves:
                    await self.kill()  # while it starts it does not hear a request to stop
                    await self.stop()
        raise LaboratoryError(f"no free ports after {PORT_TRIES} tries: {taken}")

    @property
    def http_url(self) -> str:
        """Root of its web server, with the slash at the end: what asyncari calls the base URL."""
        return f"http://{HOST}:{self.ports.http}/"

    @property
    def ari_url(self) -> str:
        """Root of ARI, without a slash at the end."""
        return f"http://{HOST}:{self.ports.http}/ari"

    @property
    def websocket_url(self) -> str:
        """Where a browser's SIP goes (subprotocol `sip`)."""
        return f"ws://{HOST}:{self.ports.http}/ws"

    @property
    def sip_address(self) -> tuple[str, int]:
        """Where phones register: UDP and TCP."""
        return HOST, self.ports.sip

    @property
    def sip_address_ipv6(self) -> tuple[str, int] | None:
        """The same over IPv6; None on a machine without."""
        return ("::1", self.ports.sip) if self._ipv6 else None

    @property
    def tls_address(self) -> tuple[str, int] | None:
        """The same over TLS; None where there is no openssl to make a certificate."""
        return (HOST, self.ports.sips) if self.certificate is not None else None

    @property
    def run_dir(self) -> Path:
        """Its configuration, state and log; gone after `stop`."""
        return self._run_dir.path

    @property
    def log_path(self) -> Path:
        """Its log: notices, warnings, errors and security events."""
        return self.run_dir / "log/messages.log"

    @property
    def pid(self) -> int | None:
        """The process; None while there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def __aenter__(self) -> Self:
        """Give itself: it runs already."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        await self.stop()

    async def stop(self) -> None:
        """End it, in order if it does so within 3 s, else at once, and remove its folder. Twice is once."""
        try:
            await self._end(signal.SIGTERM)
        finally:
            if self._http is not None:
                await self._http.close()
                self._http = None
            self._run_dir.remove()

    async def kill(self) -> None:
        """End it as a crash would (SIGKILL); folder and ports are kept for `restart`."""
        await self._end(signal.SIGKILL)

    async def restart(self) -> None:
        """End it if it runs, and start it with the same configuration, state and ports.

        Raises LaboratoryError when it does not come back, for one because somebody took a port.
        """
        await self._end(signal.SIGTERM)
        await self._spawn()

    async def cli(self, command: str) -> str:
        """Run one console command and give what it prints.

        Raises LaboratoryError when there is nobody to run it.
        """
        process = await asyncio.create_subprocess_exec(
            *self.installation.command,
            "-C",
            str(self._etc / "asterisk.conf"),
            "-rx",
            command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        text = output.decode(errors="replace").strip()
        if process.returncode != 0:
            raise LaboratoryError(f"Asterisk's console refused {command!r}: {text}")
        return text

    async def channels(self) -> list[dict[str, Any]]:
        """Every channel, as ARI describes it."""
        found: list[dict[str, Any]] = await self._get("channels")
        return found

    async def bridges(self) -> list[dict[str, Any]]:
        """Every bridge, as ARI describes it."""
        found: list[dict[str, Any]] = await self._get("bridges")
        return found

    async def remove_bridge(self, bridge_id: str) -> None:
        """Remove a bridge that somebody forgot. Not over the console: one that ARI made would stay in ARI's list."""
        async with self._ari().delete(f"{self.ari_url}/bridges/{bridge_id}") as answer:
            if answer.status not in (204, 404):
                raise LaboratoryError(f"ARI answered {answer.status} to DELETE of a bridge: {await answer.text()}")

    async def add_device(self, device: DeviceAccount, *, max_contacts: int | None = None) -> None:
        """Add a phone, or change one, while Asterisk runs; calls and registrations go on.

        `max_contacts` is how many places it may be registered in (shipped: 5).
        """
        self._devices[device.name] = device
        if max_contacts is not None:
            self._max_contacts[device.name] = max_contacts
        await self._reload(device.name)

    async def add_trunk(self, trunk: TrunkAccount) -> None:
        """Add one more trunk, or change one, while Asterisk runs; it is dialled as `PJSIP/<number>@<name>`."""
        self._trunks[trunk.name] = trunk
        await self._reload(trunk.name)

    async def _reload(self, name: str) -> None:
        """Let Asterisk read its endpoints again, one of which is new."""
        self._write_devices()
        await self.cli("module reload res_pjsip.so")
        for _ in range(int(REQUEST_WITHIN / POLL)):
            if await self._has_endpoint(name):
                return
            await asyncio.sleep(POLL)
        raise LaboratoryError(f"Asterisk did not take the endpoint {name}: see {self.log_path}")

    @property
    def _etc(self) -> Path:
        return self.run_dir / "etc"

    async def _configure(self, etc: Path, trunk_address: tuple[str, int] | None) -> None:
        self.certificate = await make_certificate(self._etc)
        (self.run_dir / HOLD_FOLDER / "tone.sln").write_bytes(hold_tone())
        differences = overrides(
            self.run_dir,
            self.ports,
            self.installation,
            marker=self._marker,
            certificate=self.certificate,
            trunk_address=trunk_address,
            ipv6=self._ipv6,
        )
        own = {ARI_LOGIN_FILE: f"password = {self.ari_password}\n", DEVICES_FILE: devices_file(self._devices.values())}
        deploy(etc, self._etc, differences, own)

    def _write_devices(self) -> None:
        devices = devices_file(self._devices.values(), self._max_contacts)
        (self._etc / DEVICES_FILE).write_text(f"{devices}\n{trunks_file(self._trunks.values())}")

    async def _spawn(self) -> None:
        self.log_path.unlink(missing_ok=True)
        command = (*self.installation.command, "-f", "-C", str(self._etc / "asterisk.conf"))
        with self._console.open("wb") as console:

            async def begin(rename: bool) -> asyncio.subprocess.Process:
                return await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=console,
                    stderr=subprocess.STDOUT,
                    cwd=self.run_dir,
                    env={**os.environ, **(child.IMPATIENT if self._slow_name else {})},
                    start_new_session=True,  # Ctrl-C is for the owner, who then stops it in order
                    preexec_fn=child.preparation(rename=rename),
                )

            try:
                self._process = await begin(self._slow_name)
            except subprocess.SubprocessError:
                if not self._slow_name:
                    raise
                name = socket.gethostname()
                logger.warning(
                    "this machine does not know its own name, so Asterisk starts slowly and every call waits for seconds: "
                    "put a line into /etc/hosts",
                    extra={"line": f"127.0.1.1 {name}"},
                )
                self._process = await begin(False)
        await self._wait_until_ready()

    @property
    def _console(self) -> Path:
        return self.run_dir / "log/console.log"

    async def _wait_until_ready(self) -> None:
        clock = asyncio.get_running_loop().time
        give_up = clock() + READY_WITHIN
        booted = False
        while clock() < give_up:
            if self.pid is None:
                raise LaboratoryError(f"Asterisk ended as it started: {self._last_words()}")
            # Asterisk says Ready without its ports; it has only logged that it did not get them.
            if PORT_TAKEN in self._console.read_text(errors="replace"):
                raise PortsTaken(self._last_words(PORT_TAKEN))
            if not booted and await self._ari_answers():
                booted = True
                give_up = min(give_up, clock() + PROBES_WITHIN)
            if booted and await self._sip_answers():
                return
            await asyncio.sleep(POLL)
        if booted:
            raise PortsTaken("a SIP port is answered by somebody else, or by nobody")
        raise LaboratoryError(f"Asterisk was not ready within {READY_WITHIN:.0f} s: {self._last_words()}")

    async def _ari_answers(self) -> bool:
        try:
            # A stranger on this port may take the connection and say nothing.
            async with asyncio.timeout(PROBE_TIMEOUT):
                info = await self._get("asterisk/info")
        except (aiohttp.ClientError, TimeoutError, ValueError, LaboratoryError):
            return False
        return isinstance(info, dict) and "system" in info

    async def _sip_answers(self) -> bool:
        addresses = [self.sip_address, *([self.sip_address_ipv6] if self.sip_address_ipv6 else [])]
        kinds = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
        probes = [answers_options(kind, address, self._marker) for address in addresses for kind in kinds]
        if self.certificate is not None:
            probes.append(shows_certificate((HOST, self.ports.sips), self.certificate.read_text()))
        return all(await asyncio.gather(*probes))

    async def _end(self, how: signal.Signals) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(how)
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await process.wait()
        except TimeoutError:
            logger.info("Asterisk did not end in order; killed", extra={"after_s": STOP_WITHIN})
        finally:
            if process.returncode is None:
                # With calls up Asterisk takes its time: up to 16 s were seen.
                process.kill()
                await process.wait()

    async def _has_endpoint(self, name: str) -> bool:
        try:
            await self._get(f"endpoints/PJSIP/{name}")
        except LaboratoryError:
            return False
        return True

    def _ari(self) -> aiohttp.ClientSession:
        if self._http is None:
            login = b64encode(f"{self.ari_username}:{self.ari_password}".encode()).decode()
            self._http = aiohttp.ClientSession(
                headers={"Authorization": f"Basic {login}"}, timeout=aiohttp.ClientTimeout(total=REQUEST_WITHIN)
            )
        return self._http

    async def _get(self, path: str) -> Any:
        async with self._ari().get(f"{self.ari_url}/{path}") as answer:
            if answer.status != 200:
                raise LaboratoryError(f"ARI answered {answer.status} to GET {path}: {await answer.text()}")
            return await answer.json()

    def _last_words(self, about: str = "") -> str:
        try:
            lines = self._console.read_text(errors="replace").splitlines()
        except OSError:
            return "it said nothing"
        return " / ".join([line for line in lines if about in line][-5:]) or "it said nothing"
