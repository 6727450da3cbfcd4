"""Whatever comes on the event connection does what it says, or nothing: a short run of what `make fuzz-events` runs long."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c2c_stasis.ari import devices, translate
from tests.events.forging import RECORDED, TYPES, forge
from tests.events.judging import CAST, Escape, Judge, judge
from tests.events.oracle import OfContact, OfLeg, said
from tests.events.tenants import tenants

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
IDS = st.sampled_from(CAST.legs) | st.sampled_from([leg.partition(".")[0] for leg in CAST.legs]) | ANYTHING
STATES = st.sampled_from(["Down", "Ring", "Ringing", "Up", "Busy"]) | ANYTHING
CHANNELS = st.fixed_dictionaries({"id": IDS, "state": STATES}, optional={"channelvars": ANYTHING, "name": ANYTHING})
MODELLED = st.fixed_dictionaries(
    {"type": st.sampled_from(TYPES) | ANYTHING, "application": st.sampled_from(["c2c", "c2c-devices"]) | ANYTHING},
    optional={
        "channel": CHANNELS | ANYTHING,
        "peer": CHANNELS | ANYTHING,
        "bridge": st.fixed_dictionaries({"id": IDS}) | ANYTHING,
        "dialstatus": st.sampled_from(["", "RINGING", "PROGRESS", "ANSWER", "BUSY"]) | ANYTHING,
        "soft": st.booleans() | ANYTHING,
        "cause": st.integers(-1, 200) | ANYTHING,
        "tech_cause": st.integers(0, 800) | ANYTHING,
        "endpoint": st.fixed_dictionaries(
            {"technology": st.just("PJSIP"), "resource": st.sampled_from([*CAST.endpoints, "nobody"]) | ANYTHING}
        )
        | ANYTHING,
        "contact_info": st.fixed_dictionaries(
            {
                "uri": st.sampled_from(["sip:d1@192.0.2.1", "sips:d1@[2001:db8::1]:5061;ob"]) | ANYTHING,
                "contact_status": st.sampled_from(["Reachable", "Unreachable", "Removed", "NonQualified"]) | ANYTHING,
            }
        )
        | ANYTHING,
    },
)


@pytest.fixture
async def here() -> AsyncIterator[Judge]:
    """The service's reader, and who judges it."""
    async with judge() as here:
        yield here


async def test_a_recorded_event_that_was_changed_does_what_it_still_says_or_nothing(here: Judge) -> None:
    @settings(max_examples=300)
    @given(st.randoms(use_true_random=False), st.sampled_from(RECORDED))
    def check(chance: Random, event: dict[str, Any]) -> None:
        here.check(forge(chance, CAST, event))

    check()


async def test_an_event_of_any_fields_does_what_it_says_or_nothing(here: Judge) -> None:
    @settings(max_examples=150)
    @given(MODELLED)
    def check(event: dict[str, Any]) -> None:
        here.check(json.dumps(event).encode())

    check()


async def test_bytes_that_are_no_event_do_nothing(here: Judge) -> None:
    @settings(max_examples=200)
    @given(st.binary(max_size=200))
    def check(message: bytes) -> None:
        here.check(message)

    check()


async def test_three_thousand_forged_messages(here: Judge) -> None:
    chance = Random(1)
    for _ in range(3_000):
        here.check(forge(chance, CAST))
    assert (
        sum(number for what, number in here.tally.items() if what != "NoneType") > 150
    )  # that say something all the same


@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.timeout(120)
async def test_calls_of_several_tenants_end_as_if_nothing_had_come(tmp_path: Path) -> None:
    async with tenants(tmp_path, Random(1)) as here:
        await here.round(1_200)
        await here.round(300, losses=0.3)
        assert here.losses > 0
        assert here.tally.messages > 300
        assert here.tally.calls > 20


@pytest.mark.parametrize(
    ("where", "name", "fault"),
    [
        (translate, "is_leg_id", lambda text: True),
        (translate, "_number", lambda value, least, most: value),
        (translate, "_text", lambda value, name: str(value.get(name, ""))),
        (translate, "_own_bridge", lambda event, leg_id: True),
        (devices, "_GONE", set()),
        (devices, "_REGISTERED", {"Reachable"}),
        (devices, "MOST_CONTACTS", 3),
    ],
)
async def test_a_fault_that_is_planted_in_the_reader_is_found(
    here: Judge, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, fault: Callable[..., Any]
) -> None:
    def check_many() -> None:
        chance = Random(2)
        for _ in range(5_000):
            here.check(forge(chance, CAST))

    monkeypatch.setattr(where, name, fault)
    with pytest.raises(Escape):
        check_many()


def test_every_recorded_event_of_ours_says_what_the_recording_was_made_for() -> None:
    told = [said(json.dumps(event).encode(), "c2c", ["d1", "d2"]) for event in RECORDED]
    assert {one.what for one in told if isinstance(one, OfLeg)} == {
        *("created", "invited", "ringing", "progressed", "answered", "joined", "hanging up", "left", "ended")
    }
    assert {one.reachable for one in told if isinstance(one, OfContact)} == {True, False, None}
