"""`c2c-stasis calls`: the call log by command line."""

import csv
from pathlib import Path

import pytest
from msgspec.structs import replace

from c2c_stasis.call.model import Call, Destination, DestinationKind, Party, Quality
from c2c_stasis.errors import StoreUnavailable
from c2c_stasis.ids import NumberId
from tests.api.resources.office import Office
from tests.cli.line import NOT_THERE, REFUSED, USAGE, Line
from tests.store.samples import ACCEPTED_AT, a_call, ended


async def recorded(office: Office, how_many: int = 3) -> list[Call]:
    """Calls to three numbers in turn, newest first."""
    calls = []
    for i in range(how_many):
        call = a_call(office.platform, office.account, office.user)
        destination = Destination(DestinationKind.EXTERNAL, Party(f"+1202555010{i % 3}"))
        calls.append(ended(replace(call, accepted_at=ACCEPTED_AT + i, destination=destination)))
        await office.store.accept(calls[-1], [])
    return calls[::-1]


async def test_calls_are_listed_newest_first_and_no_more_than_wanted(office: Office, line: Line) -> None:
    calls = await recorded(office, 130)
    assert [call["id"] for call in await line.json("calls", "list")] == [call.id for call in calls[:20]]
    assert len(await line.json("calls", "list", "--most", "125")) == 125
    row = (await line.says("calls", "list", "--most", "1")).splitlines()[1]
    assert row.split() == [
        *(calls[0].id, "2023-11-14T22:15:29.125Z", "Ann", "+15557654321", "+12025550100"),
        *("completed", "completed", "normal", "10"),
    ]


async def test_filters_are_the_services(office: Office, line: Line) -> None:
    calls = await recorded(office)
    number = await office.make("/v1/phone-numbers", phone_number="+12025550142")
    shown = replace(ended(a_call(office.platform, office.account, office.user)), did_id=NumberId(number["id"]))
    await office.store.accept(shown, [])

    async def found(*options: str) -> list[str]:
        return [call["id"] for call in await line.json("calls", "list", *options)]

    assert await found("--to-number", "+12025550101") == [calls[1].id]
    assert await found("--did", "+12025550142") == [shown.id]
    assert len(await found("--user", "Ann", "--status", "completed", "--direction", "outbound", "--ended")) == 4
    assert await found("--live") == []
    assert await found("--since", "2023-11-14T22:13:21.125Z", "--until", "2023-11-14T22:13:22.125Z") == [calls[1].id]
    assert await found("--outcome", "busy") == []
    assert (await line.run("calls", "list", "--live")).stderr == "no call fits\n"


async def test_without_any_call_it_is_said_how_to_place_one(office: Office, line: Line) -> None:
    assert "there is no call yet. Place one: c2c-stasis call" in (await line.run("calls", "list")).stderr


async def test_a_user_who_is_gone_stands_in_the_list_by_id(office: Office, line: Line) -> None:
    await recorded(office, 1)
    await line.says("users", "delete", "Ann")
    assert (await line.says("calls", "list")).splitlines()[1].split()[2] == office.user.id


async def test_a_wrong_filter_says_why(office: Office, line: Line) -> None:
    assert "outcome" in await line.fails(REFUSED, "calls", "list", "--outcome", "no-answer")
    assert "from_date must be a date" in await line.fails(REFUSED, "calls", "list", "--since", "yesterday")
    assert "user" in await line.fails(REFUSED, "calls", "list", "--user", "Zoe")
    await line.fails(USAGE, "calls", "list", "--status", "live")


async def test_one_call_is_shown(office: Office, line: Line) -> None:
    (call,) = await recorded(office, 1)
    assert (await line.json("calls", "show", call.id))["id"] == call.id
    assert "Call not found" in await line.fails(REFUSED, "calls", "show", "call_x")


async def test_of_one_call_a_person_sees_every_leg_and_what_was_measured(office: Office, line: Line) -> None:
    call = ended(a_call(office.platform, office.account, office.user))
    first, *others = call.legs
    first = replace(first, quality=Quality(jitter=0.0042, loss=0.004, rtt=0.0231))
    await office.store.accept(replace(call, legs=(first, *others)), [])
    said = await line.says("calls", "show", call.id)
    rows = {" ".join(row.split()) for row in said.splitlines()}
    assert "None" not in said
    assert "{" not in said
    assert rows >= {
        "outcome completed",
        "a1 d1 answered - - 0.250 s - 2.500 s 12.500 s sip:d1@192.0.2.1:5060",
        "a2 d2 answered elsewhere answered elsewhere (26) - - - - 2.625 s sip:d2@192.0.2.2:5060",
        "user's phone 4.36 0.4 % 4.2 ms 23.1 ms",
        "connected 4.500 s",
    }


async def test_calls_are_exported_to_a_file_or_to_a_pipe(office: Office, line: Line, tmp_path: Path) -> None:
    calls = await recorded(office, 250)
    file = tmp_path / "calls.csv"
    assert await line.says("calls", "export", "--output", str(file)) == ""
    with file.open(newline="") as opened:
        assert [row["id"] for row in csv.DictReader(opened)] == [call.id for call in calls]
    printed = await line.says("calls", "export", "--to-number", "+12025550101")
    assert len(printed.splitlines()) == 84


async def test_an_export_that_breaks_off_fails(office: Office, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    await recorded(office, 250)
    page, asked = office.service.calls_page, []

    async def fails_later(*arguments: object) -> object:
        asked.append(arguments)
        if len(asked) > 1:
            raise StoreUnavailable("gone")
        return await page(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(office.service, "calls_page", fails_later)
    assert "is not all" in await line.fails(NOT_THERE, "calls", "export")


async def test_a_number_is_erased(office: Office, line: Line) -> None:
    await recorded(office, 4)
    assert await line.says("calls", "erase", "+12025550100") == "erased from 2 calls\n"
    assert await line.json("calls", "erase", "+12025550101") == {"object": "erasure", "calls": 1}
    assert "number may hold" in await line.fails(REFUSED, "calls", "erase", "nobody")


async def test_what_cannot_be_written_is_not_taken_for_a_service_that_is_away(office: Office, line: Line) -> None:
    complaint = await line.fails(REFUSED, "calls", "export", "--output", "/dev/full")
    assert "could not be written" in complaint
