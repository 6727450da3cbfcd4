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


def lines_of_call(files: Iterable[Path], call_id: str, warn: Callable[[str], None]) -> list[Line]:
    """Everything the log says about one call, in the order of the moments. Raises `NotReadable` or `OSError`.

    Only the whole id leads there: how it begins would lead to many calls, drawn as one.
    """
    sought = call_id.encode()
    whole = re.compile(re.escape(sought) + rb"(?![0-9a-z])")
    wanted = _lines(files, lambda line: sought in line and whole.search(line) is not None, warn)
    return sorted(wanted, key=lambda line: str(line["time"]))


def lines_by_call(
    files: Iterable[Path], warn: Callable[[str], None], call_id: str | None = None
) -> dict[str, list[Line]]:
    """What the heart of each call, or of one, was told and decided, as it was written. Raises `NotReadable` or `OSError`."""
    calls: dict[str, list[Line]] = {}
    sought = (call_id or "").encode()
    for line in _lines(files, lambda line: sought in line and _OF_THE_HEART.search(line) is not None, warn):
        calls.setdefault(str(line.get("call")), []).append(line)
    return calls if call_id is None else {one: lines for one, lines in calls.items() if one == call_id}


def _lines(files: Iterable[Path], wanted: Callable[[bytes], bool], warn: Callable[[str], None]) -> Iterator[Line]:
    """The lines that are wanted; what cannot be understood, such as a last line that was cut off, is passed by.

    So is a whole file that is damaged or of another version, and `warn` is told of it if it has such lines: the others tell
    what they can. Raises `NotReadable` if there is nothing but such files.
    """
    refused: list[tuple[str, bool]] = []  # why, and whether the file has lines that are wanted
    found = readable = False
    for path in files:
        with path.open("rb") as file:
            head = file.readline()
            if why := _refusal(path, head):
                refused.append((why, wanted(head) or any(map(wanted, file))))
                continue
            readable = True
            for line in map(_read, filter(wanted, file)):
                if line is not None:
                    found = True
                    yield line
    missed = [why for why, has_some in refused if has_some]
    if (refused and not readable) or (missed and not found):
        raise NotReadable((missed or [why for why, _ in refused])[0])
    for why in missed:
        warn(f"{why}: it is passed by")


def _read(text: bytes) -> Line | None:
    try:
        line = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return line if "kind" in line and "time" in line else None


def _refusal(path: Path, head: bytes) -> str:
    """Why the lines of a file that begins so cannot be understood, if they cannot."""
    if not head:
        return ""
    first = _read(head) or {}
    if first.get("kind") != "log":
        return f"{path} is no ARI log of c2c-stasis"
    if first.get("version") != VERSION:
        return f"{path} has lines of version {first.get('version')}; this program reads {VERSION}"
    return ""
