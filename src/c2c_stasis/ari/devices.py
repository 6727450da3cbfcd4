"""Where each device is registered, known in memory: read once at connect, then followed by events.

Subscribing replays nothing and Asterisk's global variables cannot read PJSIP functions, so the contacts are read through a
helper channel that is made, asked and removed without ever being dialled (Asterisk 22.10.1).
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from typeid import TypeID

from c2c_stasis.errors import SwitchRefused, SwitchUnavailable
from c2c_stasis.ports import Contact

logger = logging.getLogger(__name__)

HELPER_ENDPOINT = "Local/x@c2c-helper"  # an empty context: even dialled by mistake it would lead nowhere
HELPER_LIFETIME = 30  # seconds after which Asterisk removes the helper channel if we could not
READERS = 8  # parallel questions while contacts are read

# What `ContactStatusChange` may say. Only a contact that failed to answer a qualify request is not worth dialling.
_GONE = {"Removed"}
_UNREACHABLE = {"Unreachable"}


class Devices:
    """The registered contacts of every endpoint we care for."""

    def __init__(self) -> None:
        self._contacts: dict[str, dict[str, Contact]] = {}

    def contacts(self, endpoint: str) -> tuple[Contact, ...]:
        """The contacts of an endpoint; empty when it is not registered."""
        return tuple(self._contacts.get(endpoint, {}).values())

    def hear(self, event: dict[str, Any]) -> None:
        """Follow a `ContactStatusChange`."""
        if event.get("type") != "ContactStatusChange":
            return
        endpoint = event["endpoint"]["resource"]
        info = event["contact_info"]
        uri, status = info["uri"], info["contact_status"]
        known = self._contacts.setdefault(endpoint, {})
        if status in _GONE:
            known.pop(uri, None)
        else:
            known[uri] = Contact(uri, reachable=status not in _UNREACHABLE)
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
                self._contacts[endpoint] = await _contacts(operations, channel_id, endpoint)

        try:
            async with asyncio.TaskGroup() as group:
                for endpoint in wanted:
                    group.create_task(read_one(endpoint))
        except* (SwitchUnavailable, SwitchRefused) as errors:
            raise SwitchUnavailable(f"contacts could not be read: {errors.exceptions[0]}") from errors
        finally:
            await _remove(operations, channel_id)


async def _contacts(operations: Any, channel_id: str, endpoint: str) -> dict[str, Contact]:
    try:
        reply = await operations.channels.getChannelVar(
            channelId=channel_id, variable=f"PJSIP_DIAL_CONTACTS({endpoint})"
        )
    except SwitchRefused as refusal:
        if refusal.status == 404:  # the function's value is empty: nothing is registered
            return {}
        raise
    return {contact.uri: contact for contact in dial_contacts(reply.json()["value"], endpoint)}


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
