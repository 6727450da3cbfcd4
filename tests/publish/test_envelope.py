"""The envelope of an event: every field, at every stage of a call."""

import json
from typing import Any

import pytest
from msgspec.structs import fields, replace

from c2c_stasis.api.schemas import CallRecord, LegRecord
from c2c_stasis.call.events import Event, EventType
from c2c_stasis.call.model import Call, DestinationKind, Party, Side
from c2c_stasis.call.signals import CancelRequested, LegEnded
from c2c_stasis.ids import EVENT, is_id
from c2c_stasis.publish.envelope import Envelopes
from tests.call import stories
from tests.call.stories import A1, ACCEPTED_AT, B1, CALL_ID, Story

ENVELOPES = Envelopes()
AT_NOON = "2023-11-14T22:13:20.000Z"  # when the calls of the stories are accepted


def body(call: Call, event_type: EventType, leg_id: str | None = None, *, at: float = 0.0, sequence: int = 1) -> Any:
    """The JSON of an event."""
    stored = ENVELOPES.envelope(call, Event(event_type, at, leg_id), sequence)  # type: ignore[arg-type]  # text is enough
    return json.loads(stored.body)


def of_the_end(story: Story) -> dict[str, Any]:
    data: dict[str, Any] = body(story.call, EventType.CALL_END, at=story.at)["data"]
    return data


def test_the_first_event_of_a_call_whole() -> None:
    call = stories.ringing_user().call
    stored = ENVELOPES.envelope(call, Event(EventType.CALL_RINGING, 0.25), 1)
    assert is_id(stored.id, EVENT)
    assert (stored.account_id, stored.call_id, stored.sequence, stored.type) == ("acct_1", CALL_ID, 1, "call.ringing")
    assert stored.created_at == ACCEPTED_AT + 0.25
    assert json.loads(stored.body) == {
        "id": stored.id,
        "type": "call.ringing",
        "account_id": "acct_1",
        "created_at": "2023-11-14T22:13:20.250Z",
        "data": {
            "call_id": CALL_ID,
            "user": "user_ann",
            "user_id": "user_ann",
            "endpoint": None,
            "endpoint_id": None,
            "direction": "outbound",
            "from_number": "+15557654321",
            "from_name": "Ann",
            "from_label": "Ann",
            "to_number": "+15551234567",
            "to_label": None,
            "rule": None,
            "started_at": AT_NOON,
            "answered_at": None,
            "connected_at": None,
            "sequence": 1,
        },
    }


def test_the_end_of_a_completed_call_whole() -> None:
    story = stories.talking().wait(10.0)
    story.hear(LegEnded(B1, 16), LegEnded(A1))
    stored = ENVELOPES.envelope(story.call, Event(EventType.CALL_END, story.at), 17)
    assert json.loads(stored.body)["data"] == {
        "call_id": CALL_ID,
        "user": "user_ann",
        "user_id": "user_ann",
        "endpoint": "ep_ann-1",
        "endpoint_id": "ep_ann-1",
        "direction": "outbound",
        "from_number": "+15557654321",
        "from_name": "Ann",
        "from_label": "Ann",
        "to_number": "+15551234567",
        "to_label": None,
        "rule": None,
        "started_at": AT_NOON,
        "answered_at": "2023-11-14T22:13:21.000Z",
        "connected_at": "2023-11-14T22:13:23.000Z",
        "sequence": 17,
        "ended_at": "2023-11-14T22:13:34.000Z",
        "ended_at_estimated": False,
        "duration_seconds": 13.0,
        "status": "completed",
        "outcome": "completed",
        "reason": "normal",
        "ended_by": "destination",
        "failed_leg": None,
        "hangup_cause": 16,
        "sip_code": None,
        "quality_metrics": None,
    }


def test_the_end_of_a_call_that_nobody_answered() -> None:
    story = stories.ringing_user()
    story.hear(CancelRequested(), *stories.gone(A1, stories.A2, B1))
    end = of_the_end(story)
    assert (end["status"], end["outcome"], end["reason"]) == ("no-answer", "cancelled", "cancelled_by_api")
    assert (end["duration_seconds"], end["answered_at"], end["endpoint"]) == (0, None, None)


