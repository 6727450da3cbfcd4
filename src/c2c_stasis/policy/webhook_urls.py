"""Where webhooks may go: the rules for an address that somebody else chose, so that it does not lead into our own network.

Asked when an endpoint is saved, before each attempt, and for every address that its name stands for at the moment of the
connection: a name that was harmless when it was saved may lead inward later.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from yarl import URL

from c2c_stasis.config import Networks
from c2c_stasis.errors import InvalidRequest

Ip = IPv4Address | IPv6Address
Place = tuple[Ip, int]
"""An address and a port."""

USUAL_PORTS = (443, 8443)
LONGEST = 2048  # characters of an URL

# `is_global` of Python 3.11 lets several of these through (6to4, NAT64, 5f00::/16, 3fff::/20, multicast), and newer versions
# others: so this list stands on its own (IANA's special-purpose registries), and `is_global` is asked beside it.
_FORBIDDEN_4 = tuple(
    IPv4Network(one)
    for one in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # the platform's own service inside Azure, on an address that is public elsewhere
    )
)
_UNICAST_6 = IPv6Network("2000::/3")  # all that is given out of IPv6
_FORBIDDEN_6 = tuple(
    IPv6Network(one)
    for one in ("2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16")  # the first holds Teredo
)
_MAPPED, _NAT64, _SIX_TO_FOUR = IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"), IPv6Network("2002::/16")
_ISATAP = (0x00005EFE, 0x02005EFE)  # in the third quarter of the address (RFC 5214 6.1)

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a last label that some resolvers read as an IPv4 address (WHATWG URL 3.5)
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\xa0\\\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]")
FORBIDDEN = "leads to an address that webhooks may not go to ([webhooks] allow_subnets opens networks)"
_METADATA_NAMES = ("metadata.google.internal", "metadata.goog", "instance-data")


@dataclass(frozen=True, slots=True)
class WebhookUrls:
    """The rules of one service. An address inside `allow_subnets` is allowed, whatever it is; `ports` beside the usual ones."""

    allow_http: bool = False
    ports: tuple[int, ...] = ()
    allow_subnets: Networks = field(default_factory=Networks)

    def checked(self, text: str) -> URL:
        """The address as it is dialled. Raises `InvalidRequest`, which says what is wrong with it."""
        url = _parsed(text)
        if url.scheme != "https" and not (self.allow_http and url.scheme == "http"):
            raise InvalidRequest("url", "must begin with https:// ([webhooks] allow_http permits http)")
        if url.port not in (*USUAL_PORTS, *self.ports):
            usual = self._ports_in_words()
            raise InvalidRequest("url", f"names port {url.port}, and webhooks go to {usual} only ([webhooks] ports)")
        host = (url.raw_host or "").rstrip(".").lower()
        literal = _literal(host)
        if literal is None:
            self._check_name(host)
        elif self.forbids(literal):
            raise InvalidRequest("url", FORBIDDEN)
        return url.with_host(host)

    def forbids(self, address: Ip) -> bool:
        """Whether no webhook may go to this address."""
        carried = _carried(address)
        if carried is not None:
            return self.forbids(carried)
        tunnelled = _tunnelled(address)
        if tunnelled is not None and self.forbids(tunnelled):
            return True  # and if not, the address itself may still be one of the inside
        if any(address in network for network in self.allow_subnets.ranges if network.version == address.version):
            return False
        return _special(address)

    def _check_name(self, host: str) -> None:
        if _NAME.fullmatch(host) is None or len(host) > 253:
            raise InvalidRequest("url", "names no host")
        last = host.rpartition(".")[2]
        if _NUMBER.fullmatch(last):
            raise InvalidRequest("url", "names a host that looks like a number; write an IPv4 address as four numbers")
        if host in _METADATA_NAMES:
            raise InvalidRequest("url", "names a host that webhooks may not go to")
        if not self.allow_subnets.ranges and ("." not in host or last == "localhost"):
            raise InvalidRequest("url", "names a host of the local network")

    def _ports_in_words(self) -> str:
        return ", ".join(str(port) for port in (*USUAL_PORTS, *self.ports))


def own(address: Ip, port: int, places: Iterable[Place]) -> bool:
    """Whether this is one of these places, which are ours: no permission opens those."""
    return any(port == own_port and forms(address) & forms(at) for at, own_port in places)


def forms(address: Ip) -> frozenset[Ip]:
    """The address, and the IPv4 addresses to which it may lead."""
    return frozenset(one for one in (address, _carried(address), _tunnelled(address)) if one is not None)


def _parsed(text: str) -> URL:
    if len(text) > LONGEST:
        raise InvalidRequest("url", f"is longer than {LONGEST} characters")
    if _UNPRINTABLE.search(text):
        raise InvalidRequest("url", "holds a blank, a backslash or a control character")
    scheme, colon, rest = text.partition("://")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    if not colon or not scheme or not authority:
        raise InvalidRequest("url", "is no complete URL, such as https://app.example.com/hooks")
    if "@" in authority:
        raise InvalidRequest("url", "must hold no user and no password")
    if "%" in authority:
        raise InvalidRequest("url", "must name its host plainly, without %")
    if "#" in text:
        raise InvalidRequest("url", "must have no fragment (#)")
    try:
        url = URL(text)
        complete = url.absolute and bool(url.raw_host) and url.port is not None
    except ValueError as error:
        raise InvalidRequest("url", "is no URL") from error
    if not complete:
        raise InvalidRequest("url", "is no complete URL, such as https://app.example.com/hooks")
    return url


def _literal(host: str) -> Ip | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _carried(address: Ip) -> Ip | None:
    """The IPv4 address in whose place this IPv6 address stands, if it stands for one: the rest of it says nothing."""
    if isinstance(address, IPv4Address):
        return None
    number = int(address)
    if address in _MAPPED or address in _NAT64:
        return IPv4Address(number & 0xFFFF_FFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address(number >> 80 & 0xFFFF_FFFF)
    return None


def _tunnelled(address: Ip) -> IPv4Address | None:
    """The IPv4 address to which a tunnel (ISATAP) may lead. Any network may have such addresses: its prefix counts as well."""
    if isinstance(address, IPv4Address) or int(address) >> 32 & 0xFFFF_FFFF not in _ISATAP:
        return None
    return IPv4Address(int(address) & 0xFFFF_FFFF)


def _special(address: Ip) -> bool:
    """Whether it is anything but an ordinary address of the internet."""
    if isinstance(address, IPv4Address):
        listed = any(address in network for network in _FORBIDDEN_4)
    else:
        listed = address not in _UNICAST_6 or any(address in network for network in _FORBIDDEN_6)
    return listed or not address.is_global or address.is_multicast or address.is_reserved
