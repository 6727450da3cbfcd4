"""What a ladder says: who passed what to whom, in SIP's words, and how the call ended."""

import json
import re
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import click
import pytest
from msgspec.structs import replace

from c2c_stasis.arilog.coding import NotReadable, written_call
from c2c_stasis.arilog.reading import lines_of_call
from c2c_stasis.call.model import LegOutcome, LegState, Side
from c2c_stasis.call.signals import (
    CallFound,
    CallPlaced,
    LegAnswered,
    LegCreated,
    LegEnded,
    LegInvited,
    LegJoined,
    LegRinging,
)
from c2c_stasis.times import rfc3339_micro
from c2c_stasis.trace import from_log, svg, terminal
from c2c_stasis.trace.from_log import address_of, in_words
from c2c_stasis.trace.ladder import ASTERISK, SERVICE, Column, Kind, Ladder, Participant, Row, Tone, duration
from c2c_stasis.trace.words import ends
from tests.call.stories import (
    A1,
    ACCEPTED_AT,
    B1,
    B2,
    CALL_ID,
    LIMITS,
    SECOND,
    call_of,
    dead_phone,
    outward_call,
    phone,
    routed_call,
    trunk,
)
from tests.trace.ladders import Log, answered


def passed(ladder: Ladder) -> list[str]:
    """What passed between phones and Asterisk, in short."""
    return [f"{row.origin}>{row.to} {row.text}" for row in ladder.rows if row.kind is Kind.SIP]


def test_a_forked_call_that_was_answered() -> None:
    ladder = answered().ladder()
    assert [column.title for column in ladder.columns] == ["ann-1", "ann-2", "Asterisk", "c2c-stasis", "carrier"]
    assert passed(ladder) == [
        "asterisk>a1 INVITE",
        "asterisk>a2 INVITE",
        "a1>asterisk 180 Ringing",
        "a2>asterisk 180 Ringing",
        "a1>asterisk 200 OK",
        "asterisk>a2 CANCEL",
        "asterisk>b1 INVITE",
        "b1>asterisk 183 Progress",
        "b1>asterisk 200 OK",
        "b1>asterisk BYE",
        "asterisk>a1 BYE",
    ]
    assert [row.text for row in ladder.rows if row.kind is Kind.GAP] == ["+ 1 min 8 s"]
    assert [row.text for row in ladder.rows if row.kind is Kind.MEDIA] == ["both sides are joined"]
    assert (ladder.outcome, ladder.tone) == ("completed, by destination", Tone.GOOD)
    assert [row.at for row in ladder.rows] == sorted(row.at for row in ladder.rows)


def test_events_that_no_asterisk_sends_are_left_out_and_spoil_no_ladder() -> None:
    """The log has events as they came."""
    log = answered()
    nonsense: list[dict[str, Any]] = [
        {"channel": 7},
        {"channel": {"id": [A1]}},
        {"channel": {"id": A1, "state": {}}},
        {"type": None},
        {"peer": []},
    ]
    for bad in nonsense:
        for kind in ("ChannelStateChange", "ChannelEnteredBridge", "Dial"):
            log.report(2.0, kind, A1, **({"type": kind, "channel": {"id": A1}, "peer": {"id": A1}} | bad))
    assert log.ladder().rows == answered().ladder().rows


@pytest.mark.parametrize(("restart", "told"), [(True, "the service began anew"), (False, "Asterisk is heard again")])
def test_of_what_nobody_heard_nothing_is_made_up(restart: bool, told: str) -> None:
    log = Log(outward_call()).hear(0.001, CallPlaced()).hear(0.02, LegCreated(A1)).hear(0.02, LegCreated(B1))
    log.hear(0.03, LegInvited(A1)).hear(1.0, LegAnswered(A1)).hear(1.03, LegJoined(A1))
    log.report(1.04, "Dial", B1, dialstatus="").hear(1.04, LegInvited(B1)).hear(1.2, LegRinging(B1))
    found = CallFound((A1, B1), ((A1, LegState.UP),), (A1,), bridge=True, after_restart=restart)
    log.hear(9.0, found).ask(9.01, "DELETE", f"channels/{A1}", reason_code="16")
    log.report(9.02, "ChannelDestroyed", A1, cause=16).hear(9.02, LegEnded(A1, 16))
    rows = [row for row in log.ladder().rows if row.at >= 1.2 and row.kind is not Kind.REQUEST]
    told_then = ["ringing destination", "+ 7.8 s", told, "carrier is gone", "releasing", "BYE"]
    assert [row.text for row in rows] == told_then
    assert not any(row.origin == "b1" or row.to == "b1" for row in rows)


