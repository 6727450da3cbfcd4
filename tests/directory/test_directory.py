"""The directory in memory: what belongs together is found together, and nothing of another account."""

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2c_stasis.call.model import Party
from c2c_stasis.directory.directory import Directory, caller_id_name, party_of
from c2c_stasis.directory.model import Account, Device, DirectoryRows, Extension, Key, PhoneNumber, Platform, User
from c2c_stasis.ids import AccountId, DeviceId, NumberId, PlatformId, UserId

ACME, RIVAL = Platform(PlatformId("plat_acme"), "Acme"), Platform(PlatformId("plat_rival"), "Rival")
BAKERY = Account(AccountId("acct_bakery"), ACME.id, "The <Bakery>", caller_number_id=NumberId("did_front"))
BUTCHER = Account(AccountId("acct_butcher"), RIVAL.id, "Butcher")
ANN = User(UserId("user_ann"), BAKERY.id, "Ann")
EVE = User(UserId("user_eve"), BUTCHER.id, "Eve")
DESK = Device(DeviceId("ep_1"), BAKERY.id, ANN.id, "ann-desk")
CELL = Device(DeviceId("ep_2"), BAKERY.id, ANN.id, "ann-cell")
FRONT = PhoneNumber(NumberId("did_front"), BAKERY.id, "+15550000001")
OWN = PhoneNumber(NumberId("did_own"), BAKERY.id, "+15550000002", caller_id_name='Ann "the boss"')
FOREIGN = PhoneNumber(NumberId("did_foreign"), BUTCHER.id, "+15550000003")
GOOD, REVOKED = (Key(f"key_{name}", ACME.id, name, "sk_live_", True, 1.0) for name in ("good", "revoked"))
ROWS = DirectoryRows(
    (ACME, RIVAL),
    (BAKERY, BUTCHER),
    (ANN, EVE),
    (DESK, CELL),
    (Extension(BAKERY.id, "1001", ANN.id), Extension(BAKERY.id, "1002", ANN.id), Extension(BUTCHER.id, "1001", EVE.id)),
    (FRONT, OWN, FOREIGN),
    (GOOD, replace(REVOKED, revoked_at=2.0)),
)
DIRECTORY = Directory.of(ROWS)


def test_a_key_is_found_by_its_digest_until_it_is_revoked() -> None:
    assert DIRECTORY.key("good") == GOOD
    assert DIRECTORY.key("revoked") is None
    assert DIRECTORY.key("unknown") is None


def test_an_account_of_another_platform_is_unknown() -> None:
    assert DIRECTORY.account(ACME.id, BAKERY.id) == BAKERY
    assert DIRECTORY.account(ACME.id, BUTCHER.id) is None
    assert DIRECTORY.account(ACME.id, AccountId("acct_unknown")) is None


def test_a_user_of_another_account_is_unknown() -> None:
    assert DIRECTORY.user(BAKERY.id, ANN.id) == ANN
    assert DIRECTORY.user(BAKERY.id, EVE.id) is None
    assert DIRECTORY.user(BAKERY.id, UserId("user_unknown")) is None


def test_a_user_has_devices_extensions_and_an_account() -> None:
    assert DIRECTORY.devices(ANN.id) == (DESK, CELL)
    assert [extension.number for extension in DIRECTORY.extensions_of(ANN)] == ["1001", "1002"]
    assert DIRECTORY.account_of_user(ANN) == BAKERY
    assert DIRECTORY.devices(EVE.id) == ()
    assert DIRECTORY.devices(UserId("user_unknown")) == ()
    assert DIRECTORY.extensions_of(replace(EVE, id=UserId("user_unknown"))) == ()


def test_an_extension_leads_to_a_user_of_its_own_account() -> None:
    found = [DIRECTORY.extension(account.id, "1001") for account in (BAKERY, BUTCHER)]
    assert [extension.user_id for extension in found if extension] == [ANN.id, EVE.id]
    assert DIRECTORY.extension(BAKERY.id, "1003") is None


def test_a_user_shows_the_own_number_before_the_accounts() -> None:
    assert DIRECTORY.shown_number(BAKERY, ANN) == FRONT
    assert party_of(FRONT, BAKERY) == Party("+15550000001", "The Bakery")
    assert DIRECTORY.shown_number(BAKERY, replace(ANN, caller_number_id=OWN.id)) == OWN
    assert party_of(OWN, BAKERY) == Party("+15550000002", "Ann the boss")


@pytest.mark.parametrize("unusable", [replace(OWN, active=False), replace(OWN, outbound_enabled=False)])
def test_a_number_that_may_not_be_shown_is_passed_over(unusable: PhoneNumber) -> None:
    directory = Directory.of(replace(ROWS, numbers=(FRONT, unusable)))
    ann = replace(ANN, caller_number_id=OWN.id)
    assert directory.shown_number(BAKERY, ann) == FRONT
    assert directory.shown_number(replace(BAKERY, caller_number_id=None), ann) is None


def test_a_number_of_another_account_is_never_shown() -> None:
    ann = replace(ANN, caller_number_id=FOREIGN.id)
    assert DIRECTORY.shown_number(replace(BAKERY, caller_number_id=FOREIGN.id), ann) is None


def test_a_number_that_is_gone_is_not_shown() -> None:
    assert DIRECTORY.shown_number(replace(BAKERY, caller_number_id=NumberId("did_gone")), ANN) is None


def test_an_empty_directory_knows_nobody() -> None:
    directory = Directory.of(DirectoryRows())
    assert directory.account(ACME.id, BAKERY.id) is None
    assert directory.account_of_user(ANN) is None


def test_a_directory_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        DIRECTORY._users = {}  # type: ignore[misc] # that is the point


@given(st.text(max_size=200))
def test_a_name_is_safe_in_a_sip_header(text: str) -> None:
    name = caller_id_name(text)
    assert len(name) <= 64
    assert name.isprintable()
    assert not set(name) & set('"\\<>\r\n')
    assert name == name.strip()


def test_a_name_keeps_what_people_read() -> None:
    assert caller_id_name("O'Hara  & Söhne\r\nFrom: evil") == "O'Hara & SöhneFrom: evil"
    assert caller_id_name("x" * 80) == "x" * 64
