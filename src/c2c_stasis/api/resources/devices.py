"""`/v1/users/:id/endpoints`: the devices of a user. A device stands for an endpoint that Asterisk has, by its name."""

from aiohttp import web
from msgspec import UNSET, Struct, UnsetType

from c2c_stasis.api.fields import Text, said
from c2c_stasis.api.paging import Listed, Paging, listed
from c2c_stasis.api.resources.base import ResourceRoutes, there
from c2c_stasis.api.routes import AskedForAccount, Route, answer, nothing
from c2c_stasis.directory.model import Device, User
from c2c_stasis.errors import DeviceNotFound, UserNotFound
from c2c_stasis.ids import DEVICE, USER, LocationId
from c2c_stasis.times import rfc3339


class CreateDevice(Struct, kw_only=True):
    """A new device of a user."""

    endpoint: str
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


class DeviceRecord(Struct, frozen=True):
    """A device. It is online when it is registered somewhere and answers."""

    id: str
    user: str
    user_id: str
    name: str | None
    endpoint: str
    status: str
    contacts: list[ContactRecord]
    location: str | None
    location_id: str | None
    created_at: str | None


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
        ]

    async def page(self, asked: AskedForAccount) -> web.Response:
        """A page of the devices of all users of the account."""
        filters = asked.filters(DeviceFilters)
        equal = {"user_id": filters.user_id} if filters.user_id else {}
        return await self._page(asked, filters, equal)

    async def page_of_user(self, asked: AskedForAccount) -> web.Response:
        """A page of the devices of one user."""
        user = await self._user(asked)
        return await self._page(asked, asked.filters(Paging), {"user_id": user.id})

    async def create(self, asked: AskedForAccount) -> web.Response:
        """A new device."""
        user, given = await self._user(asked), said(await asked.body(CreateDevice))
        change = self._store.create_device(asked.account.id, user.id, given.pop("endpoint"), **given)
        return answer(self._record(await self._changed(change)), 201)

    async def show(self, asked: AskedForAccount) -> web.Response:
        """One device."""
        return answer(self._record(await self._device(asked)))

    async def update(self, asked: AskedForAccount) -> web.Response:
        """Change a device."""
        device, changes = await self._device(asked), said(await asked.body(UpdateDevice))
        change = self._store.update_device(asked.account.id, device.id, changes)  # type: ignore[arg-type]  # by its struct
        return answer(self._record(await self._changed(change)))

    async def delete(self, asked: AskedForAccount) -> web.Response:
        """Remove a device; a leg of it that lives goes on."""
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

    def _record(self, device: Device) -> DeviceRecord:
        contacts = self._service.contacts(device.endpoint)
        return DeviceRecord(
            id=device.id,
            user=device.user_id,
            user_id=device.user_id,
            name=device.name or None,
            endpoint=device.endpoint,
            status="online" if any(contact.reachable for contact in contacts) else "offline",
            contacts=[ContactRecord(one.uri, one.user_agent or None, one.reachable) for one in contacts],
            location=device.location_id,
            location_id=device.location_id,
            created_at=rfc3339(device.created_at),
        )
