"""From a request to a call that may set out: its legs, its parties, and what is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from c2c_stasis.call.model import (
    Call,
    Destination,
    DestinationKind,
    EmergencyDetails,
    Lack,
    Leg,
    LegOutcome,
    LegState,
    Limits,
    Now,
    Party,
    Route,
    Side,
)
from c2c_stasis.config import NumberFormat, RouteRule, Trunk, Words
from c2c_stasis.directory.call_options import ORDINARY, CallOptions
from c2c_stasis.directory.directory import Directory
from c2c_stasis.directory.model import Account, Device, DirectoryRows, Extension, Location, PhoneNumber, User
from c2c_stasis.errors import DestinationNotAllowed, InvalidRequest, NumberNotDialable
from c2c_stasis.ids import AccountId, DeviceId, LegId, LocationId, NumberId, PlatformId, UserId
from c2c_stasis.policy.settings import Settings
from c2c_stasis.ports import Contact
from c2c_stasis.service.permission import Permission
from c2c_stasis.service.placing import MOST_CONTACTS, Planner
from tests.fakes.switch import FakeSwitch

ACCOUNT = Account(AccountId("acct_1"), PlatformId("plat_1"), "Bakery", caller_number_id=NumberId("did_1"))
ANN = User(UserId("user_ann"), ACCOUNT.id, "Ann")
BOB = User(UserId("user_bob"), ACCOUNT.id, "Bob")
DEVICES = (
    Device(DeviceId("ep_1"), ACCOUNT.id, ANN.id, "ann-1"),
    Device(DeviceId("ep_2"), ACCOUNT.id, ANN.id, "ann-2"),
    Device(DeviceId("ep_3"), ACCOUNT.id, BOB.id, "bob-1"),
)
ROWS = DirectoryRows(
    accounts=(ACCOUNT,),
    users=(ANN, BOB),
    devices=DEVICES,
    extensions=(Extension(ACCOUNT.id, "1001", ANN.id), Extension(ACCOUNT.id, "1002", BOB.id)),
    numbers=(PhoneNumber(NumberId("did_1"), ACCOUNT.id, "+15557654321", caller_id_name="Bakery"),),
)
TRUNKS = (
    Trunk("carrier", "PJSIP/{number}@carrier"),
    Trunk("rescue", "PJSIP/{number}@rescue", emergency=True),
    Trunk("test", "PJSIP/{number}@sandbox", test=True),
)
LIMITS = Limits()
NOW = Now(1_700_000_000.0, 5_000.0)


class Switch(FakeSwitch):
    """A switch of which only the contacts count."""

    def __init__(self, contacts: Mapping[str, Sequence[Contact]]) -> None:
        self._contacts = contacts
        self.started_at = 0.0

    def contacts(self, endpoint: str) -> Sequence[Contact]:
        return self._contacts.get(endpoint, ())


EVERYBODY = {name: [Contact(f"sip:{name}@192.0.2.1", user_agent="Acme")] for name in ("ann-1", "ann-2", "bob-1")}


def plan(
    dial_string: str = "+15551234567",
    user: User = ANN,
    *,
    rows: DirectoryRows = ROWS,
    contacts: Mapping[str, Sequence[Contact]] | None = None,
    account: Account = ACCOUNT,
    livemode: bool = True,
    trunks: Sequence[Trunk] = TRUNKS,
    rules: Sequence[RouteRule] = (),
    options: CallOptions = ORDINARY,
) -> Call:
    """The call that this request asks for."""
    switch = Switch(EVERYBODY if contacts is None else contacts)
    planner = Planner(Directory.of(rows), switch, trunks, rules, Permission(Settings()))
    return planner.plan(
        account, user, dial_string, LIMITS, NOW, livemode=livemode, metadata={"a": "b"}, options=options
    ).call


def endpoints(call: Call, side: Side) -> list[str]:
    return [leg.endpoint for leg in call.side(side)]


# --- the whole call ---


def test_a_call_to_a_number_whole() -> None:
    call = plan("(212) 123-4567 ")
    assert call.legs == (
        Leg(
            LegId(f"{call.id}.a1"),
            Side.A,
            "PJSIP/ann-1",
            DeviceId("ep_1"),
            "ann-1",
            "sip:ann-1@192.0.2.1",
            "Acme",
        ),
        Leg(
            LegId(f"{call.id}.a2"),
            Side.A,
            "PJSIP/ann-2",
            DeviceId("ep_2"),
            "ann-2",
            "sip:ann-2@192.0.2.1",
            "Acme",
        ),
        Leg(LegId(f"{call.id}.b1"), Side.B, "PJSIP/+12121234567@carrier", trunk="carrier"),
    )
    assert call.destination == Destination(DestinationKind.EXTERNAL, Party("+12121234567"))
    assert call.caller == Party("+15557654321", "Bakery")
    assert (call.account_id, call.platform_id, call.user_id, call.region) == (ACCOUNT.id, "plat_1", ANN.id, "US")
    assert (call.accepted_at, call.clock_zero, call.limits) == (NOW.wall, NOW.mono, LIMITS)
    assert (call.livemode, call.metadata) == (True, {"a": "b"})


def test_each_call_has_an_id_of_its_own() -> None:
    assert plan().id != plan().id


def test_a_call_to_a_colleague_shows_the_callers_extension_and_rings_the_colleagues_phones() -> None:
    call = plan("1002")
    assert call.destination == Destination(DestinationKind.EXTENSION, Party("1002", "Bob"), BOB.id)
    assert call.caller == Party("1001", "Ann")
    assert endpoints(call, Side.B) == ["PJSIP/bob-1"]


def test_a_colleague_without_an_extension_shows_only_a_name() -> None:
    rows = replace(ROWS, extensions=(Extension(ACCOUNT.id, "1002", BOB.id),))
    assert plan("1002", rows=rows).caller == Party("", "Ann")


def test_who_has_no_number_shows_none() -> None:
    assert plan(rows=replace(ROWS, numbers=())).caller == Party("")


# --- emergency, test, trunks ---


def test_all_trunks_that_fit_are_tried_in_the_order_of_the_file() -> None:
    second = Trunk("second", "PJSIP/{number}@second", NumberFormat.E164_NO_PLUS, trusted=True)

    call = plan(trunks=(*TRUNKS, second))

    (leg,) = call.side(Side.B)
    assert (leg.trunk, leg.trusted) == ("carrier", False)
    assert call.routes == (Route("second", "PJSIP/15551234567@second", trusted=True),)
    assert not call.on_any_failure


def test_a_route_says_which_trunks_are_tried() -> None:
    second = Trunk("second", "PJSIP/{number}@second")
    rules = (RouteRule(Words(("second", "carrier")), Words(("national",))),)

    call = plan(trunks=(*TRUNKS, second), rules=rules)

    assert [leg.trunk for leg in call.side(Side.B)] == ["second"]
    assert [route.trunk for route in call.routes] == ["carrier"]


def test_a_call_is_anonymous_when_it_is_asked_to_be() -> None:
    call = plan(options=CallOptions(anonymous=True))

    assert call.anonymous
    assert call.caller == Party("+15557654321", "Bakery")  # what a trusted carrier is told
    assert not plan().anonymous


def test_an_emergency_call_is_never_anonymous() -> None:
    assert not plan("911", options=CallOptions(anonymous=True)).anonymous


def test_a_user_never_shows_a_number_that_is_not_the_accounts() -> None:
    foreign = PhoneNumber(NumberId("did_9"), AccountId("acct_2"), "+15550001111")
    rows = replace(ROWS, numbers=(*ROWS.numbers, foreign))

    assert plan(rows=rows, user=replace(ANN, caller_number_id=foreign.id)).caller.number == "+15557654321"
    with pytest.raises(InvalidRequest, match="no phone number of this account"):
        plan(rows=rows, options=CallOptions(did_id=foreign.id))


def test_an_emergency_call_goes_through_its_own_trunk_and_then_through_all_others_whatever_the_failure() -> None:
    call = plan("9-1-1")
    assert call.emergency
    assert endpoints(call, Side.B) == ["PJSIP/911@rescue"]
    assert call.routes == (Route("carrier", "PJSIP/911@carrier"),)
    assert call.on_any_failure


def test_an_emergency_call_knows_where_the_user_is_and_shows_who_is_called_back_whatever_is_asked() -> None:
    desk = PhoneNumber(NumberId("did_2"), ACCOUNT.id, "+15557654322", outbound_enabled=False)
    other = PhoneNumber(NumberId("did_3"), ACCOUNT.id, "+15557654323")
    bakery = Location(LocationId("loc_1"), ACCOUNT.id, "Bakery", '{"street": "Main", "country": "GB"}', desk.id)
    rows = replace(ROWS, numbers=(*ROWS.numbers, desk, other), locations=(bakery,))

    call = plan("999", replace(ANN, location_id=bakery.id), rows=rows, options=CallOptions(did_id=other.id))

    assert (call.caller.number, call.did_id) == (desk.number, desk.id)
    assert call.emergency_details == EmergencyDetails(
        location_id=bakery.id, location_name="Bakery", address={"street": "Main", "country": "GB"}
    )
    nobody = replace(ROWS, numbers=(other,))
    assert plan("911", rows=nobody, options=CallOptions(did_id=other.id)).caller.number == other.number


def test_no_request_makes_fewer_phones_ring_for_help_or_gives_up_sooner(caplog: pytest.LogCaptureFixture) -> None:
    impatient = CallOptions(device_id=DEVICES[1].id, ring_timeout=5, answer_timeout=5, max_duration=5)

    call = plan("911", options=impatient)

    assert endpoints(call, Side.A) == ["PJSIP/ann-1", "PJSIP/ann-2"]
    assert call.limits == LIMITS
    (line,) = (record for record in caplog.records if record.message == "options of an emergency call ignored")
    assert line.__dict__["options"] == "device, ring_timeout, answer_timeout, max_duration"
    caplog.clear()
    assert plan("911", options=CallOptions(did_id=NumberId("did_1"))).limits == LIMITS
    assert caplog.records == []


def test_a_phone_that_did_not_answer_lately_is_tried_for_help() -> None:
    asleep = {"ann-1": [Contact("sip:ann-1@192.0.2.1", reachable=False)]}

    assert endpoints(plan("911", contacts=asleep), Side.A) == ["PJSIP/ann-1/sip:ann-1@192.0.2.1", ""]
    assert endpoints(plan(contacts=asleep), Side.A) == ["", ""]


def test_of_too_many_phones_those_that_can_be_rung_ring_for_help() -> None:
    asleep = Contact("sip:ann-1@192.0.2.1", reachable=False)
    awake = Contact("sip:ann-2@192.0.2.1")
    contacts = {"ann-1": [asleep] * MOST_CONTACTS, "ann-2": [awake]}

    legs = plan("911", contacts=contacts).side(Side.A)

    assert len(legs) == MOST_CONTACTS
    assert legs[0].contact == awake.uri


def test_an_emergency_call_that_lacks_everything_says_so_and_is_dialled() -> None:
    call = plan("933", rows=replace(ROWS, numbers=()), trunks=TRUNKS[:1])
    assert endpoints(call, Side.B) == ["PJSIP/933@carrier"]
    assert call.emergency_details == EmergencyDetails(test=True, missing=tuple(Lack))
    assert plan().emergency_details is None


def test_a_test_call_goes_through_the_test_trunk_only() -> None:
    assert endpoints(plan(livemode=False), Side.B) == ["PJSIP/+15551234567@sandbox"]
    with pytest.raises(DestinationNotAllowed) as refused:
        plan(livemode=False, trunks=TRUNKS[:2])
    assert refused.value.rule == "test_mode"


def test_without_a_trunk_only_colleagues_can_be_called() -> None:
    with pytest.raises(DestinationNotAllowed) as refused:
        plan(trunks=())
    assert refused.value.rule == "no_trunk"
    assert endpoints(plan("1002", trunks=()), Side.B) == ["PJSIP/bob-1"]


def test_a_number_abroad_is_not_dialled() -> None:
    with pytest.raises(DestinationNotAllowed):
        plan("+442079460018")


# --- extensions that lead nowhere ---


@pytest.mark.parametrize("dial_string", ["1009", "1001"], ids=["nobody's", "one's own"])
def test_an_extension_that_cannot_be_called(dial_string: str) -> None:
    with pytest.raises(NumberNotDialable):
        plan(dial_string)


def test_an_extension_of_another_account() -> None:
    theirs = replace(ROWS, extensions=(Extension(AccountId("acct_2"), "1002", BOB.id),))
    with pytest.raises(NumberNotDialable):
        plan("1002", rows=theirs)


# --- phones ---


def test_a_device_with_several_contacts_rings_on_each_by_its_address() -> None:
    contacts = {"ann-1": [Contact("sip:ann-1@192.0.2.1"), Contact("sip:ann-1@192.0.2.2;ob")]}
    assert endpoints(plan(contacts=contacts), Side.A) == [
        "PJSIP/ann-1/sip:ann-1@192.0.2.1",
        "PJSIP/ann-1/sip:ann-1@192.0.2.2;ob",
        "",
    ]


def test_of_two_contacts_only_the_one_that_answers_is_dialled_and_by_its_address() -> None:
    contacts = {"ann-1": [Contact("sip:ann-1@192.0.2.1", reachable=False), Contact("sip:ann-1@192.0.2.2")]}
    call = plan(contacts=contacts)
    dead, alive, missing = call.side(Side.A)
    assert (dead.endpoint, dead.contact, dead.state, dead.outcome) == (
        "",
        "sip:ann-1@192.0.2.1",
        LegState.ENDED,
        LegOutcome.UNREACHABLE,
    )
    assert alive.endpoint == "PJSIP/ann-1/sip:ann-1@192.0.2.2"
    assert (missing.device, missing.contact, missing.outcome) == ("ann-2", "", LegOutcome.UNREACHABLE)


def test_a_device_that_is_not_registered_stands_in_the_record() -> None:
    call = plan(contacts={})
    assert [(leg.device, leg.endpoint, leg.state, leg.ended_at) for leg in call.side(Side.A)] == [
        ("ann-1", "", LegState.ENDED, 0.0),
        ("ann-2", "", LegState.ENDED, 0.0),
    ]


def test_a_user_without_devices_has_no_legs() -> None:
    assert plan(rows=replace(ROWS, devices=())).side(Side.A) == ()


def test_who_does_not_want_to_be_disturbed_does_not_ring() -> None:
    rows = replace(ROWS, users=(ANN, replace(BOB, do_not_disturb=True)))
    (leg,) = plan("1002", rows=rows).side(Side.B)
    assert (leg.endpoint, leg.device, leg.outcome) == ("", "bob-1", LegOutcome.BUSY)


def test_there_is_an_end_to_the_phones_of_one_person() -> None:
    contacts = {"ann-1": [Contact(f"sip:ann-1@192.0.2.{number}") for number in range(50)]}
    call = plan(contacts=contacts)
    legs = call.side(Side.A)
    assert len(legs) == MOST_CONTACTS
    assert len({leg.id for leg in legs}) == MOST_CONTACTS


def test_leg_ids_are_numbered_through_whatever_their_devices_are() -> None:
    contacts = {"ann-2": [Contact("sip:a@192.0.2.1"), Contact("sip:a@192.0.2.2", reachable=False)]}
    call = plan(contacts=contacts)
    assert [leg.id.rpartition(".")[2] for leg in call.legs] == ["a1", "a2", "a3", "b1"]
