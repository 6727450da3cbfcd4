"""Provisioned phones are put where they are missing, put right where they were altered, and nothing else is touched."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from c2c_stasis.ari import provisioning as module
from c2c_stasis.ari.phone_objects import NO_ACL, phone_objects
from c2c_stasis.ari.provisioning import AT_ONCE, Provisioning
from c2c_stasis.directory.sip_account import Registrant
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable
from tests.ari.operations import Operations
from tests.fakes.waiting import until

PHONE, HA1, OTHER_HA1 = "c2c-abc", "a" * 32, "b" * 32
DESK, OTHER_DESK = Registrant(HA1), Registrant(OTHER_HA1)
CONTACT = "sip:abc@192.0.2.1:5060"

Objects = dict[tuple[str, str], dict[str, str]]


class Asterisk:
    """The dynamic objects of one Asterisk. `changes` is what was asked of it beside reading."""

    def __init__(self) -> None:
        self.objects: Objects = {}
        self.changes: list[tuple[str, str, str]] = []
        self.failure: Exception | None = None
        self.spoil: Callable[[str, str], BaseException | None] = lambda operation, kind: self.failure
        self.looks = 0  # how often an endpoint that was removed is still seen
        self.operations = Operations()
        self.operations.answer = self._answer

    def register(self) -> None:
        """Let a phone be registered."""
        digest = hashlib.md5(CONTACT.encode()).hexdigest()
        self.objects["contact", f"{PHONE};@{digest}"] = {"uri": CONTACT}

    def _answer(self, operation: str, given: dict[str, Any]) -> bytes:
        if operation == "endpoints.get":
            return self._look(given)
        key = given["objectType"], given["id"]
        if operation != "asterisk.getObject":
            self.changes.append((operation.removeprefix("asterisk."), *key))
        failure = self.spoil(operation.removeprefix("asterisk."), given["objectType"])
        if failure is not None:
            raise failure
        if operation == "asterisk.updateObject":
            fields = {row["attribute"]: row["value"] for row in given["fields"]}
            read = {"allow": "(opus|g722|alaw|ulaw)"} if "allow" in fields else {}
            self.objects[key] = self.objects.get(key, {}) | fields | read
        elif key not in self.objects:
            raise SwitchRefused(404, "not found")
        elif operation == "asterisk.deleteObject":
            del self.objects[key]
        else:
            rows = [{"attribute": name, "value": value} for name, value in self.objects[key].items()]
            contacts = [kept["uri"] for (kind, _), kept in self.objects.items() if kind == "contact"]
            if key[0] == "aor":
                rows += [{"attribute": "contact", "value": uri} for uri in contacts or [""]]
            return json.dumps(rows).encode()
        return b"[]"

    def _look(self, given: dict[str, Any]) -> bytes:
        assert given["tech"] == "PJSIP"
        if self.looks:
            self.looks -= 1
        elif ("endpoint", given["resource"]) not in self.objects:
            raise SwitchRefused(404, "not found")
        return b"{}"


@pytest.fixture
def asterisk() -> Asterisk:
    return Asterisk()


@pytest.fixture
def provisioning() -> Provisioning:
    return Provisioning("phone-contacts")


async def settled(provisioning: Provisioning, asterisk: Asterisk, removed: tuple[str, ...] = ()) -> None:
    """The phone is there."""
    provisioning.want({PHONE: DESK}, removed)
    await provisioning.settle(asterisk.operations)
    asterisk.changes.clear()


def wanted(registrant: Registrant = DESK) -> Objects:
    objects = phone_objects(PHONE, registrant, "phone-contacts")
    return {
        (kind, PHONE): settings | ({"allow": "(opus|g722|alaw|ulaw)"} if kind == "endpoint" else {})
        for kind, settings in objects.items()
    }


async def test_a_phone_is_put_into_asterisk_its_endpoint_last(provisioning: Provisioning, asterisk: Asterisk) -> None:
    provisioning.want({PHONE: DESK}, ())
    assert not provisioning.there(PHONE)

    await provisioning.settle(asterisk.operations)

    assert asterisk.objects == wanted()
    assert [kind for _, kind, _ in asterisk.changes] == ["auth", "aor", "endpoint"]
    assert provisioning.there(PHONE)


async def test_what_is_known_to_be_right_is_not_asked_for_again(provisioning: Provisioning, asterisk: Asterisk) -> None:
    await settled(provisioning, asterisk)
    before = len(asterisk.operations.asked)

    await provisioning.settle(asterisk.operations)

    assert len(asterisk.operations.asked) == before


async def test_at_the_next_connect_it_is_looked_at_and_left_as_it_is(
    provisioning: Provisioning, asterisk: Asterisk
) -> None:
    await settled(provisioning, asterisk)
    await provisioning.forget()
    assert not provisioning.there(PHONE)

    await provisioning.settle(asterisk.operations)

    assert provisioning.there(PHONE)
    assert asterisk.changes == []


@pytest.mark.parametrize(
    ("kind", "altered", "changes"),
    [
        ("auth", {"md5_cred": OTHER_HA1}, [("deleteObject", "auth"), ("updateObject", "auth")]),
        ("aor", {"max_contacts": "0"}, [("updateObject", "aor")]),
        ("endpoint", {"context": "default"}, [("deleteObject", "endpoint"), ("updateObject", "endpoint")]),
        ("endpoint", {"allow": "(ulaw)"}, [("deleteObject", "endpoint"), ("updateObject", "endpoint")]),
    ],
)
async def test_what_was_altered_is_put_right_and_told(
    provisioning: Provisioning,
    asterisk: Asterisk,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    altered: dict[str, str],
    changes: list[tuple[str, str]],
) -> None:
    await settled(provisioning, asterisk)
    asterisk.objects[kind, PHONE] |= altered
    await provisioning.forget()

    await provisioning.settle(asterisk.operations)

    assert asterisk.objects == wanted()
    assert [change[:2] for change in asterisk.changes] == changes
    assert [record.message for record in caplog.records] == ["altered phone put right in Asterisk"]


async def test_a_setting_that_is_not_ours_is_left_to_the_operator(
    provisioning: Provisioning, asterisk: Asterisk
) -> None:
    await settled(provisioning, asterisk)
    asterisk.objects["endpoint", PHONE]["tone_zone"] = "gb"
    await provisioning.forget()

    await provisioning.settle(asterisk.operations)

    assert asterisk.changes == []


async def test_with_another_password_registrations_end_and_without_they_stay(
    provisioning: Provisioning, asterisk: Asterisk
) -> None:
    await settled(provisioning, asterisk)
    asterisk.register()
    await provisioning.forget()
    await provisioning.settle(asterisk.operations)
    assert len(asterisk.objects) == 4

    provisioning.want({PHONE: OTHER_DESK}, ())
    await provisioning.settle(asterisk.operations)

    assert asterisk.objects == wanted(OTHER_DESK)
    assert [change[:2] for change in asterisk.changes] == [
        ("deleteObject", "auth"),
        ("deleteObject", "contact"),
        ("updateObject", "auth"),
    ]


@pytest.mark.parametrize(
    "failure", [SwitchUnavailable("no answer"), SwitchRefused(500, "no"), asyncio.CancelledError()]
)
@pytest.mark.parametrize("at", [("deleteObject", "auth"), ("deleteObject", "contact"), ("updateObject", "auth")])
async def test_wherever_a_change_of_password_is_cut_off_no_registration_of_the_old_one_outlives_it(
    provisioning: Provisioning, asterisk: Asterisk, at: tuple[str, str], failure: BaseException
) -> None:
    await settled(provisioning, asterisk)
    asterisk.register()
    provisioning.want({PHONE: OTHER_DESK}, ())
    left = [failure]

    def once(operation: str, kind: str) -> BaseException | None:
        return left.pop() if left and (operation, kind) == at else None

    asterisk.spoil = once
    with suppress(SwitchUnavailable, asyncio.CancelledError):
        await provisioning.settle_new(asterisk.operations)
    assert not left
    assert not provisioning.there(PHONE)

    await provisioning.settle(asterisk.operations)

    assert provisioning.there(PHONE)
    assert asterisk.objects == wanted(OTHER_DESK)


async def test_a_password_that_we_changed_is_no_alarm_and_one_that_somebody_else_changed_is(
    provisioning: Provisioning, asterisk: Asterisk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await settled(provisioning, asterisk)

    provisioning.want({PHONE: OTHER_DESK}, ())
    await provisioning.settle_new(asterisk.operations)
    asterisk.objects["auth", PHONE]["md5_cred"] = HA1  # which was right once
    await provisioning.forget()
    await provisioning.settle(asterisk.operations)

    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("INFO", "password of a phone changed in Asterisk"),
        ("WARNING", "altered phone put right in Asterisk"),
    ]


async def test_a_removed_phone_is_taken_away_and_a_strangers_stays(
    provisioning: Provisioning, asterisk: Asterisk
) -> None:
    await settled(provisioning, asterisk)
    asterisk.objects["endpoint", "c2c-of-another-service"] = {}
    provisioning.want({}, [PHONE])

    await provisioning.settle(asterisk.operations)
    await provisioning.settle(asterisk.operations)

    assert asterisk.objects == {("endpoint", "c2c-of-another-service"): {}}
    assert [change[:2] for change in asterisk.changes] == [
        ("deleteObject", kind) for kind in ("endpoint", "auth", "aor")
    ]
    assert not provisioning.there(PHONE)


async def test_what_is_wanted_is_never_removed(provisioning: Provisioning, asterisk: Asterisk) -> None:
    await settled(provisioning, asterisk, removed=(PHONE,))

    assert asterisk.objects == wanted()


async def test_an_asterisk_without_a_place_for_phones_is_told_of_once_and_keeps_nobody_from_the_others(
    provisioning: Provisioning, asterisk: Asterisk, caplog: pytest.LogCaptureFixture
) -> None:
    asterisk.spoil = without_place
    provisioning.want({PHONE: DESK}, ())

    with caplog.at_level(logging.WARNING):
        await provisioning.settle(asterisk.operations)
        await provisioning.settle(asterisk.operations)

    (told,) = caplog.records
    assert told.__dict__["hint"] == "sorcery.conf gives them no place"
    assert HA1 not in repr(told.__dict__)
    assert not provisioning.there(PHONE)
    asterisk.spoil = lambda operation, kind: None
    await provisioning.settle(asterisk.operations)
    assert provisioning.there(PHONE)


def without_place(operation: str, kind: str) -> Exception | None:
    """What an Asterisk says whose sorcery.conf is empty."""
    return (
        SwitchRefused(403, f"Cannot create sorcery objects of type '{kind}'") if operation == "updateObject" else None
    )


async def test_where_no_phone_has_a_place_hundreds_cost_one_line_and_as_few_requests_as_a_handful(
    provisioning: Provisioning, asterisk: Asterisk, caplog: pytest.LogCaptureFixture
) -> None:
    asterisk.spoil = without_place
    many = {f"c2c-{number}": DESK for number in range(600)}
    provisioning.want(many, ())

    await provisioning.settle(asterisk.operations)

    assert len(asterisk.operations.asked) < 3 * 2 * AT_ONCE
    (told,) = caplog.records
    assert (told.levelname, told.__dict__["phones"]) == ("WARNING", 600)
    asterisk.operations.asked.clear()
    provisioning.want(many, ())  # somebody changed the name of a user
    await provisioning.settle_new(asterisk.operations)
    assert asterisk.operations.asked == []
    provisioning.want(many | {PHONE: DESK}, ())
    await provisioning.settle_new(asterisk.operations)
    assert {given["id"] for _, given in asterisk.operations.asked} == {PHONE}


async def test_a_phone_that_alone_is_refused_is_told_by_name_and_the_others_are_put(
    provisioning: Provisioning, asterisk: Asterisk, caplog: pytest.LogCaptureFixture
) -> None:
    refused = {f"c2c-{number}": DESK for number in range(AT_ONCE - 1)}
    answer = asterisk.operations.answer

    def refuse(operation: str, given: dict[str, Any]) -> bytes:
        if operation == "asterisk.updateObject" and given["id"] in refused:
            raise SwitchRefused(500, "no")
        return answer(operation, given)

    asterisk.operations.answer = refuse
    provisioning.want(refused | {PHONE: DESK}, ())

    await provisioning.settle(asterisk.operations)
    await provisioning.settle(asterisk.operations)

    assert provisioning.there(PHONE)
    assert sorted(record.__dict__["endpoint"] for record in caplog.records) == sorted(refused)


async def test_changes_elsewhere_do_not_hurry_what_is_refused(
    provisioning: Provisioning, asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c2c_stasis.ari.provisioning.FIRST_RETRY", 3600.0)
    asterisk.spoil = without_place
    provisioning.want({PHONE: DESK}, ())
    keeping = asyncio.create_task(provisioning.keep(asterisk.operations))
    await until(lambda: asterisk.changes, "the first try")
    before = len(asterisk.operations.asked)

    provisioning.want({PHONE: DESK, "c2c-new": DESK}, ())
    await until(lambda: len(asterisk.changes) == 2, "a try of the new one")

    assert {given["id"] for _, given in asterisk.operations.asked[before:]} == {"c2c-new"}
    keeping.cancel()
    await asyncio.wait({keeping})


async def test_what_is_still_settled_on_the_old_connection_is_not_taken_for_the_new_one(
    provisioning: Provisioning, asterisk: Asterisk
) -> None:
    provisioning.want({PHONE: DESK}, ())
    old = Held(asterisk.operations)
    settling = asyncio.create_task(provisioning.settle(old))
    await until(lambda: old.waiting, "the last request on the old connection")
    forgetting = asyncio.create_task(provisioning.forget())
    await asyncio.sleep(0)

    old.go_on.set()
    await asyncio.gather(settling, forgetting)

    assert not provisioning.there(PHONE)
    asterisk.objects.clear()  # it is another Asterisk
    await provisioning.settle(asterisk.operations)
    assert asterisk.objects == wanted()


class Held:
    """The operations of an Asterisk that is slow to say that it has taken an endpoint."""

    def __init__(self, operations: Any) -> None:
        self.waiting = False
        self.go_on = asyncio.Event()
        self._operations = operations

    @property
    def asterisk(self) -> "Held":
        return self

    @property
    def endpoints(self) -> Any:
        return self._operations.endpoints

    async def getObject(self, **given: Any) -> Any:  # noqa: N802 # as asyncari calls it
        return await self._operations.asterisk.getObject(**given)

    async def updateObject(self, **given: Any) -> Any:  # noqa: N802 # as asyncari calls it
        reply = await self._operations.asterisk.updateObject(**given)
        if given["objectType"] == "endpoint":
            self.waiting = True
            await self.go_on.wait()
        return reply


async def test_a_phone_that_was_deleted_and_is_wanted_again_is_there_and_can_be_deleted_again(
    provisioning: Provisioning, asterisk: Asterisk
) -> None:
    await settled(provisioning, asterisk)
    for _ in range(2):
        provisioning.want({}, [PHONE])
        await provisioning.settle_new(asterisk.operations)
        assert asterisk.objects == {}

        provisioning.want({PHONE: DESK}, ())
        await provisioning.settle_new(asterisk.operations)
        assert asterisk.objects == wanted()


async def test_what_may_be_missing_in_asterisk_because_of_us_is_known(
    provisioning: Provisioning, asterisk: Asterisk
) -> None:
    provisioning.want({PHONE: DESK}, ["c2c-removed"])
    assert (provisioning.in_work(PHONE), provisioning.in_work("c2c-removed")) == (True, True)

    await provisioning.settle(asterisk.operations)

    assert (provisioning.in_work(PHONE), provisioning.in_work("c2c-removed")) == (False, True)
    assert not provisioning.in_work("desk")


async def test_an_asterisk_that_does_not_answer_is_said_to_be_unavailable(
    provisioning: Provisioning, asterisk: Asterisk
) -> None:
    asterisk.failure = SwitchUnavailable("no answer")
    provisioning.want({PHONE: DESK}, ())

    with pytest.raises(SwitchUnavailable):
        await provisioning.settle(asterisk.operations)


async def test_a_fault_of_our_own_is_not_taken_for_one_of_asterisk(
    provisioning: Provisioning, asterisk: Asterisk
) -> None:
    asterisk.failure = ZeroDivisionError()
    provisioning.want({PHONE: DESK}, ())

    with pytest.raises(ZeroDivisionError):
        await provisioning.settle(asterisk.operations)


async def test_what_failed_is_tried_again_until_it_is_done(
    provisioning: Provisioning, asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_RETRY", 0.001)
    asterisk.failure = SwitchUnavailable("no answer")
    provisioning.want({PHONE: DESK}, ())
    keeping = asyncio.create_task(provisioning.keep(asterisk.operations))
    await until(lambda: len(asterisk.operations.asked) > 2, "another try")

    asterisk.failure = None

    await until(lambda: provisioning.there(PHONE), "the phone to be there")
    provisioning.want({PHONE: OTHER_DESK}, ())
    await until(lambda: provisioning.there(PHONE), "the phone to be there")
    keeping.cancel()
    await asyncio.wait({keeping})


async def test_one_that_is_deleted_while_it_is_in_the_queue_is_not_made(
    provisioning: Provisioning, asterisk: Asterisk
) -> None:
    provisioning.want({PHONE: DESK}, ())
    settling = asyncio.create_task(provisioning.settle(asterisk.operations))
    await asyncio.sleep(0)

    provisioning.want({}, [PHONE])
    await settling
    await provisioning.settle(asterisk.operations)

    assert asterisk.objects == {}


async def test_what_is_wanted_before_anybody_settles_it_is_there_soon(
    provisioning: Provisioning, asterisk: Asterisk
) -> None:
    provisioning.want({PHONE: DESK}, ())

    keeping = asyncio.create_task(provisioning.keep(asterisk.operations))

    await until(lambda: provisioning.there(PHONE), "the phone to be there", within=1.0)  # not after the first retry
    keeping.cancel()
    await asyncio.wait({keeping})


async def test_without_a_list_of_addresses_a_phone_may_be_anywhere(asterisk: Asterisk) -> None:
    provisioning = Provisioning(NO_ACL)
    provisioning.want({PHONE: DESK}, ())

    await provisioning.settle(asterisk.operations)

    assert asterisk.objects["endpoint", PHONE]["contact_acl"] == ""


async def test_an_endpoint_is_made_anew_only_when_asterisk_has_forgotten_the_old_one(
    provisioning: Provisioning, asterisk: Asterisk
) -> None:
    await settled(provisioning, asterisk)
    await provisioning.forget()
    asterisk.objects["endpoint", PHONE]["context"] = "default"
    asterisk.looks = 3

    await provisioning.settle(asterisk.operations)

    asked = [name for name, given in asterisk.operations.asked if given.get("objectType", "endpoint") == "endpoint"]
    assert asked[-6:] == ["asterisk.deleteObject", *["endpoints.get"] * 4, "asterisk.updateObject"]
    assert asterisk.objects == wanted()


async def test_an_endpoint_that_asterisk_does_not_forget_is_made_at_the_next_attempt(
    provisioning: Provisioning, asterisk: Asterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_FOR", 0.02)
    await settled(provisioning, asterisk)
    await provisioning.forget()
    asterisk.objects["endpoint", PHONE]["context"] = "default"
    asterisk.looks = 10_000

    await provisioning.settle(asterisk.operations)
    assert not provisioning.there(PHONE)
    assert asterisk.changes == [("deleteObject", "endpoint", PHONE)]

    await provisioning.settle(asterisk.operations)
    assert provisioning.there(PHONE)
    assert asterisk.objects == wanted()


async def test_a_phone_that_was_deleted_a_moment_ago_is_made_when_asterisk_has_forgotten_it(
    provisioning: Provisioning, asterisk: Asterisk
) -> None:
    await settled(provisioning, asterisk)
    provisioning.want({}, [PHONE])
    await provisioning.settle(asterisk.operations)
    asterisk.looks = 2
    asterisk.operations.asked.clear()

    await settled(provisioning, asterisk)

    asked = [name for name, given in asterisk.operations.asked if given.get("objectType", "endpoint") == "endpoint"]
    assert asked == ["asterisk.getObject", *["endpoints.get"] * 3, "asterisk.updateObject"]


@pytest.mark.parametrize("failure", [SwitchRefused(500, "no"), SwitchUnavailable("gone")])
async def test_while_nobody_says_whether_an_endpoint_is_forgotten_it_is_not_made(
    provisioning: Provisioning, asterisk: Asterisk, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settled(provisioning, asterisk)
    await provisioning.forget()
    asterisk.objects["endpoint", PHONE]["context"] = "default"

    def fail(given: dict[str, Any]) -> bytes:
        raise failure

    monkeypatch.setattr(asterisk, "_look", fail)
    with suppress(SwitchUnavailable):
        await provisioning.settle(asterisk.operations)

    assert asterisk.changes == [("deleteObject", "endpoint", PHONE)]
    assert not provisioning.there(PHONE)
