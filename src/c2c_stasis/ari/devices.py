"""Where each device is registered, known in memory: read once at connect, then followed by events.

Subscribing replays nothing and Asterisk's global variables cannot read PJSIP functions, so the contacts are read through a
helper channel that is made, asked and removed without ever being dialled (Asterisk 22.10.1).
"""

import asyncio
import hashlib
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from typeid import TypeID

from c2c_stasis.errors import SwitchRefused, SwitchUnavailable
from c2c_stasis.ports import Contact
from c2c_stasis.printable import printable
from c2c_stasis.together import all_of

logger = logging.getLogger(__name__)

HELPER_ENDPOINT = "Local/x@c2c-helper"  # never dialled; the dialplan has no such context, and needs none (22.10.1)
HELPER_LIFETIME = 30  # seconds after which Asterisk removes the helper channel if we could not
UNREADABLE = 500  # what ARI answers when a function cannot be read
READERS = 8  # parallel questions while contacts are read

MOST_CONTACTS = 100  # of one endpoint; Asterisk's own `max_contacts` is far below

# What `ContactStatusChange` may say. Only a contact that failed to answer a qualify request is not worth dialling. What nobody
# knows registers nobody.
_GONE = {"Removed"}
_UNREACHABLE = {"Unreachable"}
_REGISTERED = {"Created", "Updated", "NonQualified", "Unknown", "Reachable"}
_URI = re.compile(r"sips?:[!-~]{1,250}")  # Asterisk keeps no longer one (PJSIP_MAX_URL_SIZE)


class Devices:
    """The registered contacts of every endpoint we care for: `followed` tells which those are, `expected` which of them
    Asterisk should have."""

    def __init__(
        self, expected: Callable[[str], bool] = lambda _: True, followed: Callable[[str], bool] = lambda _: True
    ) -> None:
        self._expected = expected
        self._followed = followed
        self._contacts: dict[str, dict[str, Contact]] = {}
        self._changes: Counter[str] = Counter()  # how often each endpoint's contacts changed
        self._strangers: dict[tuple[str, str], None] = {}  # contacts whose user agent is not known, in their order
        self._came = asyncio.Event()  # one of these

    def contacts(self, endpoint: str) -> tuple[Contact, ...]:
        """The contacts of an endpoint; empty when it is not registered."""
        return tuple(self._contacts.get(endpoint, {}).values())

    def forget(self) -> None:
        """Keep nothing of endpoints that are not followed any more; they are read anew when they are again."""
        for endpoint in [one for one in self._contacts if not self._followed(one)]:
            del self._contacts[endpoint], self._changes[endpoint]
        for stranger in [one for one in self._strangers if one[0] not in self._contacts]:
            del self._strangers[stranger]

    def hear(self, event: dict[str, Any]) -> None:
        """Follow a `ContactStatusChange`. One that is not what Asterisk's event model says, or of anybody else, is nobody's."""
        told = _contact_status(event)
        if told is None or not self._followed(told[0]):
            return
        endpoint, uri, status = told
        self._changes[endpoint] += 1
        known = self._contacts.setdefault(endpoint, {})
        if status in _GONE:
            known.pop(uri, None)
            self._strangers.pop((endpoint, uri), None)
        elif uri in known or len(known) < MOST_CONTACTS:
            if uri not in known:
                self._strangers[endpoint, uri] = None
                self._came.set()
            known[uri] = replace(known.get(uri, Contact(uri)), reachable=status not in _UNREACHABLE)
        else:
            logger.debug("one contact too many", extra={"endpoint": endpoint})
        logger.debug("contact changed", extra={"endpoint": endpoint, "status": status})

    async def read(self, operations: Any, app: str, endpoints: Iterable[str]) -> None:
        """Learn the contacts of these endpoints from Asterisk. Raises `SwitchUnavailable` or `SwitchRefused`."""
        wanted = sorted(set(endpoints))
        if not wanted:
            return
        channel_id = str(TypeID(prefix="helper"))
        await operations.channels.create(
            endpoint=HELPER_ENDPOINT,
            app=app,
            channelId=channel_id,
            variables={"TIMEOUT(absolute)": str(HELPER_LIFETIME)},
        )
        readers = asyncio.Semaphore(READERS)

        async def read_one(endpoint: str) -> None:
            async with readers:
                changes = None
                while changes != self._changes[endpoint]:  # a change that overtakes the answer would not be told again
                    changes = self._changes[endpoint]
                    contacts = await self._ask(operations, channel_id, endpoint)
                self._contacts[endpoint] = contacts

        try:
            await all_of(map(read_one, wanted))
        except (SwitchUnavailable, SwitchRefused) as error:
            raise SwitchUnavailable(f"contacts could not be read: {error}") from error
        finally:
            await _remove(operations, channel_id)

    async def _ask(self, operations: Any, channel_id: str, endpoint: str) -> dict[str, Contact]:
        try:
            reply = await operations.channels.getChannelVar(
                channelId=channel_id, variable=f"PJSIP_DIAL_CONTACTS({endpoint})"
            )
        except SwitchRefused as refusal:
            if refusal.status == UNREADABLE:  # one device that Asterisk has not must not keep us from all others
                level = logging.WARNING if self._expected(endpoint) else logging.DEBUG
                logger.log(level, "Asterisk does not know this endpoint", extra={"endpoint": endpoint})
                return {}
            raise
        found = dial_contacts(reply.json()["value"], endpoint)
        return {contact.uri: await _named(operations, endpoint, contact) for contact in found}

    async def meet_strangers(self, operations: Any) -> None:
        """Ask for the user agent of each contact that registers from now on, until cancelled."""
        while True:
            while not self._strangers:
                self._came.clear()
                await self._came.wait()
            endpoint, uri = next(iter(self._strangers))
            del self._strangers[endpoint, uri]
            agent = await _user_agent(operations, endpoint, uri)
            known = self._contacts.get(endpoint, {})
            if agent and uri in known:
                known[uri] = replace(known[uri], user_agent=agent)


