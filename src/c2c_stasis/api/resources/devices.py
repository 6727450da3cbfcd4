"""`/v1/users/:id/endpoints`: the devices of a user.

A device stands for an endpoint of Asterisk: one of its own files, attached by name, or one that the service makes there.
"""

from enum import StrEnum
from typing import Literal

from aiohttp import web
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from c2c_stasis.api.fields import Text, said
from c2c_stasis.api.paging import Listed, Paging, listed
from c2c_stasis.api.phone_setup import SetupRecord, phone_setup
from c2c_stasis.api.resources.base import NoFields, ResourceRoutes, as_changes, known_form, there
from c2c_stasis.api.routes import AskedForAccount, Route, answer, nothing
from c2c_stasis.directory.changes import DeviceChanges
from c2c_stasis.directory.model import BROWSER_PHONE, SIP_PHONE, Device, User
from c2c_stasis.directory.sip_account import SipAccount, new_account, new_username
from c2c_stasis.errors import DeviceNotFound, InvalidRequest, UserNotFound
from c2c_stasis.ids import DEVICE, USER, LocationId
from c2c_stasis.ports import SipServer
from c2c_stasis.times import rfc3339


class Provisioning(StrEnum):
    """Who made the endpoint in Asterisk, and whether it is there."""

    ATTACHED = "attached"  # somebody else, in Asterisk's own files
    DONE = "done"
    PENDING = "pending"  # Asterisk is away, or does not take it; it is put there as soon as it does


class CreateDevice(Struct, kw_only=True):
    """A new device of a user; without an endpoint, one is made in Asterisk."""

    type: Literal["sip", "browser"] | UnsetType = UNSET
    endpoint: Text = UNSET
    name: Text = UNSET
    location_id: LocationId | UnsetType | None = UNSET


class UpdateDevice(Struct, kw_only=True):
    """Changes of a device."""

    endpoint: str | UnsetType = UNSET
    name: Text = UNSET
    location_id: LocationId | UnsetType | None = UNSET


class DeviceFilters(Paging, frozen=True, kw_only=True):
    """Which devices of the account."""

    user_id: str = ""


class ContactRecord(Struct, frozen=True):
    """Where a device is registered. `reachable` is false when it did not answer Asterisk's last qualify request."""

    uri: str
    user_agent: str | None
    reachable: bool


class SipRecord(Struct, frozen=True):
    """What the phone registers with. The password is there only where it was made just now; it is kept nowhere."""

    username: str
    domain: str
    port: int | None
    transport: str
    uri: str
    websocket_url: str | None
    password: str | UnsetType = UNSET


class DeviceRecord(Struct, frozen=True):
    """A device. It is online when it is registered somewhere and answers."""

    id: str
    user: str
    user_id: str
    name: str | None
    type: Literal["sip", "browser"]
    endpoint: str
    status: str
    contacts: list[ContactRecord]
    location: str | None
    location_id: str | None
    provisioning: Provisioning
    sip: SipRecord
    created_at: str | None
    setup: SetupRecord | UnsetType = UNSET


