"""Which contacts a device has: read once, followed by events, and right whatever overtakes what."""

import asyncio
import json
from typing import Any

import pytest

from c2c_stasis.ari.devices import MOST_CONTACTS, Devices, dial_contacts
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable
from c2c_stasis.ports import Contact
from tests.ari.operations import Operations
from tests.ari.test_translate import RECORDINGS
from tests.fakes.waiting import until

URI = "sip:d1@192.0.2.1:5060"
OTHER = "sip:d1@192.0.2.2:5060;transport=udp;ob"


def change(status: str, uri: str = URI, endpoint: str = "d1") -> dict[str, Any]:
    """A `ContactStatusChange`."""
    return {
        "type": "ContactStatusChange",
        "endpoint": {"technology": "PJSIP", "resource": endpoint},
        "contact_info": {"uri": uri, "contact_status": status, "aor": endpoint},
    }


def asterisk(contacts: dict[str, str], agents: dict[str, str] | None = None) -> Operations:
    """An Asterisk where these are registered; an endpoint that is not named here is not configured."""
    operations = Operations()

    def answer(name: str, given: dict[str, Any]) -> bytes:
        if name == "channels.getChannelVar":
            endpoint = given["variable"].removeprefix("PJSIP_DIAL_CONTACTS(").removesuffix(")")
            if endpoint not in contacts:
                raise SwitchRefused(500, "Unable to read provided function")
            return json.dumps({"value": contacts[endpoint]}).encode()
        if name == "asterisk.getObject":
            agent = (agents or {}).get(given["id"].partition(";")[0])
            if agent is None:
                raise SwitchRefused(404, "not found")
            return json.dumps([{"attribute": "user_agent", "value": agent}]).encode()
        return b""

    operations.answer = answer
    return operations


def names(operations: Operations) -> list[str]:
    return [name for name, _ in operations.asked]


# --- following ---


def test_a_recorded_phone_comes_fails_recovers_and_goes() -> None:
    devices = Devices()
    seen: list[tuple[int, bool]] = []
    for event in json.loads((RECORDINGS / "contacts.json").read_text()):
        devices.hear(event)
        contacts = devices.contacts("d1")
        state = (len(contacts), bool(contacts) and contacts[0].reachable)
        if not seen or seen[-1] != state:
            seen.append(state)
    assert seen == [(1, True), (1, False), (1, True), (0, False)]


@pytest.mark.parametrize(
    ("status", "reachable"),
    [("Created", True), ("NonQualified", True), ("Unknown", True), ("Reachable", True), ("Unreachable", False)],
)
def test_only_a_contact_that_failed_to_answer_is_unreachable(status: str, reachable: bool) -> None:
    devices = Devices()
    devices.hear(change(status))
    assert devices.contacts("d1") == (Contact(URI, reachable=reachable),)


def test_each_contact_of_a_device_is_followed_by_itself() -> None:
    devices = Devices()
    devices.hear(change("Reachable"))
    devices.hear(change("Reachable", OTHER))
    devices.hear(change("Removed"))
    devices.hear(change("Reachable", "sip:d2@192.0.2.9", "d2"))
    assert [contact.uri for contact in devices.contacts("d1")] == [OTHER]


def test_a_contact_that_goes_unknown_leaves_no_trace() -> None:
    devices = Devices()
    devices.hear(change("Removed"))
    devices.hear({"type": "PeerStatusChange"})
    assert devices.contacts("d1") == ()


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "sip:",
        "tel:+15551234567",
        "sip:d1@h\r\nX: y",
        "sip:d1@h\u202e",
        "sip:d1@h x",
        "sip:" + "x" * 300,
        "PJSIP/x@y",
        None,
    ],
)
def test_an_address_that_is_none_registers_nobody(uri: Any) -> None:
    devices = Devices()
    devices.hear(change("Reachable", uri))
    assert devices.contacts("d1") == ()


@pytest.mark.parametrize("status", ["", "reachable", "Registered", "Removed ", None, 1, ["Reachable"], {}])
def test_a_status_that_nobody_knows_registers_nobody_and_removes_nobody(status: Any) -> None:
    devices = Devices()
    devices.hear(change(status))
    assert devices.contacts("d1") == ()
    devices.hear(change("Reachable"))
    devices.hear(change(status))
    assert devices.contacts("d1") == (Contact(URI),)


@pytest.mark.parametrize("part", ["endpoint", "contact_info"])
@pytest.mark.parametrize("value", [None, "d1", [], {}, {"resource": ["d1"], "uri": {}, "contact_status": 7}])
def test_a_change_that_lacks_something_changes_nothing(part: str, value: object) -> None:
    devices = Devices()
    devices.hear({**change("Reachable"), part: value})
    assert devices.contacts("d1") == ()


def test_a_change_of_another_technology_is_none_of_ours() -> None:
    devices = Devices()
    event = change("Reachable")
    event["endpoint"]["technology"] = "IAX2"
    devices.hear(event)
    assert devices.contacts("d1") == ()


