"""Where each live call was when the fault came: the rows of the fault matrix, as seen from outside."""

from pathlib import Path

from tests.faults.ledger import Entry
from tests.live.story import Story
from tests.store.samples import rows

ROWS = {
    "A1": "asked for, not recorded",
    "A2": "recorded, not answered",
    "A3": "answered, no channel",
    "A4": "channels, none dialled",
    "A5": "devices dialled or ringing",
    "A6": "device up, winner not recorded or others ringing",
    "A7": "winner recorded, destination not called",
    "A8": "destination called or ringing",
    "A9": "destination up, talk not recorded",
    "A10": "talking",
    "A11": "somebody left, end not recorded",
    "ended": "ended",
}


async def snapshot(story: Story, entries: list[Entry], *, with_asterisk: bool = True) -> dict[str, str]:
    """The row of every call by its number; what the phones saw was true when this began, the rest a few milliseconds later."""
    entries = list(entries)  # those who call meanwhile are not meant
    phones = {entry.number: _phones(entry) for entry in entries}
    answered = {entry.number for entry in entries if entry.known}
    channels = await story.channel_ids() if with_asterisk else set()
    recorded = {number: (id_, state) for number, id_, state in _records(story.folder / "story.db")}
    found: dict[str, str] = {}
    for entry in entries:
        if entry.refused:
            continue
        id_, state = recorded.get(entry.number, ("", ""))
        has_channel = any(channel.startswith(f"{id_}.") for channel in channels)
        row = _row(state, phones[entry.number], has_channel)
        found[entry.number] = row if entry.number in answered or row in ("A1", "ended") else "A2"
    return found


def _records(file: Path) -> list[tuple[str, str, str]]:
    return [(str(to), str(id_), str(state)) for to, id_, state in rows(file, "SELECT to_number, id, state FROM calls")]


def _phones(entry: Entry) -> str:
    """How far the phones say that the call is."""
    near, far = entry.near, entry.far
    up = [call for call in near if call.answered_at is not None]
    if any(not call.live for call in up) or any(side and not any(call.live for call in side) for side in (near, far)):
        return "left"
    if far:
        return "far up" if any(call.live and call.answered_at is not None for call in far) else "far rings"
    if up:
        return "near up and rings" if any(call.live and call not in up for call in near) else "near up"
    return "near rings" if near else ""


def _row(state: str, phones: str, has_channel: bool) -> str:
    if state in ("", "ended"):
        return "ended" if state else "A1"
    match phones:
        case "left":
            return "A11"
        case "far up":
            return "A10" if state == "talking" else "A9"
        case "far rings":
            return "A8"
        case "near up and rings":
            return "A6"
        case "near up":
            return "A6" if state == "ringing_user" else "A7"
        case "near rings":
            return "A5"
        case _:
            return "A4" if has_channel else "A3"
