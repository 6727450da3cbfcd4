"""The private folder of one Asterisk, which goes when its owner goes: at once, or when the next one starts."""

import fcntl
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import IO

from c2c_stasis.lab.errors import LaboratoryError

PREFIX = "c2c-lab-"
LOCK = "owner.lock"
PID = "run/asterisk.pid"
HOLD_FOLDER = "moh"
FOLDERS = ("etc", "var", "spool", "run", "log", "cache", HOLD_FOLDER)
LONGEST = 107 - len("/run/asterisk.ctl")  # characters: the path of a unix socket


class RunDir:
    """A folder with a lock that the kernel lets go when this process ends, however it ends."""

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def make(cls, path: Path | None = None) -> "RunDir":
        """Make the folder, or a new one under the system's temporary folder.

        Raises LaboratoryError when it exists and is not empty, or when its path is too long for a socket.
        """
        if path is None:
            path = Path(tempfile.mkdtemp(prefix=PREFIX))
        else:
            path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise LaboratoryError(f"{path} is not empty: an Asterisk needs a folder of its own")
        if len(str(path)) > LONGEST:
            path.rmdir()
            raise LaboratoryError(f"{path} is too long: at most {LONGEST} characters, for Asterisk's socket is inside")
        lock = (path / LOCK).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for name in FOLDERS:
            (path / name).mkdir()
        return cls(path, lock)

    def remove(self) -> None:
        """Remove the folder and all in it; twice is once."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def sweep(parent: Path | None = None) -> list[Path]:
    """Remove the folders that owners left behind when they were killed, and end an Asterisk that outlived one.

    Gives what was removed. Only folders of this user, of our naming, with a lock that nobody holds.
    """
    removed: list[Path] = []
    for path in sorted((parent or Path(tempfile.gettempdir())).glob(f"{PREFIX}*")):
        try:
            if path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            with (path / LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _end_survivor(path)
                shutil.rmtree(path, ignore_errors=True)
        except OSError:  # held by a living owner, or being made or removed at this moment
            continue
        removed.append(path)
    return removed


def living(parent: Path | None = None) -> list[Path]:
    """The folders of this user's laboratories that run now."""
    found: list[Path] = []
    for path in sorted((parent or Path(tempfile.gettempdir())).glob(f"{PREFIX}*")):
        try:
            if path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            with (path / LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found.append(path)
        except OSError:  # being made or removed at this moment
            continue
    return found


def _end_survivor(path: Path) -> None:
    try:
        pid = int((path / PID).read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return
    # The number may belong to another process by now.
    if str(path).encode() in command:
        os.kill(pid, signal.SIGKILL)
