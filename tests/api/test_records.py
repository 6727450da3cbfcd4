"""The record of a call, live and ended."""

import msgspec
import pytest
from msgspec import json, to_builtins
from msgspec.structs import replace

from c2c_stasis.api.records import record_of, tells_of_others
from c2c_stasis.call.model import (
    Call,
    CallState,
    Destination,
    DestinationKind,
    End,
    EndedBy,
    FailedLeg,
    Leg,
    LegOutcome,
    LegState,
    Limits,
    Outcome,
    Party,
    Reason,
    Side,
)
from c2c_stasis.ids import AccountId, CallId, DeviceId, LegId, PlatformId, UserId
from c2c_stasis.ports import StoredEvent

CALL = Call(
    id=CallId("call_x"),
    platform_id=PlatformId("plat_x"),
    account_id=AccountId("acct_x"),
    user_id=UserId("user_x"),
    dial_string="555 123 4567",
    destination=Destination(DestinationKind.EXTERNAL, Party("+15551234567")),
    caller=Party("+15559876543", "Example Inc."),
    region="US",
    limits=Limits(),
    legs=(
        Leg(
            LegId("call_x.a1"),
            Side.A,
            "PJSIP/d1/sip:d1@10.0.0.1",
            DeviceId("ep_1"),
            "d1",
            "sip:d1@10.0.0.1",
            "Phone/1",
            LegState.UP,
            LegOutcome.ANSWERED,
            won=True,
            dialled_at=0.010,
            invited_at=0.020,
            ringing_at=0.120,
            answered_at=3.0,
        ),
        Leg(
            LegId("call_x.a2"),
            Side.A,
            "PJSIP/d2",
            DeviceId("ep_2"),
            "d2",
            state=LegState.ENDED,
            outcome=LegOutcome.ANSWERED_ELSEWHERE,
            dialled_at=0.010,
            ringing_at=0.500,
            ended_at=3.1,
            cause=26,
        ),
        Leg(LegId("call_x.b1"), Side.B, "PJSIP/+15551234567@carrier", dialled_at=3.05, ringing_at=4.0, sip_code=None),
    ),
    accepted_at=1_700_000_000.25,
    clock_zero=5.0,
    state=CallState.TALKING,
    initiated_at=3.05,
    answered_at=3.0,
    connected_at=10.0,
    bridged_at=10.020,
    committed_at=0.003,
    metadata={"crm": "42"},
)
COMPLETED = End(Outcome.COMPLETED, Reason.NORMAL, EndedBy.DESTINATION, cause=16, sip_code=None)


def fields_of(call: Call) -> dict[str, object]:
    fields: dict[str, object] = msgspec.json.decode(msgspec.json.encode(record_of(call)))
    return fields


def test_a_live_call() -> None:
    fields = fields_of(CALL)
    timings, legs = fields.pop("timings"), fields.pop("legs")
    assert fields == {
        "id": "call_x",
        "user": "user_x",
        "user_id": "user_x",
        "endpoint": "ep_1",
        "endpoint_id": "ep_1",
        "did": None,
        "did_id": None,
        "direction": "outbound",
        "from_number": "+15559876543",
        "from_label": "Example Inc.",
        "to_number": "+15551234567",
        "to_label": None,
        "started_at": "2023-11-14T22:13:20.250Z",
        "answered_at": "2023-11-14T22:13:23.250Z",
        "connected_at": "2023-11-14T22:13:30.250Z",
        "ended_at": None,
        "ended_at_estimated": False,
        "duration_seconds": None,
        "status": None,
        "hangup_cause": None,
        "recording_url": None,
        "quality_metrics": None,
        "state": "talking",
        "outcome": None,
        "reason": None,
        "failed_leg": None,
        "ended_by": None,
        "sip_code": None,
        "anonymous": False,
        "livemode": True,
        "rule": None,
        "emergency": None,
        "metadata": {"crm": "42"},
    }
    assert timings == {
        "committed_ms": 3,
        "user_invited_ms": 20,
        "user_ringing_ms": 120,
        "user_answered_ms": 3000,
        "destination_dialled_ms": 3050,
        "destination_invited_ms": None,
        "destination_ringing_ms": 4000,
        "connected_ms": 10_000,
        "bridged_ms": 10_020,
        "ended_ms": None,
    }
    assert isinstance(legs, list)
    assert legs[0] == {
        "id": "call_x.a1",
        "side": "a",
        "endpoint": "ep_1",
        "endpoint_id": "ep_1",
        "device": "d1",
        "trunk": None,
        "number": None,
        "contact": "sip:d1@10.0.0.1",
        "user_agent": "Phone/1",
        "state": "up",
        "outcome": "answered",
        "won": True,
        "dialled_at": "2023-11-14T22:13:20.260Z",
        "ringing_at": "2023-11-14T22:13:20.370Z",
        "answered_at": "2023-11-14T22:13:23.250Z",
        "ended_at": None,
        "ring_delay_ms": 100,
        "hangup_cause": None,
        "sip_code": None,
    }
    assert (legs[1]["outcome"], legs[1]["ring_delay_ms"], legs[1]["hangup_cause"]) == ("answered_elsewhere", 490, 26)
    assert (legs[2]["side"], legs[2]["endpoint"], legs[2]["device"], legs[2]["contact"]) == ("b", None, None, None)
    assert legs[2]["number"] == "+15551234567"


