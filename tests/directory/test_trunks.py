"""Which trunk, and the exact dial string."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2c_stasis.call.model import DestinationKind
from c2c_stasis.config import NumberFormat, RouteRule, Trunk, Words
from c2c_stasis.directory.dial_strings import Dialled, parse
from c2c_stasis.directory.routes import fitting
from c2c_stasis.directory.trunks import choose, endpoint
from c2c_stasis.errors import DestinationNotAllowed, NumberNotDialable
from c2c_stasis.ids import AccountId

LONDON = Dialled(DestinationKind.EXTERNAL, "+442079460018", "GB")
POLICE = Dialled(DestinationKind.EMERGENCY, "999", "GB")
ACME = AccountId("acct_1")


def trunk(name: str = "carrier", **settings: object) -> Trunk:
    return Trunk(name, f"PJSIP/{{number}}@{name}", **settings)  # type: ignore[arg-type] # each test names its own


def route(trunks: str, numbers: str = "", accounts: str = "") -> RouteRule:
    return RouteRule(*(Words(tuple(text.split(", ")) if text else ()) for text in (trunks, numbers, accounts)))


@pytest.mark.parametrize(
    ("style", "prefix", "region", "sent"),
    [
        (NumberFormat.E164, "", "GB", "+442079460018"),
        (NumberFormat.E164_NO_PLUS, "", "GB", "442079460018"),
        (NumberFormat.E164_NO_PLUS, "9", "GB", "9442079460018"),
        (NumberFormat.ZERO_ZERO, "", "GB", "00442079460018"),
        (NumberFormat.NATIONAL, "", "GB", "02079460018"),
        (NumberFormat.NATIONAL, "0", "GB", "002079460018"),
        (NumberFormat.NATIONAL, "", "US", "011442079460018"),
        (NumberFormat.NATIONAL, "", "DE", "00442079460018"),
    ],
)
def test_the_carrier_gets_the_number_as_it_wants_it(style: NumberFormat, prefix: str, region: str, sent: str) -> None:
    dialled = Dialled(DestinationKind.EXTERNAL, "+442079460018", region)
    assert endpoint(trunk(format=style, prefix=prefix), dialled) == f"PJSIP/{sent}@carrier"


def test_a_national_number_of_north_america_has_ten_digits() -> None:
    dialled = parse("+15551234567", region="US", extension_length=4)
    assert endpoint(trunk(format=NumberFormat.NATIONAL), dialled) == "PJSIP/5551234567@carrier"


@pytest.mark.parametrize("region", ["BR", "CO", "SG", "KR", "IL", "TH"])
def test_a_number_abroad_is_none_at_home_where_each_carrier_has_an_access_code_of_its_own(region: str) -> None:
    dialled = Dialled(DestinationKind.EXTERNAL, "+442079460018", region)
    assert endpoint(trunk(format=NumberFormat.NATIONAL), dialled) == "PJSIP/+442079460018@carrier"
    with pytest.raises(NumberNotDialable):
        endpoint(trunk(format=NumberFormat.NATIONAL, prefix="9"), dialled)


@pytest.mark.parametrize(
    ("number", "region"), [("+491121234567", "DE"), ("+41112123456", "CH"), ("+461121234567", "SE")]
)
def test_a_number_of_no_plan_calls_no_ambulance(number: str, region: str) -> None:
    dialled = parse(number, region=region, extension_length=4)
    assert endpoint(trunk(), dialled) == f"PJSIP/{number}@carrier"
    with pytest.raises(NumberNotDialable, match="emergency"):
        endpoint(trunk(format=NumberFormat.NATIONAL), dialled)


def test_a_mobile_phone_of_fiji_that_begins_like_an_emergency_number_is_dialled_at_home() -> None:
    dialled = parse("+6799111234", region="FJ", extension_length=4)
    assert endpoint(trunk(format=NumberFormat.NATIONAL), dialled) == "PJSIP/9111234@carrier"


@pytest.mark.parametrize("style", list(NumberFormat))
def test_emergency_digits_go_out_as_they_are(style: NumberFormat) -> None:
    prefix = "" if style is NumberFormat.E164 else "9"
    assert endpoint(trunk(format=style, prefix=prefix), POLICE) == "PJSIP/999@carrier"


@pytest.mark.parametrize("number", ["1@evil", "1/sip:x@y", "1;a", "١٢٣", "", "+", "1\n", "1 2", "1" * 30])
def test_the_last_line_lets_only_digits_pass(number: str) -> None:
    with pytest.raises(NumberNotDialable):
        endpoint(trunk(), Dialled(DestinationKind.EMERGENCY, number, "US"))
    with pytest.raises(NumberNotDialable):
        endpoint(trunk(), Dialled(DestinationKind.EXTERNAL, number, "US"))


def test_an_extension_has_no_way_out() -> None:
    with pytest.raises(ValueError, match="1001"):
        endpoint(trunk(), Dialled(DestinationKind.EXTENSION, "1001", "US"))


FIRST, SECOND, HELP = trunk("first"), trunk("second"), trunk("help", emergency=True)


def test_without_routes_the_trunks_are_tried_in_the_order_of_the_file() -> None:
    assert choose([HELP, FIRST, SECOND], LONDON, ACME) == (FIRST, SECOND)
    assert choose([SECOND, FIRST], LONDON, ACME) == (SECOND, FIRST)


def test_emergency_calls_try_their_own_trunks_first_and_then_every_other() -> None:
    sea = trunk("sea", emergency=True)
    assert choose([FIRST, SECOND, HELP, sea], POLICE, ACME) == (HELP, sea, FIRST, SECOND)
    assert choose([FIRST, SECOND], POLICE, ACME) == (FIRST, SECOND)
    assert choose([FIRST, SECOND, HELP], POLICE, ACME, [route("second")]) == (HELP, SECOND, FIRST)
    assert choose([FIRST, SECOND, HELP, sea], POLICE, ACME, [route("sea, second")]) == (sea, HELP, SECOND, FIRST)
    assert choose([FIRST, SECOND], POLICE, ACME, [route("second")]) == (SECOND, FIRST)
    assert choose([FIRST, SECOND], POLICE, ACME, [route("second", "national")]) == (FIRST, SECOND)
    assert choose([FIRST, SECOND], POLICE, ACME, [route("second", accounts="acct_2")]) == (FIRST, SECOND)


def test_no_emergency_call_of_a_customer_goes_through_a_trunk_for_tests_nor_the_other_way_round() -> None:
    rehearsal = trunk("rehearsal", test=True)
    assert choose([rehearsal, FIRST, HELP], POLICE, ACME) == (HELP, FIRST)
    assert choose([FIRST, HELP, rehearsal], POLICE, ACME, livemode=False) == (rehearsal,)


def test_the_first_route_that_fits_says_which_trunks_are_tried() -> None:
    rules = [route("second", "+33"), route("second, first", "+44"), route("first")]
    assert choose([FIRST, SECOND], LONDON, ACME, rules) == (SECOND, FIRST)
    assert choose([FIRST, SECOND], parse("+15551234567", region="US", extension_length=4), ACME, rules) == (FIRST,)


def test_a_route_is_for_its_accounts() -> None:
    rules = [route("second", accounts=ACME)]
    assert choose([FIRST, SECOND], LONDON, ACME, rules) == (SECOND,)
    assert choose([FIRST, SECOND], LONDON, AccountId("acct_2"), rules) == (FIRST, SECOND)


def test_a_route_without_a_trunk_for_this_kind_of_call_does_not_fit() -> None:
    rehearsal = trunk("rehearsal", test=True)
    assert choose([FIRST, rehearsal], LONDON, ACME, [route("first")], livemode=False) == (rehearsal,)
    assert choose([FIRST, HELP], LONDON, ACME, [route("help")]) == (FIRST,)


@pytest.mark.parametrize(
    ("numbers", "region", "dial_string", "fits"),
    [
        ("national", "US", "+12025550123", True),
        ("national", "US", "+15551234567", True),  # of nobody, and of no other region
        ("national", "US", "+18765550123", False),  # Jamaica has +1 as well
        ("national", "CA", "+18005550199", True),  # freephone belongs to all of +1
        ("international", "US", "+18765550123", True),
        ("international", "GB", "+442079460018", False),
        ("mobile", "GB", "+447400123456", True),
        ("mobile", "GB", "+442079460018", False),
        ("toll_free", "GB", "+448081570000", True),
        ("toll_free", "GB", "+442079460018", False),
        ("mobile, +4420", "GB", "+442079460018", True),
        ("+4420", "GB", "+442179460018", False),
    ],
)
def test_a_route_is_for_its_numbers(numbers: str, region: str, dial_string: str, fits: bool) -> None:
    dialled = parse(dial_string, region=region, extension_length=4)
    assert list(fitting([route("first", numbers)], dialled, ACME)) == [route("first", numbers)] * fits


@pytest.mark.parametrize("trunks", [[], [trunk(emergency=True)], [trunk(test=True)]])
def test_without_an_ordinary_trunk_nothing_ordinary_goes_out(trunks: list[Trunk]) -> None:
    with pytest.raises(DestinationNotAllowed) as caught:
        choose(trunks, LONDON, ACME)
    assert caught.value.rule == "no_trunk"


def test_test_keys_and_test_trunks_belong_together() -> None:
    real, rehearsal = trunk("real"), trunk("rehearsal", test=True)
    assert choose([rehearsal, real], LONDON, ACME) == (real,)
    assert choose([real, rehearsal], LONDON, ACME, livemode=False) == (rehearsal,)
    assert choose([real, rehearsal], POLICE, ACME, livemode=False) == (rehearsal,)
    with pytest.raises(DestinationNotAllowed) as caught:
        choose([real], POLICE, ACME, livemode=False)
    assert caught.value.rule == "test_mode"


@given(
    st.from_regex(r"\A\+?[0-9 .-]{3,20}\Z"),
    st.sampled_from(["US", "GB", "DE", "IT", "BR", "AR", "MX", "JP"]),
    st.sampled_from(list(NumberFormat)),
)
def test_whatever_was_dialled_the_endpoint_is_plain(text: str, region: str, style: NumberFormat) -> None:
    try:
        dialled = parse(text, region=region, extension_length=4)
    except NumberNotDialable:
        return
    if dialled.kind is not DestinationKind.EXTENSION:
        assert re.fullmatch(r"PJSIP/\+?[0-9]{2,24}@carrier", endpoint(trunk(format=style), dialled))
