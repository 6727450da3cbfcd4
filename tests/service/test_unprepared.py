"""What the log says at the start about what is not prepared for emergency calls."""

import logging

import pytest

from c2c_stasis.call.model import Lack
from c2c_stasis.directory.emergency import NOBODY_TOLD, Gap
from c2c_stasis.directory.model import Account, User
from c2c_stasis.ids import AccountId, PlatformId, UserId
from c2c_stasis.service.unprepared import tell

ACCOUNTS = [Account(AccountId(f"acct_{i}"), PlatformId("plat_1"), "Acme") for i in range(7)]
USERS = tuple(User(UserId(f"user_{i}"), ACCOUNTS[0].id, "Ann") for i in range(2))


def test_one_line_for_each_thing_that_is_missing_however_many_it_concerns(caplog: pytest.LogCaptureFixture) -> None:
    tell(
        [Gap(Lack.TRUNK), *(Gap(Lack.LOCATION, account, USERS) for account in ACCOUNTS), Gap(NOBODY_TOLD, ACCOUNTS[3])]
    )

    assert [(record.levelno, record.__dict__["missing"]) for record in caplog.records] == [
        (logging.WARNING, "emergency_trunk"),
        (logging.WARNING, "location"),
        (logging.WARNING, "notification"),
    ]
    trunk, location, told = (record.__dict__ for record in caplog.records)
    assert "accounts" not in trunk
    assert (location["accounts"], location["users"]) == (7, 14)
    assert location["accounts_ids"] == "acct_0, acct_1, acct_2, acct_3, acct_4"
    assert (told["accounts_ids"], "users" in told) == ("acct_3", False)


def test_when_all_is_prepared_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    tell([])
    assert caplog.records == []