def test_a_leg_names_its_trunk_but_not_to_a_session_of_a_user() -> None:
    far = replace(CALL.legs[2], trunk="carrier")
    call = replace(CALL.with_leg(far), anonymous=True)

    assert (record_of(call).legs[2].trunk, record_of(call).anonymous) == ("carrier", True)
    assert record_of(call, private=True).legs[2].trunk is None


def test_an_end_that_is_decided_and_not_over_is_not_told() -> None:
    fields = fields_of(replace(CALL, state=CallState.RELEASING, end=COMPLETED))
    assert (fields["status"], fields["outcome"], fields["hangup_cause"]) == (None, None, None)


def test_an_ended_call() -> None:
    fields = fields_of(replace(CALL, state=CallState.ENDED, end=COMPLETED, ended_at=70.4))
    assert (fields["status"], fields["outcome"], fields["reason"], fields["ended_by"]) == (
        "completed",
        "completed",
        "normal",
        "destination",
    )
    assert (fields["ended_at"], fields["duration_seconds"], fields["hangup_cause"]) == (
        "2023-11-14T22:14:30.650Z",
        67,
        16,
    )


def test_a_call_that_nobody_answered_lasted_no_time() -> None:
    end = End(Outcome.NO_ANSWER, Reason.USER_NO_ANSWER, EndedBy.SYSTEM, FailedLeg.USER, 19, 480)
    missed = replace(
        CALL,
        legs=(),
        state=CallState.ENDED,
        end=end,
        initiated_at=None,
        answered_at=None,
        connected_at=None,
        ended_at=30.0,
    )
    fields = fields_of(missed)
    assert (fields["status"], fields["failed_leg"], fields["sip_code"]) == ("no-answer", "user", 480)
    assert (fields["duration_seconds"], fields["endpoint"]) == (0, None)


def test_an_extension_is_an_internal_call() -> None:
    colleague = Destination(DestinationKind.EXTENSION, Party("1001", "Bob"), UserId("user_bob"))
    fields = fields_of(replace(CALL, destination=colleague, caller=Party("")))
    assert (fields["direction"], fields["to_number"], fields["to_label"]) == ("internal", "1001", "Bob")
    assert (fields["from_number"], fields["from_label"]) == (None, None)


def test_who_acts_for_one_user_learns_nothing_of_a_colleagues_phones() -> None:
    phone = Leg(
        *(LegId("call_x.b1"), Side.B, "PJSIP/d9", DeviceId("ep_9"), "d9", "sip:d9@10.0.0.9", "Phone/9"),
        state=LegState.ENDED,
        outcome=LegOutcome.BUSY,
    )
    call = replace(CALL, legs=(CALL.legs[0], phone))
    own, theirs = to_builtins(record_of(call, private=True))["legs"]
    assert own == to_builtins(record_of(call))["legs"][0]
    assert (theirs["outcome"], theirs["endpoint"], theirs["endpoint_id"]) == ("busy", None, None)
    assert (theirs["device"], theirs["contact"], theirs["user_agent"]) == (None, None, None)


@pytest.mark.parametrize(
    ("type_", "data", "hidden"),
    [
        ("call.ringing", {"user_id": "user_1"}, False),
        ("leg.ringing", {"leg": {"side": "a", "device": "d1"}}, False),
        ("leg.ringing", {"leg": {"side": "b", "device": None}}, False),  # through a trunk
        ("leg.ringing", {"leg": {"side": "b", "device": "d9"}}, True),
    ],
)
def test_nor_do_events_tell_of_them(type_: str, data: dict[str, object], *, hidden: bool) -> None:
    body = json.encode({"id": "evt_x", "type": type_, "data": data})
    event = StoredEvent("evt_x", AccountId("acct_x"), CallId("call_x"), 1, type_, 0.0, body)
    assert tells_of_others(event) is hidden
