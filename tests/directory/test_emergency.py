"""What an emergency number is to whom, and what is told of such a call."""

import json
from dataclasses import replace

import pytest

from c2c_stasis.call.model import DestinationKind, Lack
from c2c_stasis.config import Emergency, Trunk, Words
from c2c_stasis.directory.dial_strings import Dialled
from c2c_stasis.directory.directory import Directory
from c2c_stasis.directory.emergency import NOBODY_TOLD, Gap, details, gaps, meant
from c2c_stasis.directory.model import Account, Device, DirectoryRows, Extension, Location, PhoneNumber, User
from c2c_stasis.ids import AccountId, DeviceId, LocationId, NumberId, PlatformId, UserId

BAKERY = Account(AccountId("acct_1"), PlatformId("plat_1"), "Bakery", caller_number_id=NumberId("did_account"))
OTHER = AccountId("acct_2")
ANN = User(UserId("user_ann"), BAKERY.id, "Ann")
DESK = Device(DeviceId("ep_1"), BAKERY.id, ANN.id, "ann-desk")
CELL = Device(DeviceId("ep_2"), BAKERY.id, ANN.id, "ann-cell")


def place(name: str, country: str, account: AccountId = BAKERY.id, number: str | None = None) -> Location:
    address = json.dumps({"street": "Main Street", "city": name, "country": country})
    return Location(LocationId(f"loc_{name}"), account, name, address, NumberId(number) if number else None)


LONDON, BERLIN = place("London", "GB", number="did_london"), place("Berlin", "DE")
NUMBERS = tuple(
    PhoneNumber(NumberId(f"did_{name}"), BAKERY.id, number)
    for name, number in (("account", "+12025550100"), ("london", "+442079460018"), ("own", "+12025550101"))
)
ROWS = DirectoryRows(
    accounts=(BAKERY,), users=(ANN,), devices=(DESK, CELL), numbers=NUMBERS, locations=(LONDON, BERLIN)
)
CARRIER, HELP = Trunk("carrier", "PJSIP/{number}@carrier"), Trunk("help", "PJSIP/{number}@help", emergency=True)


def read(text: str, user: User = ANN, rows: DirectoryRows = ROWS, settings: Emergency | None = None) -> str | None:
    """What is dialled for this text, and as a number of which region."""
    found = meant(Directory.of(rows), BAKERY, user, text, settings or Emergency())
    assert found is None or found.kind is DestinationKind.EMERGENCY
    return f"{found.number} {found.region}" if found else None


@pytest.mark.parametrize(
    ("text", "dialled"),
    [
        ("911", "911 US"),
        (" 9-1-1 ", "911 US"),
        ("112", "112 US"),
        ("933", "933 US"),
        ("9 911", "911 US"),
        ("9911", "911 US"),
        ("9933", "933 US"),
        ("0911", None),
        ("99911", None),
        ("9911 1", None),
        ("9116666666", None),
        ("+911", None),
        ("+9911", None),
        ("9", None),
        ("911;x", None),
        ("٩١١", "911 US"),
        ("\uff19\uff11\uff11", "911 US"),  # full width
        ("9\u20111\u20111", "911 US"),  # hyphens that do not break, as a page sets them
        ("\u00a0911\u202f", "911 US"),  # blanks of the same kind
        ("\u202d911\u202c", "911 US"),  # marks of direction, as an address book copies them
        ("\u0669 \u0669\u0661\u0661", "911 US"),
        ("\uff0b911", None),
        ("+٩١١", None),
        ("9½11", None),
        ("911x", None),
        ("⑨⑪", None),
        ("٩" * 33, None),
        ("999", None),
    ],
)
def test_in_north_america(text: str, dialled: str | None) -> None:
    assert read(text) == dialled


def test_what_counts_is_where_the_user_is_and_then_where_the_account_is() -> None:
    abroad = replace(ANN, location_id=LONDON.id)
    assert read("999", abroad) == "999 GB"
    assert read("9999", abroad) == "999 GB"
    assert read("112", abroad) == "112 GB"
    assert (
        read("911", abroad) == "911 US"
    )  # what was learned at home; nobody in need is told that there is no such number


def test_the_place_of_a_device_counts_where_nobody_said_where_the_user_is() -> None:
    rows = replace(ROWS, devices=(DESK, replace(CELL, location_id=BERLIN.id)))
    assert read("110", rows=rows) == "110 DE"
    assert read("999", replace(ANN, location_id=LONDON.id), rows) == "999 GB"
    assert Directory.of(rows).location(ANN) == BERLIN
    assert Directory.of(rows).location(replace(ANN, location_id=LONDON.id)) == LONDON


