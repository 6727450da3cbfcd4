"""Addresses, networks, ports and origins, as they are written in the configuration file."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network

from c2c_stasis.config.problems import Wrong
from c2c_stasis.config.rules import Text


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 means any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """The address that is written so, which `LISTEN` allows. Raises `Wrong` for one that cannot be."""
    host, _, port = text.rpartition(":")
    if int(port) > 65_535:
        raise Wrong(f"names port {port}, which does not exist", "Ports go from 0 (any free one) to 65535")
    if host.startswith("["):
        try:
            host = str(IPv6Address(host.strip("[]")))
        except ValueError:
            raise Wrong("names no IPv6 address between the brackets", 'Write it as listen = "[::1]:8080"') from None
    return Address(host, int(port))


def _address_or_none(text: str) -> str:
    return str(parse_address(text)) if text else ""


LOOPBACK = Address("127.0.0.1", 8080)
LISTEN = Text(
    'Write it as listen = "127.0.0.1:8080"',
    "host:port, an IPv6 address in [brackets]; port 0 is any free one",
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}",
    parse=parse_address,
)
LISTEN_OR_NOT = Text(
    'Write it as listen = "127.0.0.1:9464", or leave it empty',
    "host:port, an IPv6 address in [brackets]; or none",
    rf"({LISTEN.pattern})?",
    parse=_address_or_none,
)


@dataclass(frozen=True, slots=True)
class Networks:
    """Parts of the network, each an address or a range such as 10.0.0.0/8."""

    ranges: tuple[IPv4Network | IPv6Network, ...] = ()

    def __str__(self) -> str:
        return ", ".join(str(one) for one in self.ranges)


NO_NETWORKS = Networks()
_TRUSTED_FIX = 'Write it as trusted_proxies = "127.0.0.1, 10.0.0.0/8"'
_SUBNETS_FIX = 'Write it as allow_subnets = "10.1.2.0/24, fd00:1::/64"'


def parse_networks(text: str, fix: str = "") -> Networks:
    """The networks that are written so, with commas or blanks between them. Raises `Wrong`, with this to be written instead."""
    ranges = []
    for part in text.replace(",", " ").split():
        try:
            ranges.append(ip_network(part))
        except ValueError:
            raise Wrong(f"names {part[:64]!r}, which is no network", fix or _TRUSTED_FIX) from None
    return Networks(tuple(ranges))


TRUSTED = Text(_TRUSTED_FIX, "addresses and networks, with commas; or none", "[0-9A-Fa-f:./, ]*", parse=parse_networks)
SUBNETS = Text(
    _SUBNETS_FIX,
    "addresses and networks, with commas; or none",
    "[0-9A-Fa-f:./, ]*",
    parse=lambda text: parse_networks(text, _SUBNETS_FIX),
)


@dataclass(frozen=True, slots=True)
class Ports:
    """Numbers of ports."""

    numbers: tuple[int, ...] = ()

    def __str__(self) -> str:
        return ", ".join(map(str, self.numbers))


NO_PORTS = Ports()
_PORTS_FIX = 'Write it as ports = "4443, 9443"'


def _ports(text: str) -> Ports:
    found = tuple(dict.fromkeys(int(part) for part in text.replace(",", " ").split()))
    if any(not 0 < port < 65_536 for port in found):
        raise Wrong("names a port that does not exist", _PORTS_FIX)
    return Ports(found)


PORTS = Text(_PORTS_FIX, "ports, with commas between them; or none", "[0-9, ]*", parse=_ports)


@dataclass(frozen=True, slots=True)
class Origins:
    """Where web pages come from, each as a browser writes it in the header `Origin` (RFC 6454 6.2)."""

    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.names)


NO_ORIGINS = Origins()
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:]+\])(:(?P<port>[0-9]{1,5}))?")
_USUAL_PORTS = {"http": 80, "https": 443}  # browsers leave them out
_ORIGINS_FIX = 'Write each as the browser does, without a path: cors_origins = "https://app.example.com"'


def parse_origins(text: str) -> Origins:
    """The origins that are written so, with commas or blanks between them. Raises `Wrong`."""
    names = []
    for part in text.replace(",", " ").lower().split():
        found = _ORIGIN.fullmatch(part)
        if found is None or int(found["port"] or 0) > 65_535:
            raise Wrong(
                f"names {part[:64]!r}, which is no origin" if "@" not in part else "names no origin", _ORIGINS_FIX
            )
        origin, port = f"{found['scheme']}://{found['host']}", int(found["port"] or 0)
        names.append(origin if port in (0, _USUAL_PORTS[found["scheme"]]) else f"{origin}:{port}")
    return Origins(tuple(dict.fromkeys(names)))


ORIGINS = Text(_ORIGINS_FIX, "origins, with commas between them; or none", r"[^\x00-\x1f\x7f]*", parse=parse_origins)
