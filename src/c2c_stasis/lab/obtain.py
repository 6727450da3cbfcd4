"""A real Asterisk without root and without containers: the installed one, or Debian's packages in a cache folder."""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from c2c_stasis.lab.apt import Package, PrivateApt, Progress, find_keyring, machine_mirror, run, version_of
from c2c_stasis.lab.errors import LaboratoryError, MirrorUnreachable
from c2c_stasis.lab.installation import FLOOR, Installation, installed, new_enough, unpacked
from c2c_stasis.together import all_of

SUITES = ("forky", "sid")  # Debian 12 and 13 carry no Asterisk; 14 does, and so does unstable
PACKAGES = ("asterisk", "asterisk-core-sounds-en-gsm")
ROOM = 600_000_000  # bytes: 80 MB of packages and 270 MB unpacked, with as much again to spare
MANIFEST = "manifest.json"
UNFINISHED = ".unpacking-"
# "fetch": do not use the machine's own Asterisk. One underscore: with two the service would take it for a setting.
SWITCH = "C2C_LAB_ASTERISK"


def silent(_: str) -> None:
    """Show no progress."""


async def obtain(*, cache: Path | None = None, mirror: str | None = None, progress: Progress = silent) -> Installation:
    """Give an Asterisk that can be started, and fetch one first if need be (11 s on a good line, 80 MB; once).

    `cache` is the folder that keeps fetched trees, `mirror` a Debian archive to use instead of the machine's own;
    `progress` is given one short line about every second. Any number of processes may call this at once: one fetches,
    the others wait. What an interrupted run fetched is kept, and a tree is there whole or not at all. Raises
    LaboratoryError with what helps.
    """
    wish = os.environ.get(SWITCH, "")
    if wish not in ("", "fetch"):
        raise LaboratoryError(f"{SWITCH} is {wish!r}: it may be 'fetch' (use no installed Asterisk), or absent")
    if not wish and (own := await installed()) is not None:
        return own
    folder = cache if cache is not None else default_cache()
    if (kept := _kept(folder)) is not None:
        return kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise LaboratoryError(
            f"{folder} cannot be made ({exc.strerror}): name another cache folder (XDG_CACHE_HOME)"
        ) from exc
    async with _alone(folder / "lock", progress):
        if (kept := _kept(folder)) is not None:
            return kept
        return await _fetch(folder, mirror, progress)


def default_cache() -> Path:
    """The user's cache folder for this program.

    Raises LaboratoryError for a user without a home.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    if not base:
        try:
            base = str(Path.home() / ".cache")
        except RuntimeError as exc:
            raise LaboratoryError("this user has no home: set XDG_CACHE_HOME to a folder that may keep 300 MB") from exc
    return Path(base) / "c2c-stasis"


def is_whole(tree: Path) -> bool:
    """Tell whether a tree is as it was unpacked: every file there, of its size. Takes about 40 ms."""
    try:
        manifest = json.loads((tree / MANIFEST).read_text())
        return all(os.lstat(tree / name).st_size == size for name, size in manifest["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # absent, cut short, or not ours
        return False


def write_manifest(tree: Path, version: str) -> None:
    """Note version, names and sizes of all that a tree holds, for `is_whole`."""
    files: dict[str, int] = {}
    for folder, _, names in os.walk(tree):
        for name in names:
            path = Path(folder, name)
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_ISUID | stat.S_ISGID):
                # Unpacked by root, `passwd` and its like would be root's for whoever reads the cache.
                path.chmod(stat.S_IMODE(status.st_mode) & 0o777)
            files[str(path.relative_to(tree))] = status.st_size
    (tree / MANIFEST).write_text(json.dumps({"version": version, "files": files}))


def _kept(folder: Path) -> Installation | None:
    for suite in SUITES:
        tree = folder / f"asterisk-{suite}"
        if is_whole(tree):
            version = json.loads((tree / MANIFEST).read_text())["version"]
            if new_enough(version):
                return unpacked(tree, version)
    return None


@contextlib.asynccontextmanager
async def _alone(lock: Path, progress: Progress) -> AsyncIterator[None]:
    """Hold the cache's lock, which dies with its process."""
    with lock.open("w") as file:
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    progress("waiting for another process that is fetching Asterisk")
                    told = True
                await asyncio.sleep(0.1)
        yield


async def _fetch(folder: Path, mirror: str | None, progress: Progress) -> Installation:
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        raise LaboratoryError(
            f"{folder} has {free / 1e6:.0f} MB left and Asterisk needs {ROOM / 1e6:.0f}: make room, or set XDG_CACHE_HOME"
        )
    keyring = find_keyring()
    source = mirror or await machine_mirror()
    refusals: list[str] = []
    for suite in SUITES:
        apt = PrivateApt(folder / f"apt-{suite}")
        progress(f"reading the package list of {suite}")
        try:
            await apt.update(source, suite, keyring)
            files = await apt.files_for(PACKAGES)
        except MirrorUnreachable:
            raise
        except LaboratoryError as exc:
            refusals.append(f"{suite}: {exc}")
            continue
        version = version_of(files, "asterisk")
        if version is None or not new_enough(version):
            refusals.append(f"{suite} has Asterisk {version}, older than {'.'.join(map(str, FLOOR))}")
            continue
        await apt.download(PACKAGES, files, progress)
        tree = folder / f"asterisk-{suite}"
        await _unpack(apt, files, tree, version, progress)
        await asyncio.to_thread(_clear, folder)
        return unpacked(tree, version)
    raise LaboratoryError("; ".join(refusals))


async def _unpack(apt: PrivateApt, files: list[Package], tree: Path, version: str, progress: Progress) -> None:
    unfinished = _new_folder_beside(tree)
    progress(f"unpacking {len(files)} packages")
    waiting = iter(files)

    async def worker() -> None:
        for file in waiting:
            await run("dpkg-deb", "--extract", str(apt.archives / file.name), str(unfinished))

    await all_of(worker() for _ in range(os.cpu_count() or 1))
    await asyncio.to_thread(write_manifest, unfinished, version)
    _put_in_place(unfinished, tree)
    progress(f"Asterisk {version} is in {tree}")


def _new_folder_beside(tree: Path) -> Path:
    # A name of its own: what a killed process started may still be writing to the last one.
    folder = Path(tempfile.mkdtemp(prefix=f"{tree.name}{UNFINISHED}", dir=tree.parent))
    folder.chmod(0o755)
    return folder


def _put_in_place(unfinished: Path, tree: Path) -> None:
    if tree.exists():  # and is not whole, or we would not be here
        tree.rename(_new_folder_beside(tree) / "broken")
    unfinished.rename(tree)


def _clear(folder: Path) -> None:
    """Remove what fetching and unpacking left over, now or in a run that was killed."""
    for leftover in (*folder.glob("apt-*"), *folder.glob(f"*{UNFINISHED}*")):
        shutil.rmtree(leftover, ignore_errors=True)