def _contact_status(event: dict[str, Any]) -> tuple[str, str, str] | None:
    """Endpoint, URI and status, if the event tells of all three."""
    endpoint, info = event.get("endpoint"), event.get("contact_info")
    if event.get("type") != "ContactStatusChange" or not isinstance(endpoint, dict) or not isinstance(info, dict):
        return None
    name, uri, status = endpoint.get("resource"), info.get("uri"), info.get("contact_status")
    if not (isinstance(name, str) and isinstance(uri, str) and isinstance(status, str)):
        return None
    known = endpoint.get("technology") == "PJSIP" and status in _GONE | _UNREACHABLE | _REGISTERED
    return (name, uri, status) if known and _URI.fullmatch(uri) else None


async def _named(operations: Any, endpoint: str, contact: Contact) -> Contact:
    return replace(contact, user_agent=await _user_agent(operations, endpoint, contact.uri))


async def _user_agent(operations: Any, endpoint: str, uri: str) -> str:
    """What the phone calls itself; empty when it does not say, or its address of record has another name than its endpoint."""
    contact_id = f"{endpoint};@{hashlib.md5(uri.encode(), usedforsecurity=False).hexdigest()}"
    try:
        reply = await operations.asterisk.getObject(configClass="res_pjsip", objectType="contact", id=contact_id)
    except (SwitchRefused, SwitchUnavailable):
        return ""
    told = (
        row.get("value") for row in reply.json() or () if isinstance(row, dict) and row.get("attribute") == "user_agent"
    )
    return printable(str(next(told, ""))[:128])


def dial_contacts(value: str, endpoint: str) -> list[Contact]:
    """The contacts in a value of PJSIP_DIAL_CONTACTS: `PJSIP/d1/sip:a@h1&PJSIP/d1/sip:a@h2`. A URI may hold an `&` itself."""
    prefix = f"PJSIP/{endpoint}/"
    if not value.startswith(prefix):
        return []
    return [Contact(uri) for uri in value.removeprefix(prefix).split(f"&{prefix}")]


async def _remove(operations: Any, channel_id: str) -> None:
    try:
        await operations.channels.hangup(channelId=channel_id)
    except (SwitchRefused, SwitchUnavailable):
        logger.info("helper channel is left to its own timer", extra={"channel": channel_id})
