"""What Asterisk's events mean, told by recordings of the real one (`tools/record_events.py`)."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2c_stasis.ari.translate import CALL_EVENTS, NotUnderstood, leg_state, translate
from c2c_stasis.call.model import LegState
from c2c_stasis.call.signals import (
    LegAnswered,
    LegCreated,
    LegEnded,
    LegHangingUp,
    LegInvited,
    LegJoined,
    LegLeft,
    LegProgressed,
    LegRinging,
    Signal,
)
from tests.call.stories import A1, A2, B1, CALL_ID

RECORDINGS = Path(__file__).parent / "recordings"
BEGINNING: list[Signal] = [LegCreated(A1), LegInvited(A1), LegRinging(A1)]


def recorded(scene: str) -> list[dict[str, Any]]:
    """The events of a scene that were for our calls."""
    events: list[dict[str, Any]] = json.loads((RECORDINGS / f"{scene}.json").read_text())
    return [event for event in events if event["application"] == "c2c"]


def heard(scene: str) -> list[Signal]:
    """The signals of a scene, each once: ringing is reported twice."""
    reported = [translate(event) for event in recorded(scene)]
    assert all(leg_id == getattr(signal, "leg_id", None) for leg_id, signal in filter(None, reported))
    return list(dict.fromkeys(signal for _, signal in filter(None, reported)))


def heard_of(scene: str, leg_id: str) -> list[Signal]:
    return [signal for signal in heard(scene) if getattr(signal, "leg_id", None) == leg_id]


@pytest.mark.parametrize(
    ("scene", "signals"),
    [
        ("busy", [*BEGINNING, LegEnded(A1, 17, 486)]),
        ("declined", [*BEGINNING, LegEnded(A1, 21, 603)]),
        ("redirected", [LegCreated(A1), LegInvited(A1), LegEnded(A1, 23, 302)]),
        ("unanswered", [*BEGINNING, LegEnded(A1, 19, 480)]),
        (
            "early_media",
            [LegCreated(B1), LegInvited(B1), LegProgressed(B1), LegAnswered(B1), LegHangingUp(B1), LegEnded(B1, 16)],
        ),
        ("hung_up_by_the_phone", [LegCreated(A1), LegInvited(A1), LegAnswered(A1), LegHangingUp(A1), LegEnded(A1, 16)]),
        ("replaced", []),
    ],
)
def test_a_scene_with_one_leg(scene: str, signals: list[Signal]) -> None:
    assert heard(scene) == signals


def test_two_phones_ring_one_wins_and_both_sides_talk() -> None:
    assert heard_of("talk", B1) == [
        LegCreated(B1),
        LegJoined(B1),
        LegInvited(B1),
        LegRinging(B1),
        LegAnswered(B1),
        LegLeft(B1),
        LegEnded(B1, 16),
    ]
    assert heard_of("talk", A1) == [*BEGINNING, LegAnswered(A1), LegJoined(A1), LegLeft(A1), LegEnded(A1, 16)]
    assert heard_of("talk", A2) == [LegCreated(A2), LegInvited(A2), LegRinging(A2), LegEnded(A2, 26)]


def test_an_end_is_told_once_although_asterisk_tells_it_three_times() -> None:
    events = [event for event in recorded("busy") if event["type"] in ("ChannelHangupRequest", "StasisEnd")]
    assert len(events) == 2
    assert [translate(event) for event in events] == [None, None]


def test_every_event_that_says_something_is_asked_for() -> None:
    """Asterisk's filter lets nothing else through."""
    said = {
        event["type"]
        for path in RECORDINGS.glob("*.json")
        for event in json.loads(path.read_text())
        if event["application"] == "c2c" and translate(event) is not None
    }
    assert said == set(CALL_EVENTS) - {"ApplicationReplaced"}


def test_a_leg_that_enters_somebody_elses_bridge_has_not_joined() -> None:
    entered = next(event for event in recorded("talk") if event["type"] == "ChannelEnteredBridge")
    assert translate(entered) is not None
    entered["bridge"]["id"] = "call_01h2xcejqtf2nbrexx3vqjhp42"
    assert translate(entered) is None


def test_the_failure_of_a_dial_says_nothing_that_the_end_does_not() -> None:
    """`Dial` events of a redirect: the channel ends a moment later, and that decides."""
    failures = [event for event in recorded("redirected") if event.get("dialstatus") == "CANCEL"]
    assert failures
    assert [translate(event) for event in failures] == [None] * len(failures)


