"""The service as operators run it: `c2c-stasis serve` in a process of its own, which can be killed."""

import asyncio
import json
import resource
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from c2c_stasis.config import AccountLimits, Config, Http, KeyLimits, Policy, Sip, UserLimits, Webhooks
from c2c_stasis.lab import child
from tests.live.waiting import eventually

STARTS_WITHIN = 20.0  # seconds; half a second is usual
ENDS_WITHIN = 10.0  # seconds
COMMAND = "from c2c_stasis.cli import main; main()"


def heed_signals() -> None:
    """Let a child hear what tests run by nohup, or in the background of a script, would make it ignore."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class ServiceProcess:
    """A service with one configuration file, started any number of times, one after the other."""

    def __init__(self, config: Config, folder: Path) -> None:
        self.folder = folder
        self.descriptors: int | None = None  # how many it may have open, if not as many as we may
        self._file = folder / "c2c.toml"
        self._log = folder / "service.log"
        self._process: Process | None = None
        self._read = 0
        folder.mkdir(exist_ok=True)
        self._file.write_text(as_toml(config))

    async def start(self) -> str:
        """Start it, and give its URL."""
        assert self._process is None
        self._read = len(self.lines())
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", COMMAND, "serve", "--config", str(self._file)),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=self._preparation(),
            )

        async def listening() -> str:
            assert self._process is not None
            assert self._process.returncode is None, self._log.read_text()
            said = [
                line["url"] for line in self.lines()[self._read :] if line["message"] == "listening" and "url" in line
            ]
            return str(said[-1]) if said else ""

        return await eventually(listening, bool, "the service to listen", STARTS_WITHIN)

    def _preparation(self) -> Callable[[], None]:
        tie = child.preparation(rename=False)  # it must not outlive the tests

        def prepare() -> None:
            tie()
            if self.descriptors is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptors, self.descriptors))

        return prepare

    @property
    def returncode(self) -> int | None:
        """How it ended, if it has by itself."""
        return self._process.returncode if self._process else None

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process is not None
        return self._process.pid

    async def kill(self) -> None:
        """End it at once (SIGKILL): it can do nothing about it."""
        if self._process is not None:
            with suppress(ProcessLookupError):  # somebody was faster
                self._process.kill()
            await self._process.wait()
            self._process = None

    async def stop(self) -> None:
        """End it in order (SIGTERM); raises `AssertionError` when that takes long or is not the end it should be."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.terminate()
        await self.until_ended()

    def tell_to_end(self) -> None:
        """Send SIGTERM, and wait for nothing."""
        assert self._process is not None
        self._process.terminate()

    async def until_ended(self, within: float = ENDS_WITHIN) -> None:
        """Wait until it has ended; raises `AssertionError` when that takes long or is not the end it should be."""
        assert self._process is not None
        process, self._process = self._process, None
        try:
            async with asyncio.timeout(within):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        assert process.returncode == 0, self._log.read_text()

    def rewrite(self, text: str) -> None:
        """Put another text into its configuration file; it does not know of it yet."""
        self._file.write_text(text)

    async def read_again(self, said: str) -> list[dict[str, Any]]:
        """Let it read its configuration again (SIGHUP), and give what it says from then on, as soon as it says this."""
        assert self._process is not None
        before = len(self.lines())
        self._process.send_signal(signal.SIGHUP)

        async def news() -> list[dict[str, Any]]:
            return self.lines()[before:]

        return await eventually(news, lambda lines: any(line["message"] == said for line in lines), said)

    async def said(self, message: str) -> dict[str, Any]:
        """The newest line of its log with this message, as soon as it is there."""

        async def found() -> list[dict[str, Any]]:
            return [line for line in self.lines()[self._read :] if line["message"] == message]

        return (await eventually(found, bool, message))[-1]

    def lines(self) -> list[dict[str, Any]]:
        """Its whole log; a line that is no JSON, such as one of a traceback, is an alarm."""
        if not self._log.exists():
            return []
        return [_parsed(line) for line in self._log.read_text().splitlines()]

    def text(self) -> str:
        """Its whole log as it is."""
        return self._log.read_text()

    def alarms(self) -> list[str]:
        """The messages of level ERROR and above."""
        return [str(line["message"]) for line in self.lines() if line["level"] in ("error", "critical")]


def as_toml(config: Config) -> str:
    """The configuration file of a configuration, as far as stories vary it."""
    ari, calls = config.ari, config.calls
    sections: dict[str, dict[str, object]] = {
        "[http]": _plain(config.http),
        "[ari]": {"url": ari.url, "username": ari.username, "password": ari.password, "app": ari.app, "log": ari.log},
        "[database]": {"url": config.database.url},
        "[calls]": {name: getattr(calls, name) for name in calls.__dataclass_fields__},
        "[webhooks]": _plain(config.webhooks),
        "[sip]": _plain(config.sip),
        "[policy]": _plain(config.policy),
        "[user_limits]": _plain(config.user_limits),
        "[account_limits]": _plain(config.account_limits),
        "[key_limits]": _plain(config.key_limits),
        "[service]": {"on_stop": config.service.on_stop, "grace": config.service.grace},
        "[log]": {"level": config.log.level, "format": "json"},
    }
    texts = [f"{header}\n{as_lines(values)}" for header, values in sections.items()]
    for trunk in config.trunks:
        values = {name: getattr(trunk, name) for name in trunk.__dataclass_fields__}
        texts.append(f"[[trunks]]\n{as_lines(values)}")
    for route in config.routes:
        values = {name: str(getattr(route, name)) for name in route.__dataclass_fields__}
        texts.append(f"[[routes]]\n{as_lines(values)}")
    return "\n".join(texts)


def _plain(section: Http | Webhooks | Sip | Policy | UserLimits | AccountLimits | KeyLimits) -> dict[str, object]:
    values = {name: getattr(section, name) for name in section.__dataclass_fields__}
    return {name: value if isinstance(value, int | float) else str(value) for name, value in values.items()}


def as_lines(values: dict[str, object]) -> str:
    """One section of TOML, whose plain values are written as in JSON."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def _parsed(line: str) -> dict[str, Any]:
    try:
        parsed: dict[str, Any] = json.loads(line)
    except ValueError:
        return {"level": "error", "message": line}
    return parsed
