"""SIP messages, parsed and built without any socket (RFC 3261 §7)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from c2c_stasis.lab.addresses import (
    Address,
    NameAddr,
    SipSyntaxError,
    Via,
    parse_address,
    parse_uri,
    parse_via,
    split_list,
)

__all__ = [
    "METHODS",
    "Address",
    "CSeq",
    "NameAddr",
    "SipMessage",
    "SipSyntaxError",
    "Via",
    "parse",
    "parse_address",
    "parse_uri",
    "request",
    "response_to",
    "split_list",
]

Headers = tuple[tuple[str, str], ...]

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "UPDATE", "INFO", "NOTIFY", "MESSAGE")

# RFC 3261 §20 and the IANA list of compact forms.
_LONG_NAMES = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition",
    "e": "Content-Encoding", "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported",
    "l": "Content-Length", "m": "Contact", "n": "Identity-Info", "o": "Event", "r": "Refer-To",
    "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires", "y": "Identity",
}  # fmt: skip
_MANDATORY = ("Via", "From", "To", "Call-ID", "CSeq")

_PHRASES = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 183: "Session Progress", 200: "OK",
    202: "Accepted", 301: "Moved Permanently", 302: "Moved Temporarily", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone", 415: "Unsupported Media Type",
    420: "Bad Extension", 423: "Interval Too Brief", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 484: "Address Incomplete", 486: "Busy Here",
    487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending", 500: "Server Internal Error",
    501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out",
    600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip


class CSeq(NamedTuple):
    """The sequence number of a request and its method (RFC 3261 §20.16)."""

    number: int
    method: str


@dataclass(frozen=True, slots=True)
class SipMessage:
    """One request or response as it was on the wire, with the moment and the direction it passed.

    `at` is `time.monotonic()` for differences, `wall` is Unix seconds for people; both are 0 until the
    message was sent or received. `peer` is the address it went to or came from.
    """

    start_line: str
    headers: Headers
    body: str = ""
    at: float = 0.0
    wall: float = 0.0
    sent: bool = False
    peer: Address = field(default=("", 0))

    @property
    def method(self) -> str | None:
        """The method of a request, None for a response."""
        return None if self.start_line.startswith("SIP/") else self.start_line.split(" ", 1)[0]

    @property
    def status(self) -> int | None:
        """The status code of a response, None for a request."""
        return int(self.start_line.split(" ", 2)[1]) if self.start_line.startswith("SIP/") else None

    @property
    def request_uri(self) -> str:
        """The Request-URI of a request, empty for a response."""
        return "" if self.start_line.startswith("SIP/") else self.start_line.split(" ")[1]

    def header(self, name: str) -> str | None:
        """The first header of that name, whatever its case, or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def headers_all(self, name: str) -> list[str]:
        """Every header line of that name, in the order of the wire."""
        wanted = name.lower()
        return [value for key, value in self.headers if key.lower() == wanted]

    def require(self, name: str) -> str:
        """The first header of that name; raises `SipSyntaxError` when there is none."""
        value = self.header(name)
        if value is None:
            raise SipSyntaxError(f"no {name} in {self.start_line!r}")
        return value

    @property
    def cseq(self) -> CSeq:
        """The CSeq; of a response, that of the request it answers."""
        number, _, method = self.require("CSeq").partition(" ")
        return CSeq(int(number), method.strip())

    @property
    def call_id(self) -> str:
        """The Call-ID, which names the dialog together with the tags."""
        return self.require("Call-ID")

    @property
    def vias(self) -> list[str]:
        """Every Via value, top first, whether they came on one line or on several."""
        return [value for line in self.headers_all("Via") for value in split_list(line)]

    @property
    def via(self) -> Via:
        """The top Via."""
        return parse_via(self.vias[0])

    @property
    def from_(self) -> NameAddr:
        """Who the message says it is from."""
        return parse_address(self.require("From"))

    @property
    def to(self) -> NameAddr:
        """Who the message says it is for."""
        return parse_address(self.require("To"))

    def stamped(self, *, at: float, wall: float, sent: bool, peer: Address) -> "SipMessage":
        """This message with the moment, direction and far address of its passage."""
        return replace(self, at=at, wall=wall, sent=sent, peer=peer)

    def encode(self) -> bytes:
        """The bytes of the wire; raises `ValueError` when a line would smuggle in another (CR or LF)."""
        lines = [self.start_line, *(f"{name}: {value}" for name, value in self.headers)]
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError(f"line break inside a header of {self.start_line!r}")
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode("utf-8", "surrogateescape")

    def __str__(self) -> str:
        return f"{self.start_line} [{self.header('CSeq')}]" if self.status else self.start_line


