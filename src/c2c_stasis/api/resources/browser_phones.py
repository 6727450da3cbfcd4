"""`/v1/users/:id/browser_phone`: what a web page registers with, to be the phone of its user."""

from typing import Literal

from aiohttp import web
from msgspec import UNSET, Struct, UnsetType

from c2c_stasis.api.auth import authenticate
from c2c_stasis.api.bodies import read_json
from c2c_stasis.api.fields import read
from c2c_stasis.api.resources.base import ResourceRoutes, known_form, there
from c2c_stasis.api.routes import EVERYONE_WITH_AN_ACCOUNT, Route, answer, refuse_query
from c2c_stasis.directory.model import BROWSER_PHONE, Device, User
from c2c_stasis.directory.pages import Wish
from c2c_stasis.directory.sip_account import new_account
from c2c_stasis.errors import DeviceNotFound, InvalidRequest
from c2c_stasis.ids import DEVICE, DeviceId


class OpenBrowserPhone(Struct, kw_only=True):
    """Which of the user's devices of type browser; the newest, if it is not said."""

    device_id: DeviceId | UnsetType = UNSET


class BrowserPhone(Struct, frozen=True, kw_only=True):
    """What a page registers with. It counts until the next page asks; nothing of it need be kept."""

    endpoint: str
    endpoint_id: str
    type: Literal["browser"]
    user_id: str
    name: str
    websocket_url: str
    uri: str
    username: str
    password: str


class BrowserPhoneRoutes(ResourceRoutes):
    """The route of pages that are phones."""

    def routes(self) -> list[Route]:
        """For the route table. The handler proves the credential itself: a page has a session, and no key."""
        return [
            Route(
                *("POST", "/v1/users/{user_id:[^/]+}/browser_phone", self.open, EVERYONE_WITH_AN_ACCOUNT),
                takes=OpenBrowserPhone,
                body_may_be_missing=True,
                gives=BrowserPhone,
                errors=("not_allowed", "validation_error", "endpoint_not_found"),
                success=200,
            )
        ]

    async def open(self, request: web.Request) -> web.Response:
        """What a page registers with to be this user's phone: a new password each time, so the newest page is the phone."""
        acting = authenticate(request, self._service)
        refuse_query(request)
        acting.require_user(request.match_info["user_id"])
        user = self._service.user(acting.account, request.match_info["user_id"])
        body = read(OpenBrowserPhone, await read_json(request) if request.body_exists else {})
        device = await self._device(user, body.device_id)
        server = self._service.sip_server
        if not server.websocket_url:
            raise InvalidRequest("user_id", "has no browser phone while websocket_url under [sip] is empty")
        sip = new_account(device.endpoint)
        await self._changed(self._store.reset_device(acting.account.id, device.id, sip.ha1))
        return answer(
            BrowserPhone(
                endpoint=device.id,
                endpoint_id=device.id,
                type=BROWSER_PHONE,
                user_id=user.id,
                name=device.name or user.name,
                websocket_url=server.websocket_url,
                uri=f"sip:{sip.username}@{server.domain}",
                username=sip.username,
                password=sip.password,
            )
        )

    async def _device(self, user: User, device_id: DeviceId | UnsetType) -> Device:
        """The user's device that is a page. Raises `DeviceNotFound`."""
        if device_id is not UNSET:
            key = known_form("device_id", device_id, DEVICE)
            device = there(await self._store.find(Device, user.account_id, key), DeviceNotFound)
            if device.user_id == user.id and device.browser:
                return device
            raise DeviceNotFound
        equal = {"user_id": user.id, "type": BROWSER_PHONE}
        page = await self._store.page(Device, user.account_id, Wish(limit=1), equal=equal)
        if not page.entries:
            raise DeviceNotFound
        return page.entries[0]
