"""Addresses of SIP: URIs, From and To, Via, and the lists and parameters they are written in (RFC 3261 §19, §20)."""

from collections.abc import Mapping
from typing import NamedTuple

Address = tuple[str, int]
"""A host and a UDP port."""


class SipSyntaxError(ValueError):
    """These bytes are not a SIP message that can be answered."""


class SipUri(NamedTuple):
    """The parts of a `sip:` URI that a phone looks at; `port` is None when it is not written."""

    user: str
    host: str
    port: int | None
    params: Mapping[str, str]


class NameAddr(NamedTuple):
    """What From, To and Contact hold: a display name, a URI and the parameters after it (RFC 3261 §20.10)."""

    name: str
    uri: str
    params: Mapping[str, str]

    @property
    def tag(self) -> str:
        """The dialog tag, empty when there is none."""
        return self.params.get("tag", "")


class Via(NamedTuple):
    """One hop of the way a request came (RFC 3261 §20.42)."""

    protocol: str
    host: str
    port: int | None
    params: Mapping[str, str]

    @property
    def branch(self) -> str:
        """The transaction's name, empty in a message older than RFC 3261."""
        return self.params.get("branch", "")


def split_list(value: str) -> list[str]:
    """Split a header value at its commas, but not at those inside quotes or angle brackets."""
    if "," not in value:
        return [value.strip()]
    parts, start, quoted, depth, escaped = [], 0, False, 0, False
    for position, char in enumerate(value):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif not quoted and char in "<>":
            depth += 1 if char == "<" else -1
        elif char == "," and not quoted and depth == 0:
            parts.append(value[start:position].strip())
            start = position + 1
    parts.append(value[start:].strip())
    return [part for part in parts if part]


def parse_params(text: str) -> dict[str, str]:
    """Read `;name=value;flag`; names in lower case, a flag has an empty value."""
    params = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if name.strip():
            params[name.strip().lower()] = value.strip().strip('"')
    return params


def parse_via(value: str) -> Via:
    """Read one Via value; raises `SipSyntaxError` when it has no sent-by."""
    sent, _, params = value.partition(";")
    protocol, _, place = sent.strip().rpartition(" ")
    if not protocol or not place:
        raise SipSyntaxError(f"bad Via: {value!r}")
    host, port = _host_port(place)
    return Via(protocol.strip(), host, port, parse_params(params))


def parse_uri(text: str) -> SipUri:
    """Read a `sip:` or `sips:` URI; a `tel:` URI gives its number as the user and no host."""
    scheme, colon, rest = text.partition(":")
    if not colon or scheme.lower() not in ("sip", "sips", "tel"):
        raise SipSyntaxError(f"not a SIP URI: {text!r}")
    rest = rest.partition("?")[0]
    main, _, params = rest.partition(";")
    if scheme.lower() == "tel":
        return SipUri(main, "", None, parse_params(params))
    user, at, place = main.rpartition("@")
    if not at and ";" in rest and "@" in rest:  # parameters of the user part, as in sip:+1415;phone-context=x@host
        user, _, place = rest.partition("@")
        user, (place, _, params) = user.partition(";")[0], place.partition(";")
    host, port = _host_port(place)
    return SipUri(user.partition(":")[0], host, port, parse_params(params))


def _host_port(place: str) -> tuple[str, int | None]:
    host, port = place.strip(), ""
    if host.startswith("["):  # an IPv6 address keeps its colons
        host, _, after = host[1:].partition("]")
        port = after.removeprefix(":")
    elif ":" in host:
        host, _, port = host.rpartition(":")
    if port and not port.isdigit():
        raise SipSyntaxError(f"bad port in {place!r}")
    return host, int(port) if port else None


def parse_address(value: str) -> NameAddr:
    """Read a name-addr or addr-spec, as in From, To, Contact and P-Asserted-Identity."""
    value = value.strip()
    name, rest = "", value
    if value.startswith('"'):
        end = 1
        while end < len(value) and value[end] != '"':
            end += 2 if value[end] == "\\" else 1
        quoted, rest = value[1:end], value[end + 1 :]
        name = quoted.replace('\\"', '"').replace("\\\\", "\\")
    before, bracket, after = rest.partition("<")
    if not bracket:  # without brackets, parameters belong to the header (RFC 3261 §20.10)
        uri, _, params = rest.partition(";")
        return NameAddr(name, uri.strip(), parse_params(params))
    uri, closed, params = after.partition(">")
    if not closed:
        raise SipSyntaxError(f"bad address: {value!r}")
    return NameAddr(name or before.strip(), uri.strip(), parse_params(params))
