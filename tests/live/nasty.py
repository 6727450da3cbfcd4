"""Dial strings that try to be something else than a number: an address, a header, an option, another channel, a command."""

import random
from collections.abc import Iterator

# What is put into a number. EVIL stands for the port of a listener that must never hear of it.
PAYLOADS = (
    # lines and headers of their own
    *("\r\nX-Evil: 1", "\r\n\r\n", "\n", "\r", "\x00", "\t", "\x0b", "\x1b[2J", "\x7f", "\x85", "\u2028"),
    *("%0d%0aX-Evil:%201", "%00", "%2B", "\\r\\n", "\\x0d\\x0a"),
    # parts of a SIP URI, and other URIs
    *("@127.0.0.1:EVIL", "@evil.example", ";phone-context=+1", ";transport=tcp", ";maddr=127.0.0.1", ";lr", ";user=phone"),
    *("?Route=%3Csip:127.0.0.1:EVIL;lr%3E", "?X-Evil=1", ":5060", ":EVIL", "sip:", "sips:", "tel:", "<sip:x@127.0.0.1:EVIL>"),
    *(">;tag=x", "<", ">", '"', "\\", "[::1]", "http://127.0.0.1:EVIL/", "//127.0.0.1:EVIL/"),
    # other channels, more arguments, functions and separators of Asterisk
    *("&PJSIP/d1", "&Local/1@default", "/sip:x@127.0.0.1:EVIL", "PJSIP/", "Local/", "DAHDI/1/", "IAX2/", "/n", "/", "|", "^"),
    *(",1", ",,,", ",b(evil^s^1)", "${EXTEN}", "${SHELL(id)}", "${CURL(http://127.0.0.1:EVIL)}", "$[1+1]", "w", "p1", "x12"),
    *(" ext. 12", "#", "#31#", "*", "*72", "!", "_X.", "~", "=", "{", "}"),
    # commands
    *("`id`", "$(id)", "; rm -rf /", "' OR 1=1 --", "<script>", "../../etc/passwd", "null", "e5", "0x"),
    # what is read as digits or passed over by others
    *("٣", "３", "²", "①", "೫", "\u200b", "\u200e", "\u202e", "\u2066", "\ufeff", "\u00a0", "\u2010", "\u2212", "\uff0b"),
    *("\uff0e", "\u0301", "é", "😀", "\ud800", "\udcff", "+", "++", "x" * 2000, "0" * 2000, " " * 40),
    # what is no harm: a number may be written so
    *("(", ")", ".", "-", " ", "  ", "()", ".-", "((", ") ("),
)  # fmt: skip


def spoiled(number: str, payload: str) -> Iterator[str]:
    """The number with this at every kind of place; `number` begins with a plus."""
    middle = len(number) // 2
    yield payload + number
    yield "+" + payload + number[1:]
    yield number[:middle] + payload + number[middle:]
    yield number[:-1] + payload + number[-1]
    yield number + payload
    yield payload + number + payload


def corpus(numbers: Iterator[str], evil: int) -> dict[str, str]:
    """Every payload at every place, each in a number of its own, which it is told by."""
    found = {}
    for payload in PAYLOADS:
        payload = payload.replace("EVIL", str(evil))
        for place in range(6):
            number = next(numbers)
            found[list(spoiled(number, payload))[place]] = number
    return found


def made_up(numbers: Iterator[str], evil: int, count: int, seed: int) -> dict[str, str]:
    """So many more, with up to three payloads or single characters of Unicode at random places."""
    chance = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        number = text = next(numbers)
        for _ in range(chance.randint(1, 3)):
            if chance.random() < 0.7:
                payload = chance.choice(PAYLOADS).replace("EVIL", str(evil))
            else:
                payload = chr(chance.randrange(0x10000))
            place = chance.randint(0, len(text))
            text = text[:place] + payload + text[place:]
        found[text] = number
    return found
