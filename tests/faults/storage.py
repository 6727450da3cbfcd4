"""What goes wrong with the database and the disk, done from outside the service, by an ordinary user if possible."""

import asyncio
import os
import resource
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Self

LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""
DISK_BYTES = 16_000_000  # a database, its log of 4 MB, and as much again


class Locked:
    """Another process holds the write lock of the database: one of ours would be no stranger to the locks of this process."""

    said = "database is locked"

    def __init__(self, file: Path) -> None:
        self._file = file
        self._process: Process | None = None

    async def begin(self, _pid: int) -> None:
        """Hold it."""
        command = (sys.executable, "-c", LOCKER, str(self._file))
        self._process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
        assert self._process.stdout is not None
        assert await self._process.stdout.readline() == b"locked\n"

    async def end(self) -> None:
        """Let it go."""
        if self._process is not None:
            process, self._process = self._process, None
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()


class NoMoreBytes:
    """The kernel refuses the service every byte in a file, with EFBIG: for an ordinary user what a full disk is."""

    said = "disk I/O error"

    def __init__(self) -> None:
        self._pid = 0
        self._before = (0, 0)

    async def begin(self, pid: int) -> None:
        """From now on."""
        self._pid, self._before = pid, resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, self._before[1]))

    async def end(self) -> None:
        """Let it write again."""
        if self._pid:
            resource.prlimit(self._pid, resource.RLIMIT_FSIZE, self._before)
            self._pid = 0


class FullDisk:
    """A small disk of its own, that somebody else fills to the last byte (ENOSPC)."""

    said = "database or disk is full"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    @classmethod
    def mount(cls, folder: Path) -> Self:
        """Mount it; for root, or under `unshare --user --map-root-user --mount`."""
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", folder], check=True)
        return cls(folder)

    def unmount(self) -> None:
        """Take it away."""
        subprocess.run(["umount", "--lazy", self.folder], check=True)

    async def begin(self, _pid: int) -> None:
        """Fill it."""
        fill(self._filler)

    async def end(self) -> None:
        """Make room."""
        self._filler.unlink(missing_ok=True)


Fault = Locked | NoMoreBytes | FullDisk


def fill(file: Path) -> None:
    """Write until nothing more goes."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    piece = 65_536
    try:
        while piece:
            try:
                os.write(descriptor, bytes(piece))
            except OSError:
                piece //= 2
    finally:
        os.close(descriptor)


def can_mount() -> bool:
    """Whether this user may mount a disk of its own."""
    probe = ("unshare", "--mount", "mount", "-t", "tmpfs", "none", "/tmp")
    try:
        return subprocess.run(probe, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