def test_of_endpoints_that_nobody_follows_nothing_is_kept() -> None:
    followed = {"d1"}
    devices = Devices(followed=followed.__contains__)
    for number in range(1_000):
        devices.hear(change("Reachable", endpoint=f"d{number}"))
    assert devices._contacts.keys() == devices._changes.keys() == {"d1"}
    assert list(devices._strangers) == [("d1", URI)]
    followed.clear()
    devices.forget()
    assert not devices._contacts
    assert not devices._changes
    assert not devices._strangers


def test_so_many_contacts_of_one_endpoint_are_kept_and_the_others_are_left_out() -> None:
    devices = Devices()
    for number in range(MOST_CONTACTS + 50):
        devices.hear(change("Reachable", f"sip:d1@192.0.2.1:{number}"))
    assert len(devices.contacts("d1")) == MOST_CONTACTS
    devices.hear(change("Unreachable", "sip:d1@192.0.2.1:7"))  # those that are known are followed
    assert sum(not contact.reachable for contact in devices.contacts("d1")) == 1


def test_a_phone_that_comes_and_goes_a_thousand_times_is_asked_for_its_name_once() -> None:
    devices = Devices()
    for number in range(1_000):
        devices.hear(change("Reachable", f"sip:d1@192.0.2.1:{number}"))
        devices.hear(change("Removed", f"sip:d1@192.0.2.1:{number}"))
    devices.hear(change("Reachable"))
    assert list(devices._strangers) == [("d1", URI)]


# --- reading ---


async def test_contacts_and_their_user_agents_are_read_over_one_helper_channel() -> None:
    devices = Devices()
    operations = asterisk({"d1": f"PJSIP/d1/{URI}&PJSIP/d1/{OTHER}", "d2": ""}, {"d1": "Acme Phone 1.2"})
    await devices.read(operations, "c2c-devices", {"d1", "d2"})
    assert devices.contacts("d1") == (
        Contact(URI, user_agent="Acme Phone 1.2"),
        Contact(OTHER, user_agent="Acme Phone 1.2"),
    )
    assert devices.contacts("d2") == ()
    (create,) = [given for name, given in operations.asked if name == "channels.create"]
    assert create["endpoint"].startswith("Local/")
    assert create["app"] == "c2c-devices"
    assert create["variables"] == {"TIMEOUT(absolute)": "30"}
    assert operations.asked[-1] == ("channels.hangup", {"channelId": create["channelId"]})
    assert "channels.dial" not in names(operations)


async def test_nothing_to_read_asks_nothing() -> None:
    operations = asterisk({})
    await Devices().read(operations, "c2c-devices", ())
    assert operations.asked == []


async def test_an_endpoint_that_asterisk_does_not_have_has_no_contacts_and_hinders_nobody() -> None:
    devices = Devices()
    await devices.read(asterisk({"d1": f"PJSIP/d1/{URI}"}), "c2c-devices", {"d1", "nobody"})
    assert devices.contacts("d1")
    assert devices.contacts("nobody") == ()


async def test_an_endpoint_that_asterisk_should_have_is_missed_and_one_that_is_deleted_meanwhile_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    devices = Devices(lambda endpoint: endpoint != "deleted")

    await devices.read(asterisk({}), "c2c-devices", {"nobody", "deleted"})

    told = [record for record in caplog.records if record.levelname == "WARNING"]
    assert [record.__dict__["endpoint"] for record in told] == ["nobody"]


@pytest.mark.parametrize("failure", [SwitchUnavailable("lost"), SwitchRefused(404, "Channel not found")])
async def test_a_reading_that_fails_is_no_reading_and_the_helper_is_removed(failure: Exception) -> None:
    """A helper that is gone tells nothing about the phones."""
    devices = Devices()
    devices.hear(change("Reachable"))
    operations = Operations()

    def answer(name: str, given: dict[str, Any]) -> bytes:
        if name == "channels.getChannelVar":
            raise failure
        return b""

    operations.answer = answer
    with pytest.raises(SwitchUnavailable):
        await devices.read(operations, "c2c-devices", {"d1", "d2"})
    assert devices.contacts("d1") == (Contact(URI),)
    assert names(operations)[-1] == "channels.hangup"


async def test_a_helper_that_cannot_be_removed_is_left_to_its_timer() -> None:
    operations = asterisk({"d1": f"PJSIP/d1/{URI}"})
    genuine = operations.answer

    def answer(name: str, given: dict[str, Any]) -> bytes:
        if name == "channels.hangup":
            raise SwitchUnavailable("lost")
        return genuine(name, given)

    operations.answer = answer
    devices = Devices()
    await devices.read(operations, "c2c-devices", {"d1"})
    assert devices.contacts("d1")