def test_requests_say_what_asterisk_refused_and_what_took_long() -> None:
    log = Log(outward_call()).hear(0.0, CallPlaced())
    log.ask(0.1, "POST", "channels/create", 500, channelId=A1)
    log.ask(0.2, "POST", f"channels/{A1}/dial", None)
    log.ask(0.3, "DELETE", f"channels/{A1}", 404)
    log.ask(0.4, "POST", f"bridges/{CALL_ID}", 200, ms=900.0)
    log.ask(0.5, "GET", "bridges", 200)
    told = [(row.text, row.detail, row.tone) for row in log.ladder().rows if row.kind is Kind.REQUEST]
    assert told == [
        ("create ann-1", "500", Tone.BAD),
        ("dial ann-1", "no answer", Tone.BAD),
        ("hang up ann-1", "", Tone.PLAIN),
        ("create bridge", "200 after 900 ms", Tone.PLAIN),
    ]


def test_a_call_that_has_not_ended_says_where_it_is() -> None:
    ladder = Log(outward_call()).hear(0.0, CallPlaced()).hear(0.1, LegCreated(A1)).ladder()
    assert (ladder.outcome, ladder.tone) == ("not ended; ringing user", Tone.PLAIN)


def test_phones_that_could_not_be_dialled_are_named_and_have_no_column() -> None:
    legs = [phone(Side.A, 1), dead_phone(Side.A, 2), dead_phone(Side.A, 3, registered=True, outcome=LegOutcome.BUSY)]
    ladder = Log(call_of(legs, [trunk()], outward_call().destination.kind, LIMITS)).ladder()
    assert [column.key for column in ladder.columns] == ["a1", ASTERISK, SERVICE, "b1"]
    address = address_of(legs[2].contact)
    assert address
    assert ladder.facts[2:] == ("ann-2 was not registered", f"ann-3 at {address} did not answer to qualify requests")


def test_every_trunk_that_was_tried_has_a_column() -> None:
    log = Log(routed_call(SECOND)).hear(0.0, CallPlaced())
    log.hear(0.1, LegCreated(A1)).hear(0.1, LegCreated(B1)).hear(1.0, LegAnswered(A1)).hear(1.1, LegInvited(B1))
    log.hear(1.2, LegEnded(B1, 34, 503)).hear(1.3, LegCreated(B2)).hear(1.4, LegInvited(B2)).hear(2.0, LegAnswered(B2))

    drawn = log.ladder()

    assert [column.title for column in drawn.columns] == ["ann-1", "Asterisk", "c2c-stasis", "carrier", "second"]
    assert "b2" in {key for row in drawn.rows for key in (row.origin, row.to)}


def test_our_own_failure_is_told() -> None:
    log = Log(outward_call()).hear(0.0, CallPlaced())
    log.lines.append({**log.lines[-1], "error": "KeyError('x')"})
    assert log.ladder().rows[-1] == Row(0.0, Kind.STATE, SERVICE, "", "our own code failed", "KeyError('x')", Tone.BAD)


def test_without_its_beginning_a_call_is_not_drawn() -> None:
    with pytest.raises(NotReadable):
        from_log.ladder(CALL_ID, answered().lines[1:], "here")


# --- a log that begins, or goes on, in the middle of a call ---


def test_a_log_that_begins_in_the_middle_tells_what_the_call_knew_of_its_phones() -> None:
    log = answered()
    talking = next(number for number, line in enumerate(log.lines) if line["time"] > rfc3339_micro(ACCEPTED_AT + 3))
    ladder = from_log.ladder(CALL_ID, log.without(range(talking)), "here")
    assert [column.title for column in ladder.columns] == ["ann-1", "ann-2", "Asterisk", "c2c-stasis", "carrier"]
    assert passed(ladder) == [row for row in passed(log.ladder()) if "183" not in row]
    assert [(row.at, row.text) for row in ladder.rows if row.kind is Kind.MEDIA] == [(2.0, "both sides are joined")]
    assert ladder.facts[2:] == (
        "the log begins at 70.000 s; before that, only what the call itself still knew is drawn",
    )
    assert (ladder.outcome, ladder.tone) == ("completed, by destination", Tone.GOOD)


