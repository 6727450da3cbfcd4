"""The files of the ARI log: a new one at each start and whenever one is full, and never more than there may be."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

PARTS = 10  # a file is full when it holds a tenth of what all may hold
LONGEST = 65_536  # bytes that are written at once; so much before a file would be full, another one is begun
MOST_FILES = 200  # also when each is nearly empty, because the service starts again and again


class Files:
    """Appends lines to the newest file. `head` gives the line with which each file begins.

    The folder is made with mode 0700 and each file with 0600. Whatever is wrong with the disk is raised as `OSError`, and
    leaves no half line behind.
    """

    def __init__(self, folder: Path, app: str, most: int, head: Callable[[], bytes]) -> None:
        self._folder = folder
        self._app = app
        self._most = most  # bytes, all files together
        self._head = head
        self._file = -1
        self._size = 0
        self.opened = 0  # how many files this has begun

    @property
    def full_at(self) -> int:
        """Bytes at which a file is full."""
        return max(2 * LONGEST, self._most // PARTS)

    def make_ready(self) -> None:
        """Begin a file when there is none or it is full: after that, what is at most `LONGEST` can be written."""
        if self._file < 0 or self._size + LONGEST > self.full_at:
            self._begin()

    def write(self, lines: bytes) -> None:
        """Append whole lines, all of them or none."""
        left = memoryview(lines)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += len(lines)

    def close(self) -> None:
        """Begin no more in this file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _begin(self) -> None:
        self.close()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make_room()
        path = self._new()
        self.opened += 1
        try:
            self.write(self._head())
        except OSError:
            self.close()
            with contextlib.suppress(OSError):
                path.unlink()  # a full disk is not made fuller by empty files
            raise

    def _new(self) -> Path:
        """A file that was not there before, nor a link; its name tells when it was begun, in UTC."""
        moment = time.time_ns() // 1_000_000
        while True:
            second = time.strftime("%Y%m%dT%H%M%S", time.gmtime(moment // 1000))
            path = self._folder / f"{self._app}-{second}.{moment % 1000:03}-{os.getpid()}.jsonl"
            try:
                self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            except FileExistsError:
                moment += 1
                continue
            self._size = 0
            return path

    def _make_room(self) -> None:
        """Remove the oldest files until another one may become full."""
        files = log_files(self._folder, self._app)
        sizes = [_size_of(path) for path in files]
        while files and (sum(sizes) + self.full_at > self._most or len(files) >= MOST_FILES):
            files.pop(0).unlink(missing_ok=True)
            sizes.pop(0)


def log_files(folder: Path, app: str = "*") -> list[Path]:
    """The files of the log in a folder, those of one application or of all, the oldest first."""
    stamp = "[0-9]" * 8 + "T" + "[0-9]" * 6 + ".[0-9][0-9][0-9]-*.jsonl"
    return sorted(folder.glob(f"{app}-{stamp}"), key=lambda path: (path.name.rsplit("-", 2)[1], path.name))


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
