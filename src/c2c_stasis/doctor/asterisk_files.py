"""Asterisk's configuration files, read as Asterisk reads them: templates, additions and includes are carried out.

Only for what ARI cannot tell: lists of users and of sections, and who may read the files. `#exec` is never carried out; where
one stands, what it would give is as good as unread. Names of settings are kept in small letters, for Asterisk takes `Enabled`
for `enabled`; of sections it takes the one that is written so, else one that differs in capital letters alone (22.10.1).
"""

import glob
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

WHERE_ASTERISK_LOOKS = Path("/etc/asterisk")

_BLOCK_COMMENT = re.compile(r";--(?!-).*?--;", re.DOTALL)
_COMMENT = re.compile(r"(?<!\\);.*")
_SECTION = re.compile(r"\[([^\]]+)\](?:\s*\(([^)]*)\))?")
_SETTING = re.compile(r"([^=>+]+?)\s*(?:=>|\+=|=)\s*(.*)")
_INCLUDE = re.compile(r"#(include|tryinclude)\s+(.+)")
_EXEC = re.compile(r"#exec\b")
_TRUE = {"yes", "true", "y", "t", "1", "on"}
DEEPEST = 10  # files that include one another; Asterisk gives up at the same depth


class FileUnread(Exception):
    """A file that would have to be read cannot be; the text says which and why."""


@dataclass(slots=True)
class Section:
    """One section, with what its templates give it. A template itself is none that counts."""

    name: str
    settings: list[tuple[str, str]] = field(default_factory=list)
    template: bool = False

    def value(self, key: str, default: str = "") -> str:
        """What counts for a key that may stand there once: the last one."""
        return next((value for name, value in reversed(self.settings) if name == key), default)

    def true(self, key: str, *, default: bool = False) -> bool:
        """Whether a setting is on, in any of Asterisk's words for it."""
        found = self.value(key)
        return is_true(found) if found else default


@dataclass(slots=True)
class ConfFile:
    """One file with all that it includes. `unread` is what it names and could not be read."""

    sections: list[Section] = field(default_factory=list)
    read: list[Path] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def of_type(self, kind: str) -> list[Section]:
        """The sections that say `type = kind`."""
        return [one for one in self.sections if not one.template and one.value("type") == kind]

    def named(self, name: str) -> Section:
        """The section that counts of those of a name, the first; empty when there is none."""
        return _called(name, (one for one in self.sections if not one.template)) or Section(name)


class AsteriskFiles:
    """The files of one folder. All raise `FileUnread`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, ConfFile] = {}

    def file(self, name: str) -> ConfFile:
        """A file, as far as it can be read; one that is not there is empty, as Asterisk takes it."""
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    def whole(self, name: str) -> ConfFile:
        """A file that could be read with all that it includes."""
        found = self.file(name)
        if found.unread:
            raise FileUnread("; ".join(found.unread))
        return found

    def names(self) -> list[str]:
        """Every file of the folder that Asterisk could be told in."""
        try:
            return sorted(path.name for path in self.folder.iterdir() if path.suffix == ".conf")
        except OSError as error:
            raise FileUnread(f"{self.folder} cannot be read: {error.strerror}") from error

    def _read(self, name: str) -> ConfFile:
        if name not in self.names():
            return ConfFile()
        found = ConfFile()
        try:
            _Reader(self.folder, found).take(self.folder / name, depth=0)
        except OSError as error:
            raise FileUnread(f"{self.folder / name} cannot be read: {error.strerror}") from error
        return found


class _Reader:
    """Puts together one file and what it includes."""

    def __init__(self, folder: Path, found: ConfFile) -> None:
        self._folder = folder
        self._found = found
        self._current: Section | None = None

    def take(self, file: Path, depth: int) -> None:
        """Read a file line by line. Raises `OSError`."""
        text = _BLOCK_COMMENT.sub("", file.read_text(encoding="utf-8", errors="replace"))
        self._found.read.append(file)
        for raw in text.splitlines():
            line = _COMMENT.sub("", raw).strip().replace("\\;", ";")
            if not line:
                continue
            if include := _INCLUDE.match(line):
                self._include(file, include[2].strip().strip('"<>'), include[1] == "tryinclude", depth)
            elif _EXEC.match(line):
                self._found.unread.append(f"{file} has a line with #exec, and no program is run to look at it")
            elif section := _SECTION.match(line):
                self._begin(section[1], [word.strip() for word in (section[2] or "").split(",")])
            elif self._current is not None and (setting := _SETTING.match(line)):
                self._current.settings.append((setting[1].strip().lower(), setting[2].strip()))

    def _include(self, by: Path, pattern: str, may_be_missing: bool, depth: int) -> None:
        whole = pattern if pattern.startswith("/") else str(self._folder / pattern)
        files = [Path(one) for one in sorted(glob.glob(whole))]  # the pattern may begin anywhere
        if depth >= DEEPEST or not (files or may_be_missing or glob.has_magic(whole)):
            self._found.unread.append(f"{by} includes {pattern}, which is not there")
        for file in files if depth < DEEPEST else []:
            try:
                self.take(file, depth + 1)
            except OSError as error:
                self._found.unread.append(f"{by} includes {file}, which cannot be read: {error.strerror}")

    def _begin(self, name: str, words: list[str]) -> None:
        """Begin a section, `[name](!,template)`, or go on with one, `[name](+)`."""
        there = self._found.sections
        if any(word.startswith("+") for word in words):
            self._current = _called(name, there)
            return
        self._current = Section(name, template="!" in words)
        for word in words:
            if (template := _called(word, there)) is not None:
                self._current.settings += template.settings
        there.append(self._current)


def _called(name: str, sections: Iterable[Section]) -> Section | None:
    """The first section of this name; capital letters make a difference only where both are there."""
    every = list(sections)
    alike = (one for one in every if one.name.lower() == name.lower())
    return next((one for one in every if one.name == name), next(alike, None))


def is_true(text: str) -> bool:
    """Whether Asterisk takes this for a yes."""
    return text.lower() in _TRUE
