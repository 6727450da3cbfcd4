"""On which line of a TOML file each key stands: `tomllib` does not say, and an error message should.

The text must be TOML already; nothing is checked here.
"""

import re
from collections.abc import Iterator

Path = tuple[str | int, ...]
Lines = dict[Path, int]

_WORD = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|\n|[\[\]{}=,.]"
    r"|[^\s\[\]{}=,.#\"']+",
    re.DOTALL,
)


def lines_of(text: str) -> Lines:
    """The line of every section and key, counted from 1; items of `[[lists]]` and arrays are counted from 0 in the path."""
    return _Scan(text).lines


class _Scan:
    def __init__(self, text: str) -> None:
        self.lines: Lines = {}
        self._words = _words(text)
        self._word, self._line = "\n", 1
        self._statements()

    def _next(self) -> str:
        """Go on to the next word or sign, and give it; nothing at the end."""
        self._word, self._line = next(self._words, ("", self._line))
        return self._word

    def _statements(self) -> None:
        section: Path = ()
        counts: dict[Path, int] = {}
        while self._word:
            if self._next() == "\n" or not self._word:
                continue
            if self._word != "[":
                self._pair(section)
                continue
            listed = self._next() == "["
            if listed:
                self._next()
            section = _located(self._names(), counts)
            self._note(section)
            if listed:
                counts[section] = counts.get(section, -1) + 1
                section = (*section, counts[section])
                self._note(section)
            while self._word not in ("\n", ""):
                self._next()

    def _pair(self, table: Path) -> None:
        """`key = value`, up to what comes after it."""
        names = self._names()
        for depth in range(1, len(names) + 1):
            self._note((*table, *names[:depth]))
        self._next()  # what follows the equals sign
        self._value((*table, *names))

    def _value(self, path: Path) -> None:
        match self._word:
            case "{":
                self._items(path, "}")
            case "[":
                self._items(path, "]")
            case _:
                while self._word not in ("\n", ",", "}", "]", ""):
                    self._next()

    def _items(self, path: Path, closing: str) -> None:
        number = 0
        self._next()
        while self._word not in (closing, ""):
            if self._word in ("\n", ","):
                self._next()
            elif closing == "}":
                self._pair(path)
            else:
                self._note((*path, number))
                self._value((*path, number))
                number += 1
        self._next()

    def _names(self) -> tuple[str, ...]:
        """A dotted key, up to what comes after it."""
        names: list[str] = []
        while self._word not in ("=", "]", "\n", ""):
            if self._word != ".":
                names.append(self._word.strip("\"'"))
            self._next()
        return tuple(names)

    def _note(self, path: Path) -> None:
        self.lines.setdefault(path, self._line)


def _words(text: str) -> Iterator[tuple[str, int]]:
    """Every word and sign but comments, with its line."""
    line, seen = 1, 0
    for found in _WORD.finditer(text):
        line += text.count("\n", seen, found.start())
        seen = found.start()
        if not found[0].startswith("#"):
            yield found[0], line


def _located(names: Path, counts: dict[Path, int]) -> Path:
    """Where a header leads: under the last item of each list on its way."""
    path: Path = ()
    for name in names:
        path = (*path, counts[path]) if path in counts else path
        path = (*path, name)
    return path
