"""Whom Asterisk's access lists let in: only this machine, private networks too, or everybody."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import pairwise

from c2c_stasis.doctor.asterisk_files import AsteriskFiles, FileUnread, Section

Network = IPv4Network | IPv6Network


class Circle(IntEnum):
    """Who can come, from the fewest to the most."""

    NOBODY = 0
    THIS_MACHINE = 1
    PRIVATE = 2
    NAMED = 3  # some networks of the internet
    EVERYBODY = 4


LOOPBACK = tuple(map(ip_network, ("127.0.0.0/8", "::1/128")))
# RFC 1918, 6598, 3927, 4193 and 4291: not routed on the internet.
PRIVATE = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"),
    )
)
_BITS = {4: 32, 6: 128}
MANY = {4: 1 << 24, 6: 1 << 112}  # addresses: a /8, and a /16 of IPv6; more is nobody's own network


@dataclass(frozen=True, slots=True)
class AccessList:
    """Rules in their order, `(permit?, network)`: the last that fits an address decides, and without one it may come."""

    rules: tuple[tuple[bool, Network], ...] = ()

    def permits(self, version: int, number: int) -> bool:
        """Whether the address of this number may come."""
        allowed = True
        for permit, network in self.rules:
            if network.version == version and _holds(network, number):
                allowed = permit
        return allowed


def only(networks: Iterable[Network]) -> AccessList:
    """The list that lets in these, and nobody else."""
    everybody = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    return AccessList((*((False, one) for one in everybody), *((True, one) for one in networks)))


def circle_of(host: str) -> Circle:
    """Who can reach a socket that is bound there; a name is taken for an address of the internet."""
    try:
        address = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return Circle.THIS_MACHINE if host == "localhost" else Circle.EVERYBODY
    if address.is_unspecified:
        return Circle.EVERYBODY
    return _circle_of_number(address.version, int(address))


def widest(lists: Iterable[AccessList]) -> Circle:
    """The widest circle of which somebody may come; every list has to let him in.

    The answer is the same for all addresses between two ends of networks, so one of each stretch is asked.
    """
    every = tuple(lists)
    found = Circle.NOBODY
    for version in _BITS:
        public = 0
        for first, end in _stretches(version, every):
            if all(one.permits(version, first) for one in every):
                circle = _circle_of_number(version, first)
                public += end - first if circle is Circle.EVERYBODY else 0
                found = max(found, Circle.NAMED if circle is Circle.EVERYBODY else circle)
        if public > MANY[version]:
            return Circle.EVERYBODY
    return found


def _stretches(version: int, lists: tuple[AccessList, ...]) -> Iterator[tuple[int, int]]:
    """All addresses, cut where a network begins or ends: the first of each stretch, and the one after its last."""
    edges = {0, 1 << _BITS[version]}
    for network in (*(network for one in lists for _, network in one.rules), *LOOPBACK, *PRIVATE):
        if network.version == version:
            edges |= {int(network.network_address), int(network.broadcast_address) + 1}
    return pairwise(sorted(edges))


def lists_of(section: Section, files: AsteriskFiles) -> list[AccessList]:
    """The lists that a section names and writes itself. Raises `FileUnread` also for what is no network."""
    lists = [
        AccessList(_rules(files.whole("acl.conf").named(name.strip())))
        for key, value in section.settings
        if key == "acl"
        for name in value.split(",")
    ]
    return [*lists, AccessList(_rules(section))]


def _rules(section: Section) -> tuple[tuple[bool, Network], ...]:
    return tuple(
        ((key == "permit") is not text.strip().startswith("!"), _network(text.strip().removeprefix("!")))
        for key, value in section.settings
        if key in ("permit", "deny")
        for text in value.split(",")
    )


def _network(text: str) -> Network:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise FileUnread(f"{text} is no network that could be understood") from error


def _holds(network: Network, number: int) -> bool:
    return int(network.network_address) <= number <= int(network.broadcast_address)


def _circle_of_number(version: int, number: int) -> Circle:
    for circle, networks in ((Circle.THIS_MACHINE, LOOPBACK), (Circle.PRIVATE, PRIVATE)):
        if any(network.version == version and _holds(network, number) for network in networks):
            return circle
    return Circle.EVERYBODY
