"""`/v1/phone-numbers`: the numbers of an account, which its users may show to those they call."""

import json
from typing import Any, Literal

from aiohttp import web
from msgspec import UNSET, Struct, UnsetType

from c2c_stasis.api.fields import Text, called, said
from c2c_stasis.api.paging import Listed, Paging, listed
from c2c_stasis.api.resources.base import ResourceRoutes, as_changes, there
from c2c_stasis.api.routes import AskedForAccount, Route, answer, nothing
from c2c_stasis.directory.changes import PhoneNumberChanges
from c2c_stasis.directory.model import PhoneNumber
from c2c_stasis.directory.pages import Page
from c2c_stasis.errors import PhoneNumberNotFound
from c2c_stasis.ids import NUMBER, NumberId
from c2c_stasis.times import rfc3339

Status = Literal["active", "inactive"]

_NAMES = {"number": "phone_number"}  # of a field in the store, in the API


class KeptFields(Struct, kw_only=True):
    """What clients send with a number and we only give back."""

    caller_id_prefix: Any = UNSET
    caller_id_visibility: Any = UNSET
    directory_listing_name: Any = UNSET
    directory_listing_type: Any = UNSET
    directory_listing_location_id: Any = UNSET
    location_id: Any = UNSET
    routing_target: Any = UNSET
    inbound_routing: Any = UNSET
    fax_enabled: Any = UNSET
    expires_at: Any = UNSET
    config: Any = UNSET


class PhoneNumberFields(KeptFields, kw_only=True):
    """What a number is used for."""

    status: Status | UnsetType = UNSET
    outbound_enabled: bool | UnsetType = UNSET
    caller_id_name: Text = UNSET


class CreatePhoneNumber(PhoneNumberFields, kw_only=True):
    """A new number, in E.164."""

    phone_number: str


class UpdatePhoneNumber(PhoneNumberFields, kw_only=True):
    """Changes of a number."""


class PhoneNumberFilters(Paging, frozen=True, kw_only=True):
    """Which numbers. None is ever `pending`: that word is for clients that ask for it."""

    status: Status | Literal["pending"] | UnsetType = UNSET


class PhoneNumberRecord(KeptFields, kw_only=True):
    """A number of an account; what is only kept is there once it was sent."""

    id: str
    phone_number: str
    status: str
    outbound_enabled: bool
    caller_id_name: str | None
    directory_listing_location: Any = UNSET
    location: Any = UNSET
    created_at: str | None
    updated_at: str | None


class PhoneNumberRoutes(ResourceRoutes):
    """The routes of phone numbers."""

    def routes(self) -> list[Route]:
        """For the route table."""
        every, one = "/v1/phone-numbers", "/v1/phone-numbers/{number_id:[^/]+}"
        return [
            self._doors.account("GET", every, self.page, filters=PhoneNumberFilters, gives=Listed[PhoneNumberRecord]),
            self._doors.account(
                "POST", every, self.create, takes=CreatePhoneNumber, gives=PhoneNumberRecord, errors=("already_in_use",)
            ),
            self._doors.account("GET", one, self.show, gives=PhoneNumberRecord),
            self._doors.account("POST", one, self.update, takes=UpdatePhoneNumber, gives=PhoneNumberRecord),
            self._doors.account("DELETE", one, self.delete, errors=("in_use",)),
        ]

    async def page(self, asked: AskedForAccount) -> web.Response:
        """A page of numbers."""
        filters = asked.filters(PhoneNumberFilters)
        if filters.status == "pending":
            return answer(listed(asked.request, Page(()), []))
        equal = {"active": filters.status == "active"} if filters.status else {}
        page = await self._store.page(PhoneNumber, asked.account.id, filters.wish(), equal=equal)
        return answer(listed(asked.request, page, [number_record(number) for number in page.entries]))

    async def create(self, asked: AskedForAccount) -> web.Response:
        """A new number."""
        given = _stored(said(await asked.body(CreatePhoneNumber)))
        with called(_NAMES):
            change = self._store.create_phone_number(asked.account.id, given.pop("phone_number"), **given)
            return answer(number_record(await self._changed(change)), 201)

    async def show(self, asked: AskedForAccount) -> web.Response:
        """One number."""
        found = await self._store.find(PhoneNumber, asked.account.id, _number_id(asked))
        return answer(number_record(there(found, PhoneNumberNotFound)))

    async def update(self, asked: AskedForAccount) -> web.Response:
        """Change a number."""
        number_id, changes = _number_id(asked), _stored(said(await asked.body(UpdatePhoneNumber)))
        change = self._store.update_phone_number(asked.account.id, number_id, as_changes(PhoneNumberChanges, changes))
        return answer(number_record(await self._changed(change)))

    async def delete(self, asked: AskedForAccount) -> web.Response:
        """Remove a number; 409 while it is somebody's caller number."""
        await self._changed(self._store.delete_phone_number(asked.account.id, _number_id(asked)))
        return nothing()


def number_record(number: PhoneNumber) -> PhoneNumberRecord:
    """A number as the API shows it."""
    kept = json.loads(number.kept)
    for name in [name for name in kept if name.endswith("_id")]:
        kept[name.removesuffix("_id")] = kept[name]
    return PhoneNumberRecord(
        id=number.id,
        phone_number=number.number,
        status="active" if number.active else "inactive",
        outbound_enabled=number.outbound_enabled,
        caller_id_name=number.caller_id_name or None,
        created_at=rfc3339(number.created_at),
        updated_at=rfc3339(number.updated_at or number.created_at),
        **kept,
    )


def _number_id(asked: AskedForAccount) -> NumberId:
    return NumberId(asked.path_id("number_id", NUMBER, PhoneNumberNotFound))


def _stored(given: dict[str, Any]) -> dict[str, Any]:
    """The fields as the store has them."""
    status = {"active": given.pop("status") == "active"} if "status" in given else {}
    kept = {name: given.pop(name) for name in KeptFields.__struct_fields__ if name in given}
    return given | status | ({"kept": kept} if kept else {})
