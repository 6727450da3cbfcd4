"""The call log over HTTP: pages with filters, records with their number, and the export."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from c2c_stasis.api.call_list import OutcomeWord, Status
from c2c_stasis.call.causes import STATUS_BY_OUTCOME
from c2c_stasis.call.model import Call, Destination, DestinationKind, Outcome, Party
from c2c_stasis.call.signals import Signal
from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ids import NUMBER, USER, LegId, NumberId, new_id
from c2c_stasis.ports import Contact
from c2c_stasis.service import erasing
from tests.api.resources.office import Json, Office
from tests.store.samples import ACCEPTED_AT, a_call, ended

FIRST_DAY = "2023-11-14"  # of ACCEPTED_AT


async def record(office: Office, count: int) -> list[Call]:
    """Calls of Ann, one each minute, newest first."""
    calls = []
    for number in range(count):
        call = a_call(office.platform, office.account, office.user)
        destination = Destination(DestinationKind.EXTERNAL, Party(f"+1202555{number % 7:04}"))
        calls.append(ended(replace(call, accepted_at=ACCEPTED_AT + 60 * number, destination=destination)))
    for call in calls:
        await office.store.accept(call, [])
    return calls[::-1]


async def pages(office: Office, url: str | None, towards: str = "next_page_url") -> AsyncIterator[Json]:
    """Each page from this one on."""
    while url is not None:
        page = await office.get(url)
        yield page
        url = page[towards]


def ids(entries: Sequence[Json]) -> list[str]:
    return [entry["id"] for entry in entries]


async def test_a_thousand_calls_there_and_back_each_once_while_others_come_in(office: Office) -> None:
    calls = await record(office, 1000)
    wanted = [call.id for call in calls if call.destination.party.number == "+12025550003"]
    there: list[str] = []
    page: Json = {}
    async for page in pages(office, "/v1/calls?to_number=%2B12025550003&status=completed&limit=9"):
        there += ids(page["data"])
        await office.store.accept(ended(a_call(office.platform, office.account, office.user)), [])
        assert page["url"] == "/v1/calls"
    assert there == wanted
    back = ids(page["data"])
    async for newer in pages(office, page["previous_page_url"], "previous_page_url"):
        back = ids(newer["data"]) + back
        assert "to_number=%2B12025550003" in (newer["previous_page_url"] or newer["next_page_url"])
    assert back == wanted


async def test_every_call_without_a_filter(office: Office) -> None:
    calls = await record(office, 250)
    met = [one async for page in pages(office, "/v1/calls?limit=100") for one in ids(page["data"])]
    assert met == [call.id for call in calls]


async def test_a_live_call_is_listed_at_once_and_its_status_is_null(office: Office) -> None:
    await record(office, 2)
    await office.make(f"/v1/users/{office.user.id}/endpoints", endpoint="desk")
    office.switch.registered["desk"] = [Contact("sip:desk@10.0.0.1", True)]
    location = await office.call(office.user.id)
    newest = (await office.get("/v1/calls"))["data"][0]
    assert (f"/v1/calls/{newest['id']}", newest["status"]) == (location, None)
    assert ids((await office.get("/v1/calls?live=true"))["data"]) == [newest["id"]]
    assert newest["id"] not in ids((await office.get("/v1/calls?live=false"))["data"])
    assert newest["id"] not in ids((await office.get("/v1/calls?status=no-answer"))["data"])


async def test_a_call_that_has_just_ended_is_listed_as_it_is_by_its_record(office: Office) -> None:
    location = await office.call(office.user.id)  # no phone is there: it ends at once, its record a moment later
    call = await office.get(location)
    assert call["state"] == "ended"
    assert await office.get("/v1/calls?live=true") | {"data": []} == await office.get("/v1/calls?live=true")
    (listed,) = (await office.get(f"/v1/calls?status={call['status']}&outcome={call['outcome']}"))["data"]
    assert listed == call


async def test_dates_have_two_names_and_the_first_moment_counts(office: Office) -> None:
    calls = await record(office, 10)  # 22:13:20 and each minute after it
    third = "2023-11-14T22:16:20.125Z"
    for query in (f"from_date={third}", f"from={third}", f"from={third}&from_date=2030-01-01"):
        assert ids((await office.get(f"/v1/calls?{query}"))["data"]) == [call.id for call in calls[:7]]
    for query in (f"to_date={third}", f"to={third}", "to=2023-11-14T23:16:20.125+01:00"):
        assert ids((await office.get(f"/v1/calls?{query}"))["data"]) == [call.id for call in calls[7:]]
    assert len((await office.get(f"/v1/calls?from={FIRST_DAY}&to=2023-11-15"))["data"]) == 10
    assert (await office.get("/v1/calls?to=2023-11-14"))["data"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("nonsense=1", "nonsense"),
        ("user_id=ann", "user_id"),
        ("user=ann", "user_id"),
        ("did=12025550142", "did"),
        ("direction=sideways", "direction"),
        ("status=live", "status"),
        ("status=no_answer", "status"),
        ("outcome=no-answer", "outcome"),
        ("live=perhaps", "live"),
        ("from_date=yesterday", "from_date"),
        ("to=2023-13-01", "to"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("expand[]=user", "expand[]"),
        ("status=busy&status=failed", "status"),
    ],
)
async def test_a_wrong_filter_is_named(office: Office, query: str, field: str) -> None:
    status, code, details = await office.refused("GET", f"/v1/calls?{query}")
    assert (status, code, list(details)) == (400, "validation_error", [field])


def test_the_words_of_the_filters_are_those_of_the_record() -> None:
    assert get_args(OutcomeWord) == tuple(Outcome)
    assert set(STATUS_BY_OUTCOME.values()) < set(get_args(Status))


async def test_a_wrong_page_is_refused(office: Office) -> None:
    assert (await office.refused("GET", "/v1/calls?page=x"))[:2] == (400, "invalid_pagination")


async def test_nobody_else_is_found_by_an_id(office: Office) -> None:
    await record(office, 1)
    for query in (f"user_id={new_id(USER)}", f"did={new_id(NUMBER)}", "from_number=%2B12025550199"):
        assert (await office.get(f"/v1/calls?{query}"))["data"] == []


@pytest.mark.parametrize(
    "number", ["12025550000", "2025550000", "(202) 555-0000", "1-202-555-0000", "%2B1 202 555 0000"]
)
@pytest.mark.parametrize("field", ["to_number", "from_number"])
async def test_a_number_is_found_as_it_would_be_dialled(office: Office, field: str, number: str) -> None:
    call = a_call(office.platform, office.account, office.user)
    party = Party("+12025550000")
    destination = Destination(DestinationKind.EXTERNAL, party)
    call = replace(call, destination=destination) if field == "to_number" else replace(call, caller=party)
    await office.store.accept(ended(call), [])
    await office.store.accept(ended(a_call(office.platform, office.account, office.user)), [])
    assert ids((await office.get(f"/v1/calls?{field}={number}"))["data"]) == [call.id]
    assert [line["id"] for line in await exported(office, f"?{field}={number}")] == [call.id]


@pytest.mark.parametrize(
    ("kind", "number", "asked"),
    [
        (DestinationKind.EXTENSION, "1001", "1001"),
        *((DestinationKind.EMERGENCY, "911", one) for one in ("911", "9-1-1")),
    ],
)
async def test_extensions_and_emergency_numbers_are_found_as_they_are(
    office: Office, kind: DestinationKind, number: str, asked: str
) -> None:
    call = replace(a_call(office.platform, office.account, office.user), destination=Destination(kind, Party(number)))
    await office.store.accept(ended(call), [])
    assert ids((await office.get(f"/v1/calls?to_number={asked}"))["data"]) == [call.id]


@pytest.mark.parametrize("path", ["/v1/calls", "/v1/calls.csv"])
@pytest.mark.parametrize("field", ["to_number", "from_number"])
@pytest.mark.parametrize("number", ["abc", "555123", "%2B1", "5551234003x", "1' OR '1'='1"])
async def test_what_is_no_number_finds_nothing_in_silence_no_more(
    office: Office, path: str, field: str, number: str
) -> None:
    status, code, details = await office.refused("GET", f"{path}?{field}={number}")
    assert (status, code, list(details)) == (400, "validation_error", [field])


async def test_a_number_may_be_given_with_a_plus_that_was_not_quoted(office: Office) -> None:
    (call,) = await record(office, 1)
    assert ids((await office.get("/v1/calls?to_number=+12025550000"))["data"]) == [call.id]


async def test_the_number_that_was_shown_comes_as_an_object_when_asked_for(office: Office) -> None:
    number = await office.make("/v1/phone-numbers", phone_number="+12025550142", caller_id_name="Bakery")
    call = replace(a_call(office.platform, office.account, office.user), did_id=NumberId(number["id"]))
    await office.store.accept(ended(call), [])
    plain = await office.get(f"/v1/calls/{call.id}")
    assert (plain["did"], plain["did_id"]) == (number["id"], number["id"])
    for path in (f"/v1/calls/{call.id}?expand[]=did", f"/v1/calls?did={number['id']}&expand[]=did"):
        answer = await office.get(path)
        shown = answer["data"][0] if "data" in answer else answer
        assert (shown["did"], shown["did_id"]) == (number, number["id"])
    await office.delete(f"/v1/phone-numbers/{number['id']}")
    gone = await office.get(f"/v1/calls/{call.id}?expand[]=did")
    assert (gone["did"], gone["did_id"]) == (None, number["id"])
    assert (await office.refused("GET", f"/v1/calls/{call.id}?limit=1"))[2] == {"limit": "is not a known filter"}


async def test_the_calls_of_tests_are_the_test_keys(office: Office) -> None:
    await record(office, 2)
    tests, _ = await office.store.create_key(office.platform.id, livemode=False)
    await office.service.directory_changed()
    status, page = await office.ask("GET", "/v1/calls", key=tests)
    assert (status, page["data"]) == (200, [])


# --- what is asked for one call ---


async def test_the_number_of_the_request_goes_before_the_users_and_the_accounts(office: Office) -> None:
    numbers = [(await office.make("/v1/phone-numbers", phone_number=f"+1202555014{i}"))["id"] for i in range(3)]

    async def shown(**asked: object) -> tuple[str, str]:
        location = await office.placed(office.user.id, f"+1555123456{len(shown_before)}", **asked)
        shown_before.append(location)
        call = await office.get(location)
        return call["did"], call["from_number"]

    shown_before: list[str] = []
    await office.change(f"/v1/accounts/{office.account.id}", caller_number_id=numbers[0])
    assert await shown() == (numbers[0], "+12025550140")
    await office.change(f"/v1/users/{office.user.id}", caller_number_id=numbers[1])
    assert await shown() == (numbers[1], "+12025550141")
    assert await shown(did=numbers[2]) == (numbers[2], "+12025550142")


async def test_only_a_number_of_the_account_that_may_be_shown_is_shown(office: Office) -> None:
    other = await office.store.create_account(office.platform.id, "Butcher")
    foreign = await office.store.create_phone_number(other.id, "+12025550150")
    inactive = await office.make("/v1/phone-numbers", phone_number="+12025550151", status="inactive")
    inbound = await office.make("/v1/phone-numbers", phone_number="+12025550152", outbound_enabled=False)
    await office.service.directory_changed()
    body = {"user_id": office.user.id, "dial_string": "+15551234567"}
    reasons = {}
    for did in (foreign.id, new_id(NUMBER), inactive["id"], inbound["id"]):
        status, code, details = await office.refused("POST", "/v1/calls", body | {"did": did})
        assert (status, code) == (400, "validation_error")
        reasons[did] = details["did"]
    assert reasons[foreign.id] == "is no phone number of this account"
    assert len(set(reasons.values())) == 2  # a foreign one is like an unknown one
    location = await office.placed(office.user.id, "911", did=foreign.id, device_id="ep_x", ring_timeout=1)
    assert (await office.get(location))["did"] is None


async def test_only_the_device_that_is_asked_for_rings(office: Office) -> None:
    path = f"/v1/users/{office.user.id}/endpoints"
    desk, mobile = [await office.make(path, endpoint=name) for name in ("desk", "mobile")]
    location = await office.placed(office.user.id, "+15551234567", device_id=mobile["id"])
    legs = [leg["endpoint"] for leg in (await office.get(location))["legs"] if leg["side"] == "a"]
    assert legs == [mobile["id"]] != [desk["id"]]
    body = {"user_id": office.user.id, "dial_string": "+15551234567", "device": new_id("ep")}
    assert (await office.refused("POST", "/v1/calls", body))[:2] == (404, "endpoint_not_found")


@pytest.mark.parametrize(("name", "most"), [("ring_timeout", 30), ("answer_timeout", 60), ("max_duration", 14_400)])
async def test_times_are_within_what_is_configured(office: Office, name: str, most: int) -> None:
    body = {"user_id": office.user.id, "dial_string": "+15551234567"}
    for seconds in (4.9, 0, -1, most + 1, 1e300):
        _, _, details = await office.refused("POST", "/v1/calls", body | {name: seconds})
        assert details == {name: f"must be 5 to {most} seconds"}
    for number, seconds in enumerate((5, most)):
        location = await office.placed(office.user.id, f"+1555123456{number}", **{name: seconds})
        call = await office.service.find_call(office.account, location.rpartition("/")[2])
        assert getattr(call.limits, name) == seconds


# --- the export ---


async def exported(office: Office, query: str = "") -> list[dict[str, str]]:
    text = (await office.text(f"/v1/calls.csv{query}"))[0]
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_every_call_is_a_line(office: Office) -> None:
    calls = await record(office, 450)
    lines = await exported(office)
    assert [line["id"] for line in lines] == [call.id for call in calls]
    assert lines[0]["to_number"] == "tel:+12025550001"
    assert (lines[0]["status"], lines[0]["answered_at"], lines[0]["did_id"]) == (
        "completed",
        "2023-11-15T05:42:22.625Z",
        "",
    )
    text, content_type = await office.text("/v1/calls.csv?to_number=%2B12025550001")
    assert (len(text.split("\r\n")), content_type) == (67, "text/csv; charset=utf-8")


@pytest.mark.parametrize(
    ("query", "details"),
    [
        ("nonsense=1", {"nonsense": "is not a known filter"}),
        ("limit=10", {"limit": "the export has no pages"}),
        ("page=x", {"page": "the export has no pages"}),
        ("status=live", {"status": "must be one of busy, completed, failed, no-answer, voicemail"}),
    ],
)
async def test_an_export_has_the_same_filters_and_no_pages(office: Office, query: str, details: dict[str, str]) -> None:
    assert await office.refused("GET", f"/v1/calls.csv?{query}") == (400, "validation_error", details)


EVIL = ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1", " =1", "\uff1d1", "\u00a0=1", '=HYPERLINK("http://x")']


async def test_no_cell_is_a_formula(office: Office) -> None:
    for name in EVIL:
        call = a_call(office.platform, office.account, office.user)
        party = Party("+12025550001", name)
        named = replace(call, destination=Destination(DestinationKind.EXTERNAL, party), metadata={name[:64]: name})
        await office.store.accept(ended(named), [])
    lines = await exported(office)
    assert {line["to_label"] for line in lines} == {f"'{name}" for name in EVIL}
    for line in lines:
        for cell in line.values():
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))


async def test_an_export_that_breaks_off_is_seen_to_be_broken(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await record(office, 450)
    page = office.service.calls_page
    asked: list[object] = []

    async def fails_later(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) > 1:
            raise StoreUnavailable("gone")
        return await page(*arguments)

    monkeypatch.setattr(office.service, "calls_page", fails_later)
    with pytest.raises(Exception, match=r"payload|disconnected|Connection"):
        await office.text("/v1/calls.csv")
    asked.clear()
    asked.append(None)
    assert (await office.refused("GET", "/v1/calls.csv"))[0] == 503


# --- erasing ---


async def test_a_number_is_erased_as_it_was_dialled(office: Office) -> None:
    await record(office, 15)
    status, answer = await office.ask("POST", "/v1/calls/erase", {"number": "(202) 555-0003"})
    assert (status, answer) == (200, {"object": "erasure", "calls": 2})
    calls = (await office.get("/v1/calls?limit=100"))["data"]
    assert [call["to_number"] for call in calls].count(None) == 2
    assert "+12025550003" not in [call["to_number"] for call in calls]
    assert (await office.text("/v1/calls.csv"))[0].count("2025550003") == 0
    assert (await office.ask("POST", "/v1/calls/erase", {"number": "+12025550003"}))[1]["calls"] == 0


async def test_a_number_of_a_live_call_is_not_erased(office: Office) -> None:
    await ringing(office, "+12025550003")
    refused = await office.refused("POST", "/v1/calls/erase", {"number": "+12025550003"})
    assert refused[:2] == (409, "in_use")


async def ringing(office: Office, number: str) -> str:
    """A call that rings the desk; its path."""
    await office.make(f"/v1/users/{office.user.id}/endpoints", endpoint="desk")
    office.switch.registered["desk"] = [Contact("sip:desk@10.0.0.1", True)]
    return await office.call(office.user.id, number)


async def test_who_cancels_and_erases_at_once_waits_until_asterisk_has_ended_the_call(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, told = office.switch.report, asyncio.Event()
    ends: list[tuple[LegId, Signal]] = []

    def hold(leg_id: LegId, signal: Signal) -> None:
        ends.append((leg_id, signal))
        told.set()

    monkeypatch.setattr(office.switch, "report", hold)
    path = await ringing(office, "+12025550003")
    await office.delete(path)
    erasing = asyncio.create_task(office.service.erase_number(office.account, "+12025550003", livemode=True))
    await asyncio.wait_for(told.wait(), 5)
    assert (await office.get(path))["state"] == "releasing"
    assert not erasing.done()
    for leg_id, signal in ends:
        report(leg_id, signal)
    assert await erasing == 1
    assert (await office.get(path))["to_number"] is None


async def test_a_cancellation_that_was_not_yet_read_counts_as_an_end(office: Office) -> None:
    path = await ringing(office, "+12025550003")
    erased = office.service.erase_number
    await office.service.cancel(office.account, path.rpartition("/")[2])  # no turn of the loop between the two
    assert await erased(office.account, "+12025550003", livemode=True) == 1


async def test_a_call_that_does_not_end_is_not_waited_for_long(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasing, "ENDS_WITHIN", 0.05)
    monkeypatch.setattr(office.switch, "report", lambda _leg, _signal: None)
    await office.delete(await ringing(office, "+12025550003"))
    status, body = await office.ask("POST", "/v1/calls/erase", {"number": "+12025550003"})
    assert (status, body["code"]) == (409, "in_use")
    assert body["error"] == "Still in use: a call with this number is live or still ending; ask again"


async def test_every_writing_of_an_erased_number_leaves_the_metadata(office: Office) -> None:
    writings = (
        "(555) 123-8888",
        "555-123-8888",
        "5551238888",
        "15551238888",
        "+1 555 123 8888",
        "call 1-555-123-8888 now",
    )
    others = ("95551238888", "55512388889", "+44 555 123 8888", "555-123-8887")
    texts = {f"text {number}": text for number, text in enumerate((*writings, *others))}
    path = await office.placed(office.user.id, "+15551238888", metadata=texts)  # no phone is there: it ends at once
    assert (await office.ask("POST", "/v1/calls/erase", {"number": "(555) 123-8888"}))[1]["calls"] == 1
    (told,) = (await office.get(f"{path}/events"))["data"]
    assert (told["type"], told["data"]["to_number"]) == ("call.end", None)
    left = list((await office.get(path))["metadata"].values())
    assert left == ["" for _ in writings] + list(others)


@pytest.mark.parametrize("number", ["", None, "call me", "+1", 5])
async def test_only_a_number_is_erased(office: Office, number: object) -> None:
    status, _, details = await office.refused("POST", "/v1/calls/erase", {"number": number})
    assert (status, list(details)) == (400, ["number"])


async def test_a_test_key_erases_from_the_calls_of_tests_only(office: Office) -> None:
    await record(office, 7)
    tests, _ = await office.store.create_key(office.platform.id, livemode=False)
    await office.service.directory_changed()
    _, answer = await office.ask("POST", "/v1/calls/erase", {"number": "+12025550003"}, key=tests)
    assert answer["calls"] == 0