WHOLE = answered()


@pytest.mark.parametrize("first", range(1, len(WHOLE.lines) - 1))
def test_wherever_a_log_begins_it_accuses_nobody(first: int) -> None:
    lines = WHOLE.without(range(first))
    if not any(line["kind"] == "call" for line in lines):
        return  # nothing was decided any more: the record tells the call
    ladder = from_log.ladder(CALL_ID, lines, "here")
    assert {*passed(ladder), "b1>asterisk 183 Progress"} == set(passed(WHOLE.ladder()))
    assert not [row for row in ladder.rows if row.tone is Tone.BAD or "never dialled" in row.text]
    svg.picture(ladder)
    terminal.lines(ladder)


@pytest.mark.parametrize("seed", range(200))
def test_whatever_lines_are_lost_a_ladder_is_drawn(seed: int) -> None:
    rng = Random(seed)
    gone = {number for number in range(len(WHOLE.lines)) if rng.random() < 0.3}
    if seed % 2:
        lines = WHOLE.without(gone)
    else:  # a log that does not know it; some events come before the first line that says what the call was
        lines = [line for number, line in enumerate(WHOLE.lines) if number not in gone]
        begin = rng.randrange(len(lines))
        lines = [line for line in lines if line["kind"] != "call"]
        lines.insert(begin, {**lines[begin - 1], "kind": "call", "planned": written_call(outward_call())})
    ladder = from_log.ladder(CALL_ID, lines, "here")
    svg.picture(ladder)
    terminal.lines(ladder)
    assert len({(row.origin, row.to, row.text) for row in ladder.rows if row.kind is Kind.SIP}) == len(passed(ladder))


def test_an_event_whose_call_was_told_later_has_a_column() -> None:
    late = next(line for line in WHOLE.without(range(len(WHOLE.lines) - 3)) if line["kind"] == "call")
    events = [line for line in WHOLE.lines if line["kind"] == "event"]
    ladder = from_log.ladder(CALL_ID, [*events, late], "here")
    assert {*passed(ladder), "b1>asterisk 183 Progress"} == set(passed(WHOLE.ladder()))
    assert terminal.lines(ladder)


def test_a_line_that_says_nothing_sensible_is_no_reason_to_break_down() -> None:
    with pytest.raises(NotReadable, match="'wall'"):
        from_log.ladder(CALL_ID, [*answered().lines, {"time": "2023-11-14", "kind": "step", "now": {}}], "here")
    planned = {name: value for name, value in written_call(outward_call()).items() if name != "dial_string"}
    with pytest.raises(NotReadable, match="dial_string"):
        from_log.ladder(CALL_ID, [{"time": "2023-11-14", "kind": "call", "planned": planned}], "here")


@pytest.mark.parametrize(
    ("leg", "cause", "sip_code", "told"),
    [
        (Participant("a1", "desk", invited=True), 17, 486, ("a1", ASTERISK, "486 Busy Here", "busy (17)")),
        (Participant("a1", "desk", invited=True), 21, 699, ("a1", ASTERISK, "699", "rejected (21)")),
        (
            Participant("a1", "desk", invited=True),
            38,
            None,
            (ASTERISK, "", "gives desk up", "network out of order (38)"),
        ),
        (
            Participant("a1", "desk", invited=True, let_go=26),
            26,
            487,
            (ASTERISK, "a1", "CANCEL", "answered elsewhere (26)"),
        ),
        (Participant("a1", "desk", invited=True, answered=True), 16, None, ("a1", ASTERISK, "BYE", "desk hangs up")),
        (
            Participant("a1", "desk", invited=True, answered=True),
            44,
            None,
            ("a1", ASTERISK, "BYE", "desk hangs up, channel unavailable (44)"),
        ),
        (
            Participant("a1", "desk", invited=True, answered=True, let_go=16),
            16,
            None,
            (ASTERISK, "a1", "BYE", "normal (16)"),
        ),
        (Participant("a1", "desk", invited=True, answered=True), None, None, (ASTERISK, "", "desk is gone", "")),
        (Participant("b1", "carrier"), 99, None, (ASTERISK, "", "carrier was never dialled", "cause 99")),
        (Participant("b1", "carrier", let_go=16), 16, None, (ASTERISK, "", "carrier was never dialled", "")),
    ],
)
def test_who_ended_a_leg_and_with_what(
    leg: Participant, cause: int, sip_code: int | None, told: tuple[str, str, str, str]
) -> None:
    row = ends(leg, 1.0, cause, sip_code)
    assert (row.origin, row.to, row.text, row.detail) == told


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (("completed", "normal", "destination"), "completed, by destination"),
        (("completed", "max_duration", "system"), "completed, max duration, by system"),
        (("busy", "destination_busy", "destination"), "destination busy"),
        (("cancelled", "cancelled_by_api", "api"), "cancelled by api"),
        (("failed", "trunk_failed", "system"), "trunk failed, by system"),
        (("failed", "no_device", "system"), "failed, no device, by system"),
    ],
)
def test_an_end_in_words_says_nothing_twice(end: tuple[str, str, str], words: str) -> None:
    assert in_words(dict(zip(("outcome", "reason", "ended_by"), end, strict=True))) == words


