"""Text that came from elsewhere, such as what a phone calls itself, as it may be put before a person.

A control character steers a terminal and breaks XML, and U+202E turns the reading direction. JSON for programs keeps them, as
escapes.
"""

from functools import lru_cache

_STAND_IN = "\N{REPLACEMENT CHARACTER}"
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"  # Persian and Indian names are written with them


def printable(text: str, also: str = "") -> str:
    """The text with a stand-in for each character that cannot be shown. `also` are control characters that may stay."""
    if text.isprintable():
        return text
    return "".join(char if char in also else _shown(char) for char in text)


def printable_json(text: str) -> str:
    """JSON that says the same in characters that can be shown."""
    return text if text.isprintable() else "".join(char if char == "\n" else _escaped(char) for char in text)


@lru_cache(256)
def _shown(char: str) -> str:
    if char.isprintable() or char in _JOINERS:
        return char
    return " " if char.isspace() and char > "\x7f" and char not in "\x85\u2028\u2029" else _STAND_IN


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
