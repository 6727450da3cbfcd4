"""Provisioned phones in Asterisk: put there, held against what the directory says at every connect, and taken away.

The directory is the truth. Whatever is missing in Asterisk or was altered there is put again, and what belonged to a deleted
device is removed. Nothing else is touched: another service may keep its phones in the same Asterisk.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from c2c_stasis.ari.phone_objects import Settings, differs, phone_objects
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable, first_of

logger = logging.getLogger(__name__)

AT_ONCE = 8  # phones that are looked at in parallel
FIRST_RETRY, LAST_RETRY = 5.0, 60.0  # seconds until what Asterisk refused is tried again; doubled each time
NOT_THERE, NO_PLACE = 404, 403
_CLASS = "res_pjsip"
# An endpoint that has a `contact_acl` takes neither it nor another one a second time (22.10.1). An aor is not removed: with it
# the registrations would go.
_MADE_ANEW = ("endpoint",)
_IN_ORDER_OF_REMOVAL = (
    "endpoint",
    "auth",
    "aor",
)  # without its endpoint a phone is nobody; its registrations go with the aor

_Work = Callable[[Any, str], Awaitable[None]]
_Job = tuple[_Work, str]  # what to do, and with which endpoint


class Provisioning:
    """The provisioned phones of one service. `want` says which there are, `settle` makes Asterisk have them."""

    def __init__(self, contact_acl: str) -> None:
        self._contact_acl = contact_acl
        self._wanted: dict[str, str] = {}  # HA1 by endpoint
        self._removed: frozenset[str] = frozenset()
        self._there: dict[str, str] = {}  # what Asterisk has, as far as we know on this connection
        self._gone: set[str] = set()
        self._refused: set[str] = set()  # what Asterisk refused, and we have told
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    def want(self, phones: Mapping[str, str], removed: Iterable[str]) -> None:
        """Let Asterisk have these endpoints, each with the HA1 of its password, and none of the removed ones."""
        self._wanted = dict(phones)
        self._removed = frozenset(removed) - self._wanted.keys()
        self._changed.set()

    def forget(self) -> None:
        """Know nothing of Asterisk any more: it may be another one by now."""
        self._there.clear()
        self._gone.clear()
        self._refused.clear()

    def there(self, endpoint: str) -> bool:
        """Whether Asterisk has this phone as it is in the directory."""
        return endpoint in self._wanted and self._there.get(endpoint) == self._wanted[endpoint]

    async def settle(self, operations: Any) -> None:
        """Put, repair and remove what we do not know to be right. What Asterisk refuses is told, and left for `keep`.

        Raises `SwitchUnavailable`.
        """
        async with self._turn:
            jobs: list[_Job] = [(self._put, name) for name in self._wanted if not self.there(name)]
            jobs += [(self._remove, name) for name in self._removed - self._gone]
            await self._all(operations, jobs)

    async def keep(self, operations: Any) -> None:
        """Try again what was refused or got no answer, until cancelled."""
        pause = FIRST_RETRY
        while True:
            self._changed.clear()
            try:
                await self.settle(operations)
            except SwitchUnavailable as error:
                logger.warning("phones not provisioned", extra={"error": str(error)})
            if self._settled:
                pause = FIRST_RETRY
                await self._changed.wait()
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), pause)
                pause = min(pause * 2, LAST_RETRY)

    @property
    def _settled(self) -> bool:
        return all(map(self.there, self._wanted)) and self._removed <= self._gone

    async def _all(self, operations: Any, jobs: list[_Job]) -> None:
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(work: _Work, name: str) -> None:
            async with turns:
                try:
                    await work(operations, name)
                except SwitchRefused as refusal:
                    self._tell(name, refusal)

        try:
            async with asyncio.TaskGroup() as group:
                for work, name in jobs:
                    group.create_task(one(work, name))
        except ExceptionGroup as errors:
            error = first_of(errors, SwitchUnavailable)
            if error is None:
                raise
            raise SwitchUnavailable(f"phones could not be provisioned: {error}") from errors

    def _tell(self, name: str, refusal: SwitchRefused) -> None:
        if name in self._refused:
            return
        self._refused.add(name)
        hint = "sorcery.conf gives it no place" if refusal.status == NO_PLACE else ""
        extra = {"endpoint": name, "error": str(refusal), "hint": hint}
        logger.warning("Asterisk does not take a provisioned phone", extra=extra)

    async def _put(self, operations: Any, name: str) -> None:
        ha1 = self._wanted.get(name)
        if ha1 is None:
            return  # deleted while it was in the queue
        for kind, settings in phone_objects(name, ha1, self._contact_acl).items():
            before = await _read(operations, kind, name)
            if before is not None and not differs(settings, _as_settings(before)):
                continue
            if before is not None and kind in _MADE_ANEW:
                await _delete(operations, kind, name)
            fields = [{"attribute": attribute, "value": value} for attribute, value in settings.items()]
            await operations.asterisk.updateObject(configClass=_CLASS, objectType=kind, id=name, fields=fields)
            if kind == "auth":
                await _end_registrations(operations, name)  # they were made with another password
            if before is not None:
                logger.warning("altered phone put right in Asterisk", extra={"endpoint": name, "object": kind})
        self._there[name] = ha1
        self._refused.discard(name)

    async def _remove(self, operations: Any, name: str) -> None:
        for kind in _IN_ORDER_OF_REMOVAL:
            await _delete(operations, kind, name)
        self._gone.add(name)


_Rows = list[dict[str, str]]


async def _read(operations: Any, kind: str, name: str) -> _Rows | None:
    """An object as Asterisk lists it; None when it has none of that name."""
    try:
        reply = await operations.asterisk.getObject(configClass=_CLASS, objectType=kind, id=name)
    except SwitchRefused as refusal:
        if refusal.status == NOT_THERE:
            return None
        raise
    rows: _Rows = reply.json()
    return rows


def _as_settings(rows: _Rows) -> Settings:
    return {row["attribute"]: row["value"] for row in rows}


async def _end_registrations(operations: Any, name: str) -> None:
    for row in await _read(operations, "aor", name) or ():
        if row["attribute"] == "contact" and row["value"]:
            digest = hashlib.md5(row["value"].encode(), usedforsecurity=False).hexdigest()
            await _delete(operations, "contact", f"{name};@{digest}")


async def _delete(operations: Any, kind: str, name: str) -> None:
    """Remove an object; one that is not there is removed already."""
    try:
        await operations.asterisk.deleteObject(configClass=_CLASS, objectType=kind, id=name)
    except SwitchRefused as refusal:
        if refusal.status != NOT_THERE:
            raise
