"""Who presents a credential: what is remembered of a token, and what is looked up for every request."""

import time

import pytest

from c2c_stasis.call.model import Now
from c2c_stasis.directory import keys, sessions
from c2c_stasis.directory.directory import Directory
from c2c_stasis.directory.model import Account, DirectoryRows, Key, SigningKey, User
from c2c_stasis.directory.sessions import RENEW_AFTER, Session
from c2c_stasis.errors import NotAuthenticated
from c2c_stasis.ids import AccountId, PlatformId, UserId
from c2c_stasis.service import credentials as module
from c2c_stasis.service.credentials import Credentials

PLATFORM = PlatformId("plat_1")
ACCOUNT = Account(AccountId("acct_1"), PLATFORM, "Bakery")
USER = User(UserId("user_1"), ACCOUNT.id, "Ann")
SECRET = keys.new_key(livemode=True)
KEY = Key("key_1", PLATFORM, keys.digest(SECRET), "sk_live_", livemode=True, created_at=0.0)
SIGNER = SigningKey("sig_1", b"s" * 32, time.time())


class HandClock:
    """Goes on when a test says so."""

    def __init__(self) -> None:
        self.started = time.time()  # the library looks at the real clock when it verifies a token
        self.passed = 0.0

    def now(self) -> Now:
        return Now(self.started + self.passed, self.passed)


class Desk:
    """Credentials with a directory and a clock that a test sets, and how often a signature was verified."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = HandClock()
        self.signer = SigningKey("sig_1", b"s" * 32, self.clock.started)
        self.directory = Directory.of(DirectoryRows((), (ACCOUNT,), (USER,), keys=(KEY,), signing_keys=(self.signer,)))
        self.credentials = Credentials(lambda: self.directory, self.clock)
        self.verified = 0

        def verify(*what: object) -> object:
            self.verified += 1
            return sessions.verify(*what)  # type: ignore[arg-type]  # as they came

        monkeypatch.setattr(module, "verify", verify)

    def opens(self, credential: str) -> bool:
        try:
            self.credentials.recognise(credential)
        except NotAuthenticated:
            return False
        return True


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


def test_what_is_recognised(desk: Desk) -> None:
    assert desk.credentials.recognise(SECRET) == KEY
    opened = desk.credentials.open(KEY, ACCOUNT, USER, 60)
    assert desk.credentials.recognise(opened.client_secret) == Session(ACCOUNT, True, USER.id, opened.expires_at)
    opened = desk.credentials.open(KEY, ACCOUNT, None, 60)
    assert desk.credentials.recognise(opened.client_secret) == Session(ACCOUNT, True, None, opened.expires_at)


def test_a_signature_is_verified_again_after_ten_seconds(desk: Desk) -> None:
    token = desk.credentials.open(KEY, ACCOUNT, USER, 3600).client_secret
    for passed, verified in ((0, 1), (9.9, 1), (10.1, 2), (20.0, 2), (20.2, 3)):
        desk.clock.passed = passed
        assert desk.opens(token)
        assert desk.verified == verified
    assert not desk.opens(token[:-2])
    assert not desk.opens(token[:-2])
    assert desk.verified == 5  # what is wrong is not remembered


def test_a_session_expires_also_while_its_signature_is_remembered(desk: Desk) -> None:
    opened = desk.credentials.open(KEY, ACCOUNT, USER, 60)
    desk.clock.passed = opened.expires_at - desk.clock.started - 0.5
    assert desk.opens(opened.client_secret)
    desk.clock.passed += 1
    assert not desk.opens(opened.client_secret)
    assert desk.verified == 1


def test_as_many_tokens_are_remembered_as_fit(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_PROVED", 3)
    tokens = [desk.credentials.open(KEY, ACCOUNT, USER, 60).client_secret for _ in range(20)]
    assert all(desk.opens(token) for token in tokens)
    assert len(desk.credentials._proved) <= 3


def test_a_key_that_expires_opens_nothing_from_that_moment_on(desk: Desk) -> None:
    until = Key(**{name: getattr(KEY, name) for name in KEY.__slots__} | {"expires_at": desk.clock.started + 30})
    desk.directory = Directory.of(DirectoryRows(keys=(until,)))
    for passed, opens in ((29.9, True), (30.0, False), (31.0, False)):
        desk.clock.passed = passed
        assert desk.opens(SECRET) is opens


def test_the_use_of_a_key_is_told_once_a_minute_and_again_when_the_clock_was_set_back(desk: Desk) -> None:
    told = []
    for passed in (0.0, 1.0, 59.0, 60.0, 61.0, 130.0, -500.0, -499.0):
        desk.clock.passed = passed
        assert desk.opens(SECRET)
        told += [round(at - desk.clock.started) for at in desk.credentials.uses_to_tell().values()]
    assert told == [0, 60, 130, -500]
    assert not desk.opens(keys.new_key(livemode=True))
    assert desk.credentials.uses_to_tell() == {}


def test_a_new_signing_key_is_due_when_there_is_none_or_the_newest_is_too_old(desk: Desk) -> None:
    assert desk.credentials.signing_key_due() is None
    desk.clock.passed = RENEW_AFTER
    assert desk.credentials.signing_key_due() is None
    desk.clock.passed = RENEW_AFTER + 1
    assert desk.credentials.signing_key_due() == pytest.approx(desk.clock.started + 1)
    desk.directory = Directory.of(DirectoryRows())
    assert desk.credentials.signing_key_due() is not None
