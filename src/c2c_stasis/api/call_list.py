"""Which calls a list or an export is about: the filters of its query."""

import re
from datetime import UTC, datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType, field

from c2c_stasis.api import problems
from c2c_stasis.api.auth import Acting
from c2c_stasis.api.fields import called
from c2c_stasis.api.paging import Limit, Paging
from c2c_stasis.directory import dial_strings
from c2c_stasis.directory.call_log import CallFilter
from c2c_stasis.directory.model import Account
from c2c_stasis.directory.pages import Wish
from c2c_stasis.ids import NUMBER, USER, NumberId, UserId, is_id

Direction = Literal["outbound", "internal", "inbound"]
OutcomeWord = Literal["completed", "no_answer", "busy", "rejected", "failed", "cancelled"]
Status = Literal["completed", "no-answer", "busy", "failed", "voicemail"]

_EXPANDABLE = "did"
_OFFSET = re.compile(r"(T.*) (\d\d:?\d\d)$")  # a + in an address that was not written as %2B is a space


class CallFilters(Struct, frozen=True, kw_only=True):
    """Which calls. `from` and `to` are other names of the two dates."""

    user_id: str = ""
    did_id: str = ""
    direction: Direction | UnsetType = UNSET
    from_number: str = ""
    to_number: str = ""
    status: Status | UnsetType = UNSET
    outcome: OutcomeWord | UnsetType = UNSET
    live: bool | UnsetType = UNSET
    from_date: str = ""
    to_date: str = ""
    from_: str = field(default="", name="from")
    to: str = ""

    def wanted(self, acting: Acting) -> CallFilter:
        """The calls that are asked for, of those that whoever asks may see.

        Raises `Problem`, `NumberNotDialable` and `NotAllowed`.
        """
        user_id = UserId(_id("user_id", self.user_id, USER)) if self.user_id else acting.user_id
        if user_id is not None:
            acting.require_user(user_id)
        return CallFilter(
            livemode=acting.livemode,
            user_id=user_id,
            did_id=NumberId(_id("did", self.did_id, NUMBER)) if self.did_id else None,
            direction=self.direction or None,
            from_number=_number("from_number", self.from_number, acting.account),
            to_number=_number("to_number", self.to_number, acting.account),
            status=self.status or None,
            outcome=self.outcome or None,
            live=None if self.live is UNSET else self.live,
            since=_moment("from", self.from_) if self.from_ else _moment("from_date", self.from_date),
            until=_moment("to", self.to) if self.to else _moment("to_date", self.to_date),
        )


class ListFilters(CallFilters, frozen=True, kw_only=True):
    """The same, in pages. A struct cannot have two bases with fields, so those of `Paging` stand here again."""

    limit: Limit = 10
    page: str = ""
    expand: list[str] = field(default_factory=list, name="expand[]")

    def wish(self) -> Wish:
        """The page that is asked for. Raises `Problem`."""
        return Paging(limit=self.limit, page=self.page).wish()


class ShownWith(Struct, frozen=True, kw_only=True):
    """What one record may be shown with."""

    expand: list[str] = field(default_factory=list, name="expand[]")


def expanded(names: list[str]) -> bool:
    """Whether the numbers of calls are to be shown as objects. Raises `Problem`."""
    for name in names:
        if name != _EXPANDABLE:
            raise problems.invalid("expand[]", f"can be {_EXPANDABLE} only")
    return bool(names)


def _id(name: str, text: str, prefix: str) -> str:
    if not is_id(text, prefix):
        raise problems.invalid(name, f"is not an id such as {prefix}_01h2xcejqtf2nbrexx3vqjhp42")
    return text


def _number(name: str, text: str, account: Account) -> str | None:
    """A number as the log has it, read as a dialled one is: E.164, an extension, or an emergency number."""
    if not text:
        return None
    text = f"+{text[1:]}" if text.startswith(" ") else text  # as with dates
    with called({"dial_string": name}):
        return dial_strings.parse(text, region=account.region, extension_length=account.extension_length).number


def _moment(name: str, text: str) -> float | None:
    """A date or a time of RFC 3339 in Unix seconds; without a zone it is in UTC."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(_OFFSET.sub(r"\1+\2", text))
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise problems.invalid(name, "must be a date or time such as 2026-11-23 or 2026-11-23T08:15:00Z") from error
    return seconds