class DeviceRoutes(ResourceRoutes):
    """The routes of devices."""

    def routes(self) -> list[Route]:
        """For the route table."""
        every = "/v1/users/{user_id:[^/]+}/endpoints"
        one = every + "/{endpoint_id:[^/]+}"
        return [
            self._doors.account("GET", "/v1/endpoints", self.page, filters=DeviceFilters, gives=Listed[DeviceRecord]),
            self._doors.account("GET", every, self.page_of_user, filters=Paging, gives=Listed[DeviceRecord]),
            self._doors.account(
                "POST", every, self.create, takes=CreateDevice, gives=DeviceRecord, errors=("already_in_use",)
            ),
            self._doors.account("GET", one, self.show, gives=DeviceRecord),
            self._doors.account(
                "POST", one, self.update, takes=UpdateDevice, gives=DeviceRecord, errors=("already_in_use",)
            ),
            self._doors.account("DELETE", one, self.delete),
            self._doors.account(
                *("POST", one + "/reset_password", self.reset_password),
                takes=NoFields,
                body_may_be_missing=True,
                gives=DeviceRecord,
                success=200,
            ),
        ]

    async def page(self, asked: AskedForAccount) -> web.Response:
        """A page of the devices of all users of the account."""
        filters = asked.filters(DeviceFilters)
        equal = {"user_id": known_form("user_id", filters.user_id, USER)} if filters.user_id else {}
        return await self._page(asked, filters, equal)

    async def page_of_user(self, asked: AskedForAccount) -> web.Response:
        """A page of the devices of one user."""
        user = await self._user(asked)
        return await self._page(asked, asked.filters(Paging), {"user_id": user.id})

    async def create(self, asked: AskedForAccount) -> web.Response:
        """A new device."""
        user, body = await self._user(asked), await asked.body(CreateDevice)
        given = said(body)
        endpoint = given.pop("endpoint", "")
        if body.type == BROWSER_PHONE:
            self._require_for_browsers(endpoint)
        if body.endpoint not in (UNSET, None):
            self._require_no_trunk(endpoint)
            attached = self._store.create_device(asked.account.id, user.id, endpoint, **given)
            return answer(self._record(await self._changed(attached)), 201)
        sip = new_account(new_username())
        made = self._store.create_device(asked.account.id, user.id, sip.username, ha1=sip.ha1, **given)
        return answer(self._with_password(await self._changed(made), user, sip), 201)

    async def reset_password(self, asked: AskedForAccount) -> web.Response:
        """Another password for a provisioned device; what was registered with the old one is registered no more."""
        user, device = await self._user(asked), await self._device(asked)
        await asked.body_if_any(NoFields)
        sip = new_account(device.endpoint)
        change = self._store.reset_device(asked.account.id, device.id, sip.ha1)
        return answer(self._with_password(await self._changed(change), user, sip))

    async def show(self, asked: AskedForAccount) -> web.Response:
        """One device."""
        return answer(self._record(await self._device(asked)))

    async def update(self, asked: AskedForAccount) -> web.Response:
        """Change a device."""
        device, changes = await self._device(asked), said(await asked.body(UpdateDevice))
        self._require_no_trunk(changes.get("endpoint"))
        change = self._store.update_device(asked.account.id, device.id, as_changes(DeviceChanges, changes))
        return answer(self._record(await self._changed(change)))

    async def delete(self, asked: AskedForAccount) -> web.Response:
        """Remove a device, and from Asterisk what was provisioned for it; a leg of it that lives goes on."""
        device = await self._device(asked)
        await self._changed(self._store.delete_device(asked.account.id, device.id))
        return nothing()

    async def _page(self, asked: AskedForAccount, paging: Paging, equal: dict[str, str]) -> web.Response:
        page = await self._store.page(Device, asked.account.id, paging.wish(), equal=equal)
        return answer(listed(asked.request, page, [self._record(device) for device in page.entries]))

    async def _user(self, asked: AskedForAccount) -> User:
        user_id = asked.path_id("user_id", USER, UserNotFound)
        return there(await self._store.find(User, asked.account.id, user_id), UserNotFound)

    async def _device(self, asked: AskedForAccount) -> Device:
        """The device in the path, which must be the user's in the path."""
        user = await self._user(asked)
        device_id = asked.path_id("endpoint_id", DEVICE, DeviceNotFound)
        device = there(await self._store.find(Device, asked.account.id, device_id), DeviceNotFound)
        if device.user_id != user.id:
            raise DeviceNotFound
        return device

    def _require_no_trunk(self, endpoint: object) -> None:
        """Raises `InvalidRequest` for an endpoint that would ring the carrier, and not the user."""
        if isinstance(endpoint, str) and self._service.is_trunk(endpoint):
            raise InvalidRequest("endpoint", "is that of a trunk, and no phone")

    def _require_for_browsers(self, endpoint: object) -> None:
        """Raises `InvalidRequest` for a page that could not register."""
        if endpoint:
            raise InvalidRequest("endpoint", "is made by the service for a browser; leave it out")
        if not self._service.sip_server.websocket_url:
            raise InvalidRequest(
                "type", "cannot be browser while websocket_url under [sip] of the configuration is empty"
            )

    def _with_password(self, device: Device, user: User, sip: SipAccount) -> DeviceRecord:
        record = self._record(device)
        record = replace(record, sip=replace(record.sip, password=sip.password))
        if device.browser:
            return record  # nobody types it into anything
        return replace(record, setup=phone_setup(sip, self._service.sip_server, device.name or user.name))

    def _provisioning(self, device: Device) -> Provisioning:
        if not device.provisioned:
            return Provisioning.ATTACHED
        return Provisioning.DONE if self._service.provisioned(device.endpoint) else Provisioning.PENDING

    def _record(self, device: Device) -> DeviceRecord:
        contacts = self._service.contacts(device.endpoint)
        return DeviceRecord(
            id=device.id,
            user=device.user_id,
            user_id=device.user_id,
            name=device.name or None,
            type=BROWSER_PHONE if device.browser else SIP_PHONE,
            endpoint=device.endpoint,
            status="online" if any(contact.reachable for contact in contacts) else "offline",
            contacts=[ContactRecord(one.uri, one.user_agent or None, one.reachable) for one in contacts],
            location=device.location_id,
            location_id=device.location_id,
            provisioning=self._provisioning(device),
            sip=sip_record(device, self._service.sip_server),
            created_at=rfc3339(device.created_at),
        )


def sip_record(device: Device, server: SipServer) -> SipRecord:
    """Where this device registers. A page comes over the websocket, whatever other phones do."""
    uri = f"sip:{device.endpoint}@{server.domain}"
    if not device.browser:
        return SipRecord(device.endpoint, server.domain, server.port, server.transport, uri, None)
    transport = server.websocket_url.partition(":")[0] or "wss"
    return SipRecord(device.endpoint, server.domain, None, transport, uri, server.websocket_url or None)