def test_the_place_of_another_account_is_nowhere() -> None:
    foreign = place("Paris", "FR", OTHER)
    rows = replace(ROWS, locations=(foreign,))
    lost = replace(ANN, location_id=foreign.id)
    assert (Directory.of(rows).location(lost), Directory.of(rows).regions(BAKERY, lost)) == (None, ("US",))


def test_an_extension_of_just_these_digits_is_meant_rather_than_an_outside_line() -> None:
    rows = replace(ROWS, extensions=(Extension(BAKERY.id, "9911", ANN.id), Extension(BAKERY.id, "911", ANN.id)))
    assert read("9911", rows=rows) is None
    assert read("911", rows=rows) == "911 US"


def test_an_outside_line_and_further_numbers_are_configured() -> None:
    settings = Emergency(outside_line=Words(("0", "99")), numbers=Words(("5550",)))
    assert [read(text, settings=settings) for text in ("0911", "99911", "9911", "5550", "05550")] == [
        *("911 US", "911 US", None, "5550 US", "5550 US"),
    ]
    assert read("9911", settings=Emergency(outside_line=Words())) is None


def test_who_is_called_back_is_the_user_else_the_place_else_the_account() -> None:
    def number(user: User, *numbers: PhoneNumber) -> str | None:
        found = Directory.of(replace(ROWS, numbers=numbers or NUMBERS)).callback_number(BAKERY, user)
        return found.number if found else None

    account, london, own = NUMBERS
    at_home = replace(ANN, location_id=LONDON.id)
    assert number(replace(at_home, caller_number_id=own.id)) == own.number
    assert number(at_home) == london.number
    assert number(ANN) == account.number
    assert number(at_home, account, replace(london, active=False)) == account.number
    assert number(ANN, replace(account, outbound_enabled=False)) == account.number
    assert number(ANN, replace(account, active=False)) is None


def test_what_is_told_of_a_call_and_what_it_lacks() -> None:
    directory = Directory.of(ROWS)
    at_home = replace(ANN, location_id=LONDON.id)
    police, test = (Dialled(DestinationKind.EMERGENCY, number, "US") for number in ("911", "933"))

    whole = details(directory, at_home, police, NUMBERS[0], (HELP, CARRIER))
    assert (whole.test, whole.missing) == (False, ())
    assert (whole.location_id, whole.location_name, whole.address["city"]) == (LONDON.id, "London", "London")

    poor = details(directory, ANN, test, None, (CARRIER,))
    assert (poor.test, poor.location_id, poor.location_name, poor.address) == (True, None, "", {})
    assert poor.missing == (Lack.TRUNK, Lack.CALLBACK_NUMBER, Lack.LOCATION)
    assert details(directory, at_home, replace(test, region="GB"), NUMBERS[0], (HELP,)).test is False
    rehearsal = replace(CARRIER, test=True)
    assert details(directory, at_home, police, NUMBERS[0], (rehearsal,)).missing == ()  # nobody's life hangs on it


def test_what_is_not_prepared_for_whoever_has_a_phone() -> None:
    bob, phoneless = User(UserId("user_bob"), BAKERY.id, "Bob"), User(UserId("user_cat"), BAKERY.id, "Cat")
    at_home = replace(ANN, location_id=LONDON.id)
    other = replace(BAKERY, id=OTHER, caller_number_id=None)
    guest = User(UserId("user_guest"), OTHER, "Guest")
    devices = (DESK, replace(CELL, user_id=bob.id), Device(DeviceId("ep_9"), OTHER, guest.id, "guest-desk"))
    rows = replace(ROWS, accounts=(BAKERY, other), users=(at_home, bob, phoneless, guest), devices=devices)

    assert gaps(rows, [CARRIER], {BAKERY.id}) == [
        Gap(Lack.TRUNK),
        Gap(Lack.LOCATION, BAKERY, (bob,)),
        Gap(Lack.CALLBACK_NUMBER, other, (guest,)),
        Gap(Lack.LOCATION, other, (guest,)),
        Gap(NOBODY_TOLD, other),
    ]
    whole = replace(rows, accounts=(BAKERY,), users=(at_home, phoneless), devices=(DESK,))
    assert gaps(whole, [CARRIER, HELP], {BAKERY.id}) == []
    assert gaps(whole, [CARRIER, HELP], ()) == [Gap(NOBODY_TOLD, BAKERY)]


def test_where_no_call_can_leave_or_nobody_has_a_phone_there_is_nothing_to_prepare() -> None:
    assert gaps(ROWS, [], ()) == []
    assert gaps(ROWS, [replace(CARRIER, test=True)], ()) == []
    assert gaps(replace(ROWS, devices=()), [CARRIER], ()) == []
