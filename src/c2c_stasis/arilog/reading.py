"""The ARI log, read back: its files, the lines of one call, and which calls there are."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from c2c_stasis.arilog.coding import NotReadable
from c2c_stasis.arilog.files import log_files
from c2c_stasis.arilog.log import VERSION

Line = dict[str, Any]

_OF_THE_HEART = re.compile(rb'"kind": ?"(?:call|step)"')
_decode = msgspec.json.Decoder(Line).decode


def files_of(path: Path) -> list[Path]:
    """The files that are meant by a file or a folder, the oldest first."""
    return log_files(path) if path.is_dir() else [path]


def lines_of_call(files: Iterable[Path], call_id: str) -> list[Line]:
    """Everything the log says about one call, in the order of the moments. Raises `NotReadable` or `OSError`."""
    sought = call_id.encode()
    return sorted(_lines(files, lambda line: sought in line), key=lambda line: str(line["time"]))


def lines_by_call(files: Iterable[Path]) -> dict[str, list[Line]]:
    """What the heart of each call was told and decided, as it was written. Raises `NotReadable` or `OSError`."""
    calls: dict[str, list[Line]] = {}
    for line in _lines(files, lambda line: _OF_THE_HEART.search(line) is not None):
        calls.setdefault(line["call"], []).append(line)
    return calls


def _lines(files: Iterable[Path], wanted: Callable[[bytes], bool]) -> Iterator[Line]:
    """The lines that are wanted; what cannot be understood, such as a last line that was cut off, is passed by."""
    for path in files:
        with path.open("rb") as file:
            head = file.readline()
            _require_ours(path, head)
            for text in file:
                if not wanted(text):
                    continue
                try:
                    yield _decode(text)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue


def _require_ours(path: Path, head: bytes) -> None:
    if not head:
        return
    try:
        first = _decode(head)
    except (msgspec.DecodeError, UnicodeDecodeError):
        first = {}
    if first.get("kind") != "log":
        raise NotReadable(f"{path} is no ARI log of c2c-stasis")
    if first.get("version") != VERSION:
        raise NotReadable(f"{path} has lines of version {first.get('version')}; this program reads {VERSION}")
