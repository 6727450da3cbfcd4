# Drawn from ../asynchronous/devices.py by tools/draw_client.py; change it there.
"""Devices: the phones of users."""

from collections.abc import Iterator
from typing import Unpack

from c2c_stasis.client.fields import BrowserPhoneFields, DeviceFields
from c2c_stasis.client.records import BrowserPhone, Device
from c2c_stasis.client.synchronous.asking import Resource


class Devices(Resource):
    """`/v1/users/:id/endpoints`, and `/v1/endpoints` for those of all."""

    def create(self, user_id: str, **fields: Unpack[DeviceFields]) -> Device:
        """A new device; what to enter into the phone is in `sip` and `setup`, this once."""
        return self._post(Device, "users", user_id, "endpoints", body=fields)

    def retrieve(self, user_id: str, device_id: str) -> Device:
        """One device, and where it is registered now."""
        return self._get(Device, "users", user_id, "endpoints", device_id)

    def list(self, *, user_id: str | None = None) -> Iterator[Device]:
        """All devices, or those of one user, newest first."""
        return self._every(Device, "endpoints", user_id=user_id)

    def update(self, user_id: str, device_id: str, **fields: Unpack[DeviceFields]) -> Device:
        """Change what is said."""
        return self._post(Device, "users", user_id, "endpoints", device_id, body=fields)

    def reset_password(self, user_id: str, device_id: str) -> Device:
        """A new password, which counts at once; it is in `sip` and `setup`, this once."""
        return self._post(Device, "users", user_id, "endpoints", device_id, "reset_password")

    def open_browser_phone(self, user_id: str, **fields: Unpack[BrowserPhoneFields]) -> BrowserPhone:
        """What a page registers with to be this user's phone; the page that registered before is it no more."""
        return self._post(BrowserPhone, "users", user_id, "browser_phone", body=fields)

    def delete(self, user_id: str, device_id: str) -> None:
        """Remove a device, and with it what the service made in Asterisk for it."""
        self._delete("users", user_id, "endpoints", device_id)