@pytest.mark.parametrize(
    ("state", "app", "expected"),
    [
        ("Up", "Stasis", LegState.UP),
        ("Ringing", "Stasis", LegState.RINGING),
        ("Down", "Stasis", LegState.READY),
        ("Down", "", LegState.CREATING),
        ("Dialing", "Stasis", LegState.READY),
    ],
)
def test_the_state_of_a_channel_that_was_looked_up(state: str, app: str, expected: LegState) -> None:
    assert leg_state({"id": A1, "state": state, "dialplan": {"app_name": app}}) is expected


@given(st.sampled_from([event for name in ("talk", "redirected", "contacts") for event in recorded(name)]), st.data())
def test_an_event_that_lacks_something_is_passed_by_or_not_understood(
    event: dict[str, Any], data: st.DataObject
) -> None:
    """It never means something else: what is not understood raises, and the reader passes it by."""
    missing = data.draw(st.sampled_from(sorted(event)))
    less = {key: value for key, value in event.items() if key != missing}
    whole = translate(event)
    try:
        part = translate(less)
    except NotUnderstood:
        return
    assert part in (whole, None) or missing in ("cause", "tech_cause")


@pytest.mark.parametrize(
    "bad", [f"{A1}\n", f" {A1}", f"{A1}.x", f"{A1}\u202e", "helper_1", "1700000000.7", CALL_ID, "", A1.upper()]
)
def test_a_channel_whose_id_is_no_legs_is_nobodys(bad: str) -> None:
    for event in recorded("talk"):
        for party in ("channel", "peer"):
            if party in event:
                event[party]["id"] = bad
        assert translate(event) is None


@pytest.mark.parametrize("bad", [None, 5, 16.0, True, [A1], {"id": A1}])
def test_a_channel_whose_id_is_no_text_is_not_understood(bad: object) -> None:
    destroyed = recorded("busy")[-1]
    destroyed["channel"]["id"] = bad
    with pytest.raises(NotUnderstood):
        translate(destroyed)


@pytest.mark.parametrize("bad", ["16", 16.0, True, -1, 10**30, [16], {}, None])
def test_an_end_without_a_sensible_cause_is_an_end_all_the_same(bad: object) -> None:
    """A list would have broken the call, a huge number the database, and a text would have gone out to clients."""
    destroyed = recorded("busy")[-1]
    destroyed["cause"] = destroyed["tech_cause"] = bad
    assert translate(destroyed) == (A1, LegEnded(A1))


def test_a_cause_or_a_status_beyond_what_there_is_counts_as_none() -> None:
    destroyed = recorded("busy")[-1]
    assert translate({**destroyed, "cause": 128, "tech_cause": 700}) == (A1, LegEnded(A1))
    assert translate({**destroyed, "cause": 127, "tech_cause": 699}) == (A1, LegEnded(A1, 127, 699))


@pytest.mark.parametrize(("soft", "told"), [(False, True), (True, False)])
def test_a_hang_up_is_the_far_ends_unless_it_is_soft(soft: bool, told: bool) -> None:
    request = next(event for event in recorded("hung_up_by_the_phone") if event["type"] == "ChannelHangupRequest")
    assert translate(request) == (A1, LegHangingUp(A1))
    assert (translate({**request, "soft": soft}) is not None) is told


@pytest.mark.parametrize("soft", [None, 0, "", "false", [], {}])
def test_a_hang_up_that_does_not_say_whose_it_is_is_not_understood(soft: object) -> None:
    request = next(event for event in recorded("hung_up_by_the_phone") if event["type"] == "ChannelHangupRequest")
    with pytest.raises(NotUnderstood):
        translate({**request, "soft": soft})


def test_a_dial_that_does_not_say_how_it_stands_is_not_understood() -> None:
    dial = next(event for event in recorded("busy") if event["type"] == "Dial" and event["dialstatus"] == "")
    del dial["dialstatus"]
    with pytest.raises(NotUnderstood):
        translate(dial)


def test_channel_ids_are_leg_ids() -> None:
    assert {leg_id.partition(".")[0] for leg_id, _ in filter(None, map(translate, recorded("talk")))} == {CALL_ID}
