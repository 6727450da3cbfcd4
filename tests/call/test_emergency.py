"""What is told of an emergency call."""

from msgspec.structs import replace

from c2c_stasis.call.emergency import told_of_emergency
from c2c_stasis.call.model import DestinationKind, EmergencyDetails, Lack, Party
from c2c_stasis.ids import LocationId
from tests.call.stories import ROUTES, routed_call

CALL = routed_call(*ROUTES, kind=DestinationKind.EMERGENCY, on_any_failure=True)


def test_all_that_is_known_is_told() -> None:
    address = {"street": "Main Street", "floor": "5"}
    known = EmergencyDetails(test=True, location_id=LocationId("loc_1"), location_name="Head office", address=address)
    told = told_of_emergency(replace(CALL, emergency_details=known, caller=Party("+12025550100", "Ann")))
    assert told == {
        "test": True,
        "callback_number": "+12025550100",
        "location": "loc_1",
        "location_id": "loc_1",
        "location_name": "Head office",
        "address": address,
        "missing": [],
    }


def test_what_is_not_known_is_told_as_missing() -> None:
    poor = EmergencyDetails(missing=(Lack.TRUNK, Lack.CALLBACK_NUMBER, Lack.LOCATION))
    told = told_of_emergency(replace(CALL, emergency_details=poor, caller=Party("")))
    assert told == {
        "test": False,
        "callback_number": None,
        "location": None,
        "location_id": None,
        "location_name": None,
        "address": None,
        "missing": ["emergency_trunk", "callback_number", "location"],
    }


def test_of_a_call_to_anybody_else_nothing_is_told() -> None:
    assert told_of_emergency(CALL) is None
