"""Whom access lists let in."""

from ipaddress import IPv4Address, IPv4Network, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2c_stasis.doctor.access_lists import AccessList, Circle, circle_of, lists_of, widest
from c2c_stasis.doctor.asterisk_files import AsteriskFiles, FileUnread, Section
from c2c_stasis.lab.configuration import shipped


@pytest.mark.parametrize(
    ("host", "circle"),
    [
        ("127.0.0.1", Circle.THIS_MACHINE),
        ("127.9.9.9", Circle.THIS_MACHINE),
        ("localhost", Circle.THIS_MACHINE),
        ("::1", Circle.THIS_MACHINE),
        ("[::1]", Circle.THIS_MACHINE),
        ("10.1.2.3", Circle.PRIVATE),
        ("172.31.0.1", Circle.PRIVATE),
        ("100.64.0.1", Circle.PRIVATE),
        ("fe80::1%eth0", Circle.PRIVATE),
        ("fd00::1", Circle.PRIVATE),
        ("172.32.0.1", Circle.EVERYBODY),
        ("8.8.8.8", Circle.EVERYBODY),
        ("0.0.0.0", Circle.EVERYBODY),
        ("::", Circle.EVERYBODY),
        ("pbx.example", Circle.EVERYBODY),
    ],
)
def test_who_can_reach_a_socket_that_is_bound_there(host: str, circle: Circle) -> None:
    assert circle_of(host) is circle


DENY = [("deny", "0.0.0.0/0.0.0.0"), ("deny", "::/0")]


@pytest.mark.parametrize(
    ("settings", "circle"),
    [
        ([], Circle.EVERYBODY),
        (DENY, Circle.NOBODY),
        ([*DENY, ("permit", "127.0.0.1")], Circle.THIS_MACHINE),
        ([*DENY, ("permit", "127.0.0.1/255.0.0.0"), ("permit", "::1/128")], Circle.THIS_MACHINE),
        ([("permit", "127.0.0.1"), *DENY], Circle.NOBODY),  # the last that fits counts, not the narrowest
        ([*DENY, ("permit", "127.0.0.1,10.0.0.0/8")], Circle.PRIVATE),
        ([*DENY, ("permit", "203.0.113.7/32")], Circle.NAMED),
        ([*DENY, ("permit", "0.0.0.0/1")], Circle.EVERYBODY),
        ([*DENY, ("permit", "!10.0.0.0/8")], Circle.NOBODY),
        ([("deny", "0.0.0.0/0")], Circle.EVERYBODY),  # IPv6 was forgotten
        ([*DENY, ("permit", "2001:db8::/32")], Circle.NAMED),
        ([*DENY, *(("permit", f"{one}.0.0.0/8") for one in (11, 12))], Circle.EVERYBODY),
    ],
)
def test_the_widest_circle_that_a_list_lets_in(settings: list[tuple[str, str]], circle: Circle, tmp_path: Path) -> None:
    assert widest(lists_of(Section("x", settings), AsteriskFiles(tmp_path))) is circle


def test_of_several_lists_each_has_to_let_somebody_in() -> None:
    nothing = (False, ip_network("0.0.0.0/0")), (False, ip_network("::/0"))
    office = AccessList((*nothing, (True, ip_network("10.0.0.0/8"))))
    here = AccessList((*nothing, (True, ip_network("127.0.0.0/8"))))

    assert widest([office]) is Circle.PRIVATE
    assert widest([office, here]) is Circle.NOBODY
    assert widest([office, AccessList()]) is Circle.PRIVATE


def test_a_named_list_is_found_in_the_shipped_acl_conf() -> None:
    section = Section("desk", [("acl", "phone-contacts")])

    assert widest(lists_of(section, AsteriskFiles(shipped()))) is Circle.PRIVATE


def test_a_list_that_is_not_there_keeps_nobody_out_and_one_that_is_no_list_is_unread() -> None:
    files = AsteriskFiles(shipped())

    assert widest(lists_of(Section("desk", [("acl", "gone")]), files)) is Circle.EVERYBODY
    with pytest.raises(FileUnread, match=r"pbx\.example is no network"):
        lists_of(Section("desk", [("permit", "pbx.example")]), files)


rules = st.tuples(st.booleans(), st.ip_addresses(v=4), st.integers(0, 32)).map(
    lambda made: (made[0], ip_network((int(made[1]), made[2]), strict=False))
)


@given(st.lists(rules, max_size=6), st.ip_addresses(v=4))
def test_nobody_comes_who_is_further_away_than_the_widest_circle(
    made: list[tuple[bool, IPv4Network]], somebody: IPv4Address
) -> None:
    allowed = True
    for permit, network in made:
        allowed = permit if somebody in network else allowed
    found = widest([AccessList((*made, (False, ip_network("::/0"))))])

    if allowed:
        assert found >= min(circle_of(str(somebody)), Circle.NAMED)
