"""Who may come in, and whose word is taken for who asks."""

import resource
from dataclasses import replace
from functools import partial

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from c2c_stasis.api.admission import OWN_DESCRIPTORS, RESERVED, Admission, Place, group_of
from c2c_stasis.api.clients import client_of, scheme_of
from c2c_stasis.api.problems import Problem
from c2c_stasis.config import Http, Networks
from c2c_stasis.config.sections.network import parse_networks

FAR, OTHER = "203.0.113.7", "203.0.113.8"


PROXIES = Http(trusted_proxies=parse_networks("127.0.0.1, 10.0.0.0/8, fd00::/8"))


def admission(**limits: int) -> Admission:
    return Admission(replace(PROXIES, **limits))  # type: ignore[arg-type]  # numbers all


def taken(place: Place | None) -> Place:
    assert place is not None
    return place


def test_who_is_one_too_many_is_turned_away_until_somebody_leaves() -> None:
    door = admission(max_connections=2)
    first, _ = taken(door.connect(FAR)), taken(door.connect(OTHER))
    assert taken(door.connect("203.0.113.9")).reserved
    first.leave()
    assert not taken(door.connect("203.0.113.9")).reserved


def test_to_leave_twice_is_to_leave_once() -> None:
    door = admission(max_connections=2)
    first, _ = taken(door.connect(FAR)), taken(door.connect(FAR))
    first.leave()
    first.leave()
    assert door.connections == 1


def test_one_address_cannot_have_all_the_places() -> None:
    door = admission(max_connections_per_address=1)
    taken(door.connect(FAR))
    assert taken(door.connect(FAR)).reserved
    assert taken(door.connect(f"::ffff:{FAR}")).reserved
    assert not taken(door.connect(OTHER)).reserved


def test_of_ipv6_a_whole_64_counts_as_one_address() -> None:
    door = admission(max_connections_per_address=1)
    taken(door.connect("2001:db8::1"))
    assert taken(door.connect("2001:db8::ffff:2")).reserved
    assert not taken(door.connect("2001:db8:0:1::1")).reserved
    assert group_of("fe80::1%eth0") == "fe80::"


def test_a_trusted_proxy_speaks_for_many() -> None:
    door = admission(max_connections_per_address=1, max_connections=3)
    for _ in range(3):
        assert not taken(door.connect("10.1.2.3")).reserved
    assert taken(door.connect("10.1.2.3")).reserved


def test_requests_of_one_client_behind_a_proxy_are_bounded_like_connections() -> None:
    door = admission(max_connections_per_address=1)
    first = door.turn(FAR, "10.0.0.1")
    with pytest.raises(Problem, match="Too many requests") as refused:
        door.turn(FAR, "10.0.0.2")
    assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "1"})
    door.turn(OTHER, "10.0.0.1")
    door.turn("127.0.0.1", "10.0.0.1")
    door.turn("127.0.0.1", "10.0.0.1")  # whoever is trusted speaks for many
    first.end()
    door.turn(FAR, "10.0.0.1")


def test_more_requests_than_can_be_answered_are_refused_at_once() -> None:
    door = admission(max_requests=1)
    first = door.turn(FAR, FAR)
    with pytest.raises(Problem, match="overloaded") as refused:
        door.turn(OTHER, OTHER)
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
    first.end()
    first.end()
    door.turn(OTHER, OTHER)


def test_nothing_is_kept_of_who_is_gone() -> None:
    door = admission()
    for number in range(100):
        address = f"203.0.113.{number}"
        place = taken(door.connect(address))
        turn = door.turn(address, "10.0.0.1")
        turn.end()
        place.leave()
    assert (len(door._by_address), len(door._requests_by_address), door.connections, door.requests) == (0, 0, 0, 0)


# --- when all places are taken ---


def full(**limits: int) -> Admission:
    """A door behind which there is no ordinary place left."""
    door = admission(max_connections=2, **limits)
    taken(door.connect("198.51.100.1")), taken(door.connect("198.51.100.2"))
    return door


def test_of_those_who_wait_in_reserved_places_the_one_of_the_address_with_most_makes_room() -> None:
    door = full()
    turned_out: list[int] = []
    for number in range(RESERVED):
        place = taken(door.connect(OTHER if number == 0 else FAR))
        place.turn_out = partial(turned_out.append, number)
    assert taken(door.connect("203.0.113.9")).reserved
    assert turned_out == [1]  # the oldest of the flood, although somebody else has waited longer
    assert door.in_reserve == RESERVED


def test_who_is_being_answered_in_a_reserved_place_keeps_it() -> None:
    door = full()
    places = [taken(door.connect(FAR)) for _ in range(RESERVED)]
    for place in places:
        place.asking = True
    assert door.connect(OTHER) is None
    places[0].leave()
    assert taken(door.connect(OTHER)).reserved
    for place in places:
        place.leave()
    assert door.in_reserve == 1


