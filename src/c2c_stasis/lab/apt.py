"""Debian's packages without root: a private apt state, from the machine's own mirror, with signatures checked."""

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from c2c_stasis.lab import child
from c2c_stasis.lab.errors import LaboratoryError, MirrorUnreachable

KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp")
SIDE_SUITES = ("-updates", "-security", "-backports", "-backports-sloppy", "-proposed-updates", "-debug")
UNREACHABLE = (
    "Temporary failure resolving",
    "Could not resolve",
    "Could not connect",
    "Unable to connect",
    "timed out",
)
TARGET_FORMAT = "$(REPO_URI)\t$(LABEL)\t$(RELEASE)"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Target:
    """One source that the machine's apt knows."""

    uri: str
    label: str
    """What its Release file calls itself; empty when it was never fetched."""
    release: str


@dataclass(frozen=True, slots=True)
class Package:
    """One file that an installation needs."""

    name: str
    """The file's name in apt's archive folder."""
    size: int  # bytes


def choose_mirror(targets: Iterable[Target]) -> str | None:
    """Pick Debian's own archive among the machine's sources: neither security, nor updates, nor another vendor's.

    A machine on which `apt-get update` never ran knows no labels; there the address has to tell.
    """
    plain = [t for t in targets if not t.release.endswith(SIDE_SUITES) and "security" not in t.uri]
    for target in plain:
        if target.label == "Debian":
            return target.uri
    for target in plain:
        if not target.label and urlsplit(target.uri).path.rstrip("/").endswith("/debian"):
            return target.uri
    return None


async def machine_mirror() -> str:
    """Ask the machine's apt where it gets Debian from.

    Raises LaboratoryError when apt is missing or knows no such place.
    """
    if shutil.which("apt-get") is None:
        raise LaboratoryError(
            "no apt-get here, so Asterisk cannot be fetched: install Asterisk 22.10.1 or later yourself"
        )
    listed = await run("apt-get", "indextargets", "--format", TARGET_FORMAT)
    targets = [Target(*line.split("\t")) for line in listed.splitlines() if line.count("\t") == 2]
    if not targets:
        # Without package lists apt names no targets, but it still says what it would fetch.
        would_fetch = await run("apt-get", "update", "--print-uris", "-o", "Debug::NoLocking=1")
        found = re.findall(r"^'(\S+?)/*/dists/(\S+?)/InRelease'", would_fetch, re.MULTILINE)
        targets = [Target(uri + "/", "", release) for uri, release in found]
    mirror = choose_mirror(targets)
    if mirror is None:
        raise LaboratoryError("the machine's apt sources name no Debian mirror: say which to use (--mirror)")
    return mirror


def find_keyring() -> Path:
    """The keys that sign Debian's archive.

    Raises LaboratoryError when they are not installed.
    """
    for keyring in map(Path, KEYRINGS):
        if os.access(keyring, os.R_OK):
            return keyring
    raise LaboratoryError(
        f"{KEYRINGS[0]} is missing, so signatures cannot be checked: apt-get install debian-archive-keyring"
    )