def test_the_end_of_a_call_whose_destination_was_busy() -> None:
    story = stories.playing_tone()
    story.hear(LegEnded(A1, 16))
    end = of_the_end(story)
    assert (end["status"], end["failed_leg"], end["hangup_cause"], end["sip_code"]) == ("busy", "destination", 17, 486)
    assert end["duration_seconds"] == 3.0


def test_an_event_of_a_leg_tells_of_the_leg() -> None:
    story = stories.ringing_user()
    story.hear(LegEnded(A1, 21, 603))
    data = body(story.call, EventType.LEG_ENDED, A1)["data"]
    assert data["leg"] == {
        "id": A1,
        "side": "a",
        "endpoint": "ep_ann-1",
        "endpoint_id": "ep_ann-1",
        "device": "ann-1",
        "number": None,
        "state": "ended",
        "outcome": "rejected",
        "hangup_cause": 21,
        "sip_code": 603,
    }


def test_a_leg_through_a_trunk_has_no_device_and_the_number_that_was_dialled() -> None:
    leg = body(stories.dialling().call, EventType.LEG_DIALLED, B1)["data"]["leg"]
    assert (leg["endpoint"], leg["device"], leg["number"]) == (None, None, "+15551234567")


def test_the_fields_of_a_leg_have_the_names_that_they_have_in_the_record() -> None:
    leg = body(stories.dialling().call, EventType.LEG_DIALLED, A1)["data"]["leg"]
    assert set(leg) <= {field.name for field in fields(LegRecord)}


def test_the_fields_of_a_call_have_the_names_that_they_have_in_the_record() -> None:
    """Beside those that are the event's own, and `from_name`, by which published clients know it."""
    story = stories.talking()
    story.hear(LegEnded(B1, 16), LegEnded(A1))
    assert set(of_the_end(story)) - {field.name for field in fields(CallRecord)} == {"call_id", "sequence", "from_name"}


def test_a_leg_that_the_call_does_not_have_is_left_out() -> None:
    assert "leg" not in body(stories.dialling().call, EventType.LEG_DIALLED, f"{CALL_ID}.a9")["data"]


def test_a_call_to_a_colleague_is_internal() -> None:
    data = body(stories.internal_call(), EventType.CALL_RINGING)["data"]
    assert (data["direction"], data["to_number"]) == ("internal", "1002")


def test_an_emergency_call_tells_the_digits() -> None:
    call = stories.outward_call(kind=DestinationKind.EMERGENCY)
    data = body(call, EventType.CALL_EMERGENCY)["data"]
    assert (data["to_number"], data["direction"]) == ("911", "outbound")


def test_who_shows_nothing_is_nothing_and_not_an_empty_text() -> None:
    call = stories.call_of(stories.phones(Side.A, 1), [stories.trunk()], DestinationKind.EXTERNAL)
    data = body(replace(call, caller=Party("")), EventType.CALL_RINGING)["data"]
    assert (data["from_number"], data["from_name"]) == (None, None)


@pytest.mark.parametrize("event_type", list(EventType))
def test_every_event_has_an_envelope_of_its_own(event_type: EventType) -> None:
    story = stories.talking()
    story.hear(LegEnded(B1, 16), LegEnded(A1))
    first, second = (ENVELOPES.envelope(story.call, Event(event_type, 1.0, A1), 5) for _ in range(2))
    assert first.id != second.id
    assert first.type == event_type.value == json.loads(first.body)["type"]
    assert len(first.body) < 20_000  # Standard Webhooks asks for no more


def test_names_keep_their_characters() -> None:
    call = replace(stories.outward_call(), caller=Party("+1", 'Zoë "张" <x>\u2028'))
    assert body(call, EventType.CALL_RINGING)["data"]["from_name"] == 'Zoë "张" <x>\u2028'