def test_what_may_be_an_emergency_call_is_let_in_however_many_requests_there_are() -> None:
    door = admission(max_requests=1, max_connections_per_address=1)
    ordinary = door.turn(FAR, FAR, may_be_emergency=True)
    assert ordinary.refusal is None
    unsaid = [door.turn(FAR, FAR, may_be_emergency=True) for _ in range(2 * RESERVED)]  # what it is may never be said
    reserved = [door.turn(OTHER, OTHER, may_be_emergency=True) for _ in range(RESERVED)]
    assert all(turn.refusal for turn in (*unsaid, *reserved))
    for turn in reserved:
        turn.is_emergency()
    with pytest.raises(Problem, match="overloaded"):
        unsaid[0].is_emergency()
    for turn in unsaid:
        turn.end()  # which never had a place
    with pytest.raises(Problem, match="overloaded"):
        door.turn(OTHER, OTHER, may_be_emergency=True).is_emergency()
    reserved[0].end()
    reserved[0].end()
    door.turn(OTHER, OTHER, may_be_emergency=True).is_emergency()
    ordinary.end()
    assert door.requests == 0


def test_one_client_behind_a_proxy_that_asks_too_much_has_emergency_calls_all_the_same() -> None:
    door = admission(max_connections_per_address=1)
    door.turn(FAR, "10.0.0.1")
    assert door.turn(FAR, "10.0.0.1", may_be_emergency=True).refusal
    assert door.requests == 1


def test_over_a_reserved_connection_only_what_may_be_an_emergency_call_is_asked() -> None:
    door = admission()
    with pytest.raises(Problem, match="overloaded"):
        door.turn(FAR, FAR, reserved=True)
    assert door.turn(FAR, FAR, may_be_emergency=True, reserved=True).refusal


def test_a_flood_is_told_once_and_counted(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("c2c_stasis.api.admission.time.monotonic", lambda: now[0])
    door = admission(max_connections=100, max_connections_per_address=1)
    taken(door.connect(FAR))
    for _ in range(50):
        door.connect(FAR)
    assert [record.__dict__["refused"] for record in caplog.records] == [1]
    now[0] += 60
    door.connect(FAR)
    assert [record.__dict__["refused"] for record in caplog.records] == [1, 50]


@pytest.mark.parametrize(("descriptors", "places"), [(2 * OWN_DESCRIPTORS, OWN_DESCRIPTORS), (128, 32), (2, 1)])
def test_there_are_no_more_places_than_descriptors(
    descriptors: int, places: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (descriptors, 4096))
    door = admission(max_connections=800)
    assert "raise the limit of open files" in caplog.text
    found = [taken(door.connect(f"203.0.{number >> 8}.{number & 255}")).reserved for number in range(places + 1)]
    assert found == [False] * places + [True]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        (FAR, [], FAR),
        (FAR, ["198.51.100.1"], FAR),  # anybody can write that
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [FAR], FAR),
        ("127.0.0.1", ["1.2.3.4, " + FAR], FAR),  # what stands before was sent by the client
        ("127.0.0.1", ["1.2.3.4", FAR], FAR),
        ("127.0.0.1", [f"{FAR}, 10.0.0.9"], FAR),  # two proxies in a row
        ("127.0.0.1", ["10.0.0.8, 10.0.0.9"], "10.0.0.8"),
        ("127.0.0.1", [f"{FAR}, nonsense, 10.0.0.9"], "10.0.0.9"),
        ("127.0.0.1", ["<script>"], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["2001:db8::1"], "2001:db8::1"),
        ("127.0.0.1", [f"::ffff:{FAR}"], FAR),
        ("fd00::1", [FAR], FAR),
        ("::1", [FAR], "::1"),
    ],
)
def test_who_asks(peer: str, forwarded: list[str], client: str) -> None:
    headers = [("X-Forwarded-For", one) for one in forwarded]
    assert client_of(request_from(peer, headers), admission()) == client


@pytest.mark.parametrize(
    ("peer", "said", "scheme"),
    [
        (FAR, ["https"], "http"),
        ("10.0.0.1", ["https"], "https"),
        ("10.0.0.1", ["http"], "http"),
        ("10.0.0.1", ["https", "http"], "http"),
        ("10.0.0.1", ["gopher"], "http"),
        ("10.0.0.1", [], "http"),
    ],
)
def test_how_it_was_asked(peer: str, said: list[str], scheme: str) -> None:
    headers = [("X-Forwarded-Proto", one) for one in said]
    assert scheme_of(request_from(peer, headers), admission()) == scheme


def test_nobody_is_trusted_where_nobody_is_named() -> None:
    assert not Admission(Http(trusted_proxies=Networks())).trusts("127.0.0.1")


def request_from(peer: str, headers: list[tuple[str, str]]) -> web.Request:
    return make_mocked_request("GET", "/", headers=CIMultiDict(headers)).clone(remote=peer)