def test_times_and_addresses_in_words() -> None:
    assert [duration(seconds) for seconds in (1.24, 200, 7_260)] == ["1.2 s", "3 min 20 s", "2 h 1 min"]
    assert address_of("sip:desk@127.0.0.1:5070;ob") == "127.0.0.1:5070"


# --- the terminal ---


def test_in_a_terminal_every_arrow_ends_at_its_lifelines() -> None:
    lines = [click.unstyle(line) for line in terminal.lines(answered().ladder())]
    invite = next(line for line in lines if "INVITE" in line)
    lifelines = [at for at, char in enumerate(lines[-1]) if char in "│●"]
    assert len(lifelines) == 5
    assert invite[lifelines[0] + 1] == "◀"
    assert [invite[at] for at in lifelines] == ["│", "┼", "│", "│", "│"]
    refused = next(line for line in lines if "CANCEL" in line)
    assert refused.endswith("answered elsewhere (26)")
    assert max(map(len, lines)) < 160


def test_in_a_terminal_words_have_room_and_what_has_none_is_seen_to_be_cut() -> None:
    columns = (
        Column("a1", "desk", "127.0.0.1:51895"),
        Column(ASTERISK, "Asterisk", "and the bridge"),
        Column(SERVICE, "c2c-stasis", "the service"),
        Column("b1", "carrier", "An Agent of Many Words 1.2"),
    )
    rows = (
        Row(0.0, Kind.REQUEST, SERVICE, ASTERISK, "play congestion tone"),
        Row(0.1, Kind.SIP, "b1", ASTERISK, "503 Service Unavailable"),
        Row(0.2, Kind.REQUEST, SERVICE, ASTERISK, "create a-phone-with-a-rather-long-name"),
    )
    ladder = Ladder(CALL_ID, "now", (), columns, rows, "done", Tone.GOOD, "x", "y")
    seen = "\n".join(click.unstyle(line) for line in terminal.lines(ladder))
    for words in ("127.0.0.1:51895 ", " and the bridge ", " play congestion tone ", " 503 Service Unavailable "):
        assert words in seen
    assert " create a-phone-with-a-…" in seen
    few_words = replace(ladder, rows=())
    assert "  An Agent of Many Wo…" in "\n".join(click.unstyle(line) for line in terminal.lines(few_words))


# --- the picture ---

NAMES = {"svg": "http://www.w3.org/2000/svg"}


def boxes(picture: str) -> list[tuple[str, float, float, float, float]]:
    """The texts of a picture with the room that each takes: left, top, right, bottom."""
    found = []
    for text in ElementTree.fromstring(picture).iterfind(".//svg:text", NAMES):
        size, x, y = (float(text.attrib[name]) for name in ("font-size", "x", "y"))
        wide = len(text.text or "") * size * 0.56
        left = {"middle": x - wide / 2, "end": x - wide}.get(text.attrib.get("text-anchor", ""), x)
        found.append((text.text or "", left, y - 0.75 * size, left + wide, y + 0.2 * size))
    return found


