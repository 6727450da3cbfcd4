"""Keeps a scripted phone registered: REGISTER with digest, refreshed before it runs out (RFC 3261 §10.2)."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from c2c_stasis.errors import ClickToCallError
from c2c_stasis.lab.addresses import Address, parse_address, parse_uri, split_list
from c2c_stasis.lab.observation import NotSeen
from c2c_stasis.lab.sip import SipMessage, request

if TYPE_CHECKING:
    from c2c_stasis.lab.phone import Phone

_REFRESH_SHARE = 0.8  # of the granted time, so that one lost REGISTER does not end the registration
_RETRY_AFTER = 5.0  # seconds after a refresh that failed
_INTERVAL_TOO_BRIEF = 423


class RegistrationRefused(ClickToCallError):
    """The registrar did not take the contact; `status` says why."""

    def __init__(self, who: str, response: SipMessage) -> None:
        super().__init__(f"{who} was refused: {response.start_line}")
        self.status = response.status


class Registration:
    """The contact of one phone at one registrar."""

    def __init__(self, phone: "Phone", server: Address) -> None:
        self.granted = 0
        """Seconds the registrar gave us, 0 when we are not registered."""
        self._phone = phone
        self._server = server
        self._uri = f"sip:{server[0]}:{server[1]}"
        self._aor = f"sip:{phone.name}@{server[0]}"
        self._identity = (
            ("Call-ID", phone.new_call_id()),
            ("From", f"<{self._aor}>;tag={phone.new_tag()}"),
            ("To", f"<{self._aor}>"),
        )
        self._number = 0
        self._renewals = 0

    async def register(self, expires: int) -> None:
        """Register for so many seconds, and again before they are over.

        Raises `RegistrationRefused`, or `NotSeen` when nobody answers.
        """
        response = await self._send(expires)
        if response.status == _INTERVAL_TOO_BRIEF:  # §10.2.8
            expires = int(response.header("Min-Expires") or 2 * expires)
            response = await self._send(expires)
        if response.status != 200:
            raise RegistrationRefused(self._aor, response)
        self.granted = self._read_expiry(response, expires)
        self._renewals += 1
        turn = self._renewals
        self._phone.timers.after(self.granted * _REFRESH_SHARE, lambda: self._renew(turn, expires))

    async def unregister(self) -> None:
        """Take our contact away, and only ours; raises `RegistrationRefused` or `NotSeen`."""
        self.stop()
        response = await self._send(0)
        if response.status != 200:
            raise RegistrationRefused(self._aor, response)

    def stop(self) -> None:
        """Refresh no more; the contact stays until it runs out."""
        self.granted = 0
        self._renewals += 1

    def _renew(self, turn: int, expires: int) -> None:
        if turn == self._renewals:
            self._phone.spawn(self._refresh(turn, expires))

    async def _refresh(self, turn: int, expires: int) -> None:
        try:
            await self.register(expires)
        except (RegistrationRefused, NotSeen) as exc:
            self.granted = 0
            self._phone.report(exc)
            self._phone.timers.after(_RETRY_AFTER, lambda: self._renew(turn, expires))

    async def _send(self, expires: int) -> SipMessage:
        began = time.monotonic()

        def build(extra: Sequence[tuple[str, str]]) -> SipMessage:
            self._number += 1
            head = [("Via", self._phone.new_via()), *self._identity, ("CSeq", f"{self._number} REGISTER")]
            head += [("Contact", f"<{self._phone.uri}>"), ("Expires", str(expires)), ("Max-Forwards", "70")]
            head += [("User-Agent", self._phone.product)]
            return request("REGISTER", self._uri, [*head, *extra])

        response = await self._phone.send_request(build, self._server)
        if response is None:
            raise NotSeen(self._aor, "a reply to REGISTER", time.monotonic() - began, self._phone.ladder())
        return response

    def _read_expiry(self, response: SipMessage, asked: int) -> int:
        """The registrar lists every contact of the AOR: the time of ours counts."""
        ours = parse_uri(self._phone.uri)
        for line in response.headers_all("Contact"):
            for value in split_list(line):
                contact = parse_address(value)
                there = parse_uri(contact.uri)
                if (there.user, there.host, there.port) == ours[:3] and contact.params.get("expires", "").isdigit():
                    return int(contact.params["expires"])
        return int(response.header("Expires") or asked)