@pytest.mark.parametrize(
    ("before", "meanwhile", "after"),
    [("", "Reachable", f"PJSIP/d1/{URI}"), (f"PJSIP/d1/{URI}", "Removed", "")],
    ids=["registers", "unregisters"],
)
async def test_a_change_that_overtakes_the_answer_is_not_lost(before: str, meanwhile: str, after: str) -> None:
    """Asterisk answered, then the phone came or went, and the event was faster; no second event will come."""
    devices = Devices()
    answers = [before, after]
    operations = Operations()

    def answer(name: str, given: dict[str, Any]) -> bytes:
        if name != "channels.getChannelVar":
            return b"[]"
        value = answers.pop(0)
        if answers:
            devices.hear(change(meanwhile))
        return json.dumps({"value": value}).encode()

    operations.answer = answer
    await devices.read(operations, "c2c-devices", {"d1"})
    assert bool(devices.contacts("d1")) is bool(after)


async def test_a_hundred_devices_are_read() -> None:
    everyone = {f"d{number}": f"PJSIP/d{number}/sip:d{number}@192.0.2.1" for number in range(100)}
    devices = Devices()
    await devices.read(asterisk(everyone), "c2c-devices", everyone)
    assert all(devices.contacts(name) for name in everyone)


# --- meeting new ones ---


async def test_of_what_a_phone_calls_itself_nothing_is_kept_that_cannot_be_shown() -> None:
    devices = Devices()
    await devices.read(asterisk({"d1": f"PJSIP/d1/{URI}"}, {"d1": "Acme\x1b[2J\x9b\u202e 1.2"}), "app", {"d1"})
    assert devices.contacts("d1") == (Contact(URI, user_agent="Acme�[2J�� 1.2"),)


@pytest.mark.parametrize(
    "body", [b"", b"null", b"{}", b"[]", b'[7,null,{"attribute":"user_agent"}]', b'[{"value":"x"}]', b'["user_agent"]']
)
async def test_an_answer_without_a_name_is_a_phone_without_one_and_keeps_nobody_from_connecting(body: bytes) -> None:
    devices = Devices()
    operations = asterisk({"d1": f"PJSIP/d1/{URI}"})
    genuine = operations.answer
    operations.answer = lambda name, given: body if name == "asterisk.getObject" else genuine(name, given)
    await devices.read(operations, "app", {"d1"})
    assert [contact.uri for contact in devices.contacts("d1")] == [URI]


async def test_a_name_that_is_no_utf8_keeps_nobody_from_connecting() -> None:
    devices = Devices()
    operations = asterisk({"d1": f"PJSIP/d1/{URI}"})
    genuine, row = operations.answer, b'[{"attribute":"user_agent","value":"Acme \xff"}]'
    operations.answer = lambda name, given: row if name == "asterisk.getObject" else genuine(name, given)
    await devices.read(operations, "app", {"d1"})
    assert devices.contacts("d1") == (Contact(URI, user_agent="Acme �"),)


async def test_a_phone_that_registers_later_is_asked_for_its_user_agent() -> None:
    devices = Devices()
    operations = asterisk({}, {"d1": "Acme Phone 1.2"})
    meeting = asyncio.create_task(devices.meet_strangers(operations))
    devices.hear(change("Reachable"))
    await until(lambda: devices.contacts("d1")[0].user_agent, "a name")
    meeting.cancel()
    await asyncio.wait({meeting})
    assert devices.contacts("d1") == (Contact(URI, user_agent="Acme Phone 1.2"),)


async def test_a_phone_that_has_gone_meanwhile_does_not_come_back() -> None:
    devices = Devices()
    operations = asterisk({}, {"d1": "Acme Phone 1.2", "d2": "Other"})
    meeting = asyncio.create_task(devices.meet_strangers(operations))
    devices.hear(change("Reachable"))
    devices.hear(change("Removed"))
    devices.hear(change("Reachable", "sip:d2@192.0.2.9", "d2"))
    await until(lambda: devices.contacts("d2")[0].user_agent, "a name")
    meeting.cancel()
    await asyncio.wait({meeting})
    assert devices.contacts("d1") == ()


async def test_what_a_phone_calls_itself_stays_known_when_its_status_changes() -> None:
    devices = Devices()
    await devices.read(asterisk({"d1": f"PJSIP/d1/{URI}"}, {"d1": "Acme"}), "c2c-devices", {"d1"})
    devices.hear(change("Unreachable"))
    assert devices.contacts("d1") == (Contact(URI, reachable=False, user_agent="Acme"),)


# --- Asterisk's value ---


@pytest.mark.parametrize(
    ("value", "uris"),
    [
        ("", []),
        (f"PJSIP/d1/{URI}", [URI]),
        (f"PJSIP/d1/{URI}&PJSIP/d1/{OTHER}", [URI, OTHER]),
        ("PJSIP/d1/sip:d1@192.0.2.1;x=a&b", ["sip:d1@192.0.2.1;x=a&b"]),
        ("PJSIP/d2/sip:d2@192.0.2.1", []),
    ],
)
def test_the_value_of_the_dialplan_function(value: str, uris: list[str]) -> None:
    assert [contact.uri for contact in dial_contacts(value, "d1")] == uris