def wide_ladder() -> Ladder:
    """With names and words as long as they come."""
    columns = [
        Column(f"a{n}", f"a-phone-with-a-rather-long-name-{n}", "Some User Agent 1.2.3 of 2026") for n in range(1, 6)
    ]
    columns += [Column(ASTERISK, "Asterisk"), Column(SERVICE, "c2c-stasis"), Column("b1", "carrier", "+1555•••4567")]
    rows = [
        Row(0.0, Kind.STATE, SERVICE, "", "accepted"),
        Row(0.1, Kind.REQUEST, SERVICE, ASTERISK, "create a-phone-with-a-rather-long-name-1", "500 Failed", Tone.BAD),
        Row(0.1, Kind.SIP, ASTERISK, "a1", "INVITE"),
        Row(0.1, Kind.SIP, "a5", ASTERISK, "183 Progress", "a very long remark about what happened here", Tone.GOOD),
        Row(0.2, Kind.MARK, ASTERISK, "", "a-phone-with-a-rather-long-name-1 is in the bridge"),
        Row(0.3, Kind.MEDIA, "a1", "b1", "both sides are joined", "", Tone.GOOD),
        Row(0.3, Kind.GAP, "", "", "+ 2 h 3 min"),
        Row(9999.0, Kind.STATE, SERVICE, "", "ended: completed, max duration, by system", "", Tone.GOOD),
    ]  # fmt: skip
    return Ladder(CALL_ID, "now", ("one <fact> & another",), tuple(columns), tuple(rows), "done", Tone.GOOD, "x", "y")


def recorded(name: str) -> Ladder:
    """A call of the laboratory, whose picture is in the documents."""
    file = Path(__file__).parent / "recordings" / f"{name}.jsonl"
    call_id = json.loads(file.read_text().splitlines()[1])["call"]
    return from_log.ladder(call_id, lines_of_call([file], call_id, print), "here")


@pytest.mark.parametrize(
    "ladder",
    [answered().ladder(), wide_ladder(), recorded("answered"), recorded("failed")],
    ids=["ordinary", "wide", "answered", "failed"],
)
def test_in_a_picture_no_text_lies_on_another_or_outside(ladder: Ladder) -> None:
    picture = svg.picture(ladder)
    root = ElementTree.fromstring(picture)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    texts = boxes(picture)
    assert len(texts) > len(ladder.columns)
    for text, left, top, right, bottom in texts:
        assert left >= 0, text
        assert top >= 0, text
        assert right <= width, text
        assert bottom <= height, text
    for number, (one, left, top, right, bottom) in enumerate(texts):
        for other, left2, top2, right2, bottom2 in texts[number + 1 :]:
            apart = right <= left2 or right2 <= left or bottom <= top2 or bottom2 <= top
            assert apart, f"{one!r} lies on {other!r}"


def test_a_picture_needs_nothing_from_elsewhere_and_has_colours_for_dark_pages() -> None:
    picture = svg.picture(answered().ladder())
    assert "prefers-color-scheme:dark" in picture
    assert re.findall(r"https?://[^\"]+", picture) == ["http://www.w3.org/2000/svg"]
    assert not any(word in picture for word in ("<script", "@import", "url(", "href"))


STEERS = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\x01\ufffe\ud800"


def hostile() -> Ladder:
    """A ladder whose every text would steer a terminal or is not allowed in XML."""
    columns = [Column(key, f"{key}{STEERS}", STEERS) for key in ("a1", ASTERISK, SERVICE, "b1")]
    places = {Kind.SIP: (ASTERISK, "a1"), Kind.REQUEST: (SERVICE, ASTERISK), Kind.MEDIA: ("a1", "b1")}
    rows = [Row(0.0, kind, *places.get(kind, (SERVICE, "")), STEERS, STEERS, Tone.BAD) for kind in Kind]
    return Ladder(STEERS, STEERS, (STEERS,), tuple(columns), tuple(rows), STEERS, Tone.BAD, STEERS, STEERS)


def test_nothing_in_a_ladder_steers_a_terminal_or_makes_its_picture_no_xml() -> None:
    seen = "\n".join(click.unstyle(line) for line in terminal.lines(hostile()))
    assert [char for char in seen if not char.isprintable() and char != "\n"] == []
    root = ElementTree.fromstring(svg.picture(hostile()))
    texts = "".join(root.itertext())
    assert "�[2J�]0;owned" in texts
    assert [char for char in texts if not char.isprintable() and char != "\n"] == []


def test_what_comes_from_outside_cannot_break_a_picture() -> None:
    root = ElementTree.fromstring(svg.picture(wide_ladder()))
    assert "one <fact> & another" in [text.text for text in root.iterfind(".//svg:text", NAMES)]