class PrivateApt:
    """An apt that keeps all its state in one folder of ours and regards nothing as installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archives = folder / "archives"
        self._config = folder / "apt.conf"

    async def update(self, mirror: str, suite: str, keyring: Path) -> None:
        """Fetch and verify the package list of one suite.

        Raises LaboratoryError when the mirror cannot be reached or its signature is not good.
        """
        for sub in ("lists/partial", "archives/partial", "nothing/partial"):
            (self.folder / sub).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        (self.folder / "sources.list").write_text(f"deb [signed-by={keyring}] {mirror} {suite} main\n")
        self._config.write_text(await self._settings())
        await self._get("update", "--error-on=any")

    async def files_for(self, packages: tuple[str, ...]) -> list[Package]:
        """All files of these packages and of what they need, fetched already or not."""
        # apt names only what it lacks, so it is shown an archive that lacks everything.
        elsewhere = f"Dir::Cache::Archives={self.folder / 'nothing'}"
        printed = await self._get("install", "--yes", "--print-uris", "-o", elsewhere, *packages)
        return [
            Package(name, int(size)) for name, size in re.findall(r"^'\S+' (\S+\.deb) (\d+) ", printed, re.MULTILINE)
        ]

    async def download(self, packages: tuple[str, ...], files: list[Package], progress: Progress) -> None:
        """Fetch them; what an interrupted run left behind is not fetched again."""
        total = sum(file.size for file in files)
        fetching = asyncio.create_task(self._get("install", "--yes", "--download-only", *packages))
        try:
            while True:
                done, _ = await asyncio.wait({fetching}, timeout=1)
                progress(f"fetching Asterisk: {self._fetched() / 1e6:.0f} of {total / 1e6:.0f} MB")
                if done:
                    break
        finally:
            fetching.cancel()
        await fetching
        short = [file.name for file in files if not self._complete(file)]
        if short:
            raise LaboratoryError(
                f"apt-get left {len(short)} of {len(files)} packages out, {short[0]} for one: run it again"
            )

    def _complete(self, file: Package) -> bool:
        path = self.archives / file.name
        return path.is_file() and path.stat().st_size == file.size

    def _fetched(self) -> int:
        total = 0
        for folder in (self.archives, self.archives / "partial"):
            with os.scandir(folder) as entries:
                for entry in entries:
                    try:
                        total += entry.stat().st_size if entry.name.endswith(".deb") else 0
                    except FileNotFoundError:  # apt has just moved it out of partial/
                        continue
        return total

    async def _settings(self) -> str:
        # Of the machine's settings only those about fetching hold here (a proxy, a clock that is off): no hooks, no
        # pins, no index targets.
        dump = await run("apt-config", "dump", "Acquire")
        kept = [
            x
            for x in dump.splitlines()
            if x.startswith("Acquire::") and "IndexTargets" not in x and "Languages" not in x
        ]
        folder = self.folder
        ours = {
            "Dir::Etc::SourceList": folder / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Parts": "/dev/null",
            "Dir::Etc::Main": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::State": folder,
            "Dir::State::Lists": folder / "lists",
            "Dir::State::Status": folder / "status",
            "Dir::Cache": folder,
            "Dir::Cache::Archives": self.archives,
            "Dir::Log": folder,
            "Acquire::Languages": "none",
            "Acquire::Retries": 3,
            # A suite that is being made has lists that expire within a week, and mirrors that lag.
            "Acquire::Check-Valid-Until": "false",
            "APT::Install-Recommends": "false",
            # Root's apt would fetch as the user _apt, which cannot write to our folder.
            "APT::Sandbox::User": "root",
            # The folder has a lock of its own, held for longer than apt's.
            "Debug::NoLocking": "true",
        }
        return "\n".join([*kept, *(f'{key} "{value}";' for key, value in ours.items()), ""])

    async def _get(self, *arguments: str) -> str:
        return await run("apt-get", "-q", *arguments, config=self._config)


async def run(*command: str, config: Path | None = None) -> str:
    """Run one command of Debian's and give what it printed.

    Raises LaboratoryError, with its own words, when it is missing or fails.
    """
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    if config is not None:
        environment["APT_CONFIG"] = str(config)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # An apt-get that outlives us would write where our successor does.
            preexec_fn=child.preparation(rename=False),
        )
    except FileNotFoundError as exc:
        raise LaboratoryError(
            f"{command[0]} is missing: the laboratory fetches Asterisk on Debian and its kin only"
        ) from exc
    try:
        output, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    if process.returncode != 0:
        raise explain(command[0], complaints.decode(errors="replace"))
    return output.decode(errors="replace")


def explain(command: str, complaints: str) -> LaboratoryError:
    """Turn the last words of a failed command into an error that says what helps."""
    lines = [x for x in complaints.splitlines() if x.startswith(("E:", "dpkg"))] or complaints.splitlines()
    told = f"{command} failed: {lines[0] if lines else 'it said nothing'}"
    if any(word in complaints for word in ("NO_PUBKEY", "not signed", "EXPKEYSIG", "Missing key")):
        return LaboratoryError(f"{told} (the keys here are too old for it: apt-get install debian-archive-keyring)")
    if any(word in complaints for word in UNREACHABLE):
        return MirrorUnreachable(
            f"{told} (see that the network works, or name another mirror; what is fetched is kept)"
        )
    if any(word in complaints for word in ("No space left", "enough free space")):
        return LaboratoryError(f"{told} (the disk is full; what is fetched is kept)")
    return LaboratoryError(told)


def version_of(files: Iterable[Package], package: str) -> str | None:
    """The upstream version of one package among the files, without Debian's epoch."""
    for file in files:
        name, _, rest = unquote(file.name).partition("_")
        if name == package:
            return rest.rpartition("_")[0].partition(":")[2] or rest.rpartition("_")[0]
    return None