def parse(data: bytes) -> SipMessage:
    """Read one message; bytes after its Content-Length are dropped, a missing one means "to the end" (§18.3).

    Raises `SipSyntaxError` for anything that has no valid start line, lacks a mandatory header, or is cut short.
    """
    text = data.lstrip(b"\r\n").decode("utf-8", "surrogateescape")
    head, gap, rest = text.partition("\r\n\r\n")
    if not gap:
        head, gap, rest = text.partition("\n\n")
    lines = head.replace("\r\n", "\n").split("\n")
    start_line = lines[0].strip()
    _check_start_line(start_line)
    message = SipMessage(start_line, tuple(_read_headers(lines[1:])))
    for name in _MANDATORY:
        message.require(name)
    _check_cseq(message)
    return replace(message, body=_cut_body(message, rest))


def _check_start_line(line: str) -> None:
    words = line.split(" ")
    if line.startswith("SIP/2.0 ") and len(words) >= 2 and words[1].isdigit() and len(words[1]) == 3:
        return
    if len(words) == 3 and words[2] == "SIP/2.0" and words[0].isalpha():
        return
    raise SipSyntaxError(f"not a SIP start line: {line[:80]!r}")


def _check_cseq(message: SipMessage) -> None:
    number, _, method = message.require("CSeq").partition(" ")
    if not number.isdigit() or not method.strip():
        raise SipSyntaxError(f"bad CSeq in {message.start_line!r}")
    if message.method is not None and message.method != method.strip():
        raise SipSyntaxError(f"CSeq and method differ in {message.start_line!r}")


def _read_headers(lines: Iterable[str]) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    for line in lines:
        if not line.strip():
            continue
        if line[0] in " \t":  # a folded line continues the one before (RFC 3261 §7.3.1)
            if not headers:
                raise SipSyntaxError("folded line without a header")
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}".strip())
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise SipSyntaxError(f"not a header: {line[:80]!r}")
        name = name.strip()
        headers.append((_LONG_NAMES.get(name.lower(), name), value.strip()))
    return headers


def _cut_body(message: SipMessage, rest: str) -> str:
    written = message.header("Content-Length")
    if written is None:
        return rest
    raw = rest.encode("utf-8", "surrogateescape")
    if not written.isdigit() or int(written) > len(raw):
        raise SipSyntaxError(f"body of {message.start_line!r} is shorter than its Content-Length {written}")
    return raw[: int(written)].decode("utf-8", "surrogateescape")


def request(method: str, uri: str, headers: Iterable[tuple[str, str]], sdp: str = "") -> SipMessage:
    """Build a request; the content headers are added."""
    return SipMessage(f"{method} {uri} SIP/2.0", (*headers, *_content(sdp)), sdp)


def response_to(
    asked: SipMessage, status: int, *, tag: str = "", headers: Iterable[tuple[str, str]] = (), sdp: str = ""
) -> SipMessage:
    """Build the response to a request: Via, From, To, Call-ID and CSeq as they came (RFC 3261 §8.2.6.2).

    The top Via gets `received` and `rport` (RFC 3581 §4); `tag` is put on a To that has none; Record-Route is
    copied into responses that make a dialog.
    """
    top, *below = asked.vias
    to = asked.require("To")
    if tag and not asked.to.tag:
        to = f"{to};tag={tag}"
    copied = [("Via", _mark_via(top, asked.peer)), *(("Via", via) for via in below)]
    if asked.method == "INVITE" and 100 < status < 300:
        copied += [("Record-Route", route) for route in asked.headers_all("Record-Route")]
    copied += [("From", asked.require("From")), ("To", to)]
    copied += [("Call-ID", asked.call_id), ("CSeq", asked.require("CSeq"))]
    phrase = _PHRASES.get(status, "Unknown")
    return SipMessage(f"SIP/2.0 {status} {phrase}", (*copied, *headers, *_content(sdp)), sdp)


def _content(sdp: str) -> Headers:
    length = ("Content-Length", str(len(sdp.encode("utf-8", "surrogateescape"))))
    return (("Content-Type", "application/sdp"), length) if sdp else (length,)


def _mark_via(value: str, peer: Address) -> str:
    via = parse_via(value)
    host, port = peer
    if not host:
        return value
    if "rport" in via.params and not via.params["rport"]:
        value = ";".join(f"rport={port}" if part.strip().lower() == "rport" else part for part in value.split(";"))
    if "received" not in via.params and ("rport" in via.params or via.host != host):
        value = f"{value};received={host}"
    return value
