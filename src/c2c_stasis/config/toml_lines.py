"""On which line of a TOML file each key stands: `tomllib` does not say, and an error message should.

A small scan, good for files as people write them. In unusual ones (a multi-line text that looks like keys) a line may be
missing or wrong; nothing but a message depends on it.
"""

import re

Lines = dict[tuple[str | int, ...], int]

_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\"' -]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+(?:\s*\.\s*[A-Za-z0-9_-]+)*)\s*=")


def lines_of(text: str) -> Lines:
    """The line of every section and key, counted from 1; items of `[[lists]]` are counted from 0 in the path."""
    lines: Lines = {}
    section: tuple[str | int, ...] = ()
    counts: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.fullmatch(line):
            names = _split(header[2])
            section = names
            if header[1] == "[[":
                counts[names] = counts.get(names, -1) + 1
                section = (*names, counts[names])
                lines.setdefault(names, number)
            lines.setdefault(section, number)
        elif key := _KEY.match(line):
            path = _split(key[1])
            for depth in range(1, len(path) + 1):
                lines.setdefault((*section, *path[:depth]), number)
    return lines


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
