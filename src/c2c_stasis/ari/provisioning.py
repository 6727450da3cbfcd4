"""Provisioned phones in Asterisk: put there, held against what the directory says at every connect, and taken away.

The directory is the truth. Whatever is missing in Asterisk or was altered there is put again, and what belonged to a deleted
device is removed. Nothing else is touched: another service may keep its phones in the same Asterisk.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from c2c_stasis.ari.phone_objects import Settings, differs, phone_objects
from c2c_stasis.directory.sip_account import Registrant
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable
from c2c_stasis.together import all_of

logger = logging.getLogger(__name__)

AT_ONCE = 8  # phones that are looked at in parallel
FIRST_RETRY, LAST_RETRY = 5.0, 60.0  # seconds until what Asterisk refused is tried again; doubled each time
NOT_THERE, FORBIDDEN, CONFLICT = 404, 403, 409
LOOK_EVERY, LOOK_FOR = 0.01, 2.0  # seconds: until Asterisk has forgotten an endpoint that it removes
_CLASS = "res_pjsip"
# An endpoint that has a `contact_acl` takes neither it nor another one a second time (22.10.1). An auth that differs goes,
# then the registrations that were made with it, and then comes the new one: wherever that is cut off, the phone is not as it
# should be yet, and nobody can register. An aor is not removed: with it the registrations would go.
_MADE_ANEW = ("auth", "endpoint")
_IN_ORDER_OF_REMOVAL = (
    "endpoint",
    "auth",
    "aor",
)  # without its endpoint a phone is nobody; its registrations go with the aor


class NoPlace(SwitchRefused):
    """Asterisk makes nothing of this kind over ARI: it will not take the next phone either."""


class Provisioning:
    """The provisioned phones of one service. `want` says which there are, `settle` makes Asterisk have them."""

    def __init__(self, contact_acl: str) -> None:
        self._contact_acl = contact_acl
        self._wanted: dict[str, Registrant] = {}  # by endpoint
        self._removed: frozenset[str] = frozenset()
        self._new: set[str] = set()  # what became different, and was not tried since
        self._renewed: set[str] = set()  # phones of which Asterisk has the password that we gave them before
        self._there: dict[str, Registrant] = {}  # what Asterisk has, as far as we know on this connection
        self._gone: set[str] = set()
        self._lingering: set[str] = set()  # removed endpoints that Asterisk did not forget in time
        self._refused: set[str] = set()  # what Asterisk refused, and we have told
        self._told_no_place = False
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._pause = FIRST_RETRY
        self._due = 0.0  # when what is not settled is tried again, on the loop's clock

    def want(self, phones: Mapping[str, Registrant], removed: Iterable[str]) -> None:
        """Let Asterisk have these endpoints, each for whoever registers there, and none of the removed ones."""
        before, self._wanted = self._wanted, dict(phones)
        different = {name for name, registrant in self._wanted.items() if before.get(name) != registrant}
        self._renewed = (self._renewed | (different & before.keys())) & self._wanted.keys()
        taken_away = frozenset(removed) - self._wanted.keys()
        different |= taken_away - self._removed
        self._removed = taken_away
        if different:
            self._new |= different
            self._changed.set()

    async def forget(self) -> None:
        """Know nothing of Asterisk any more: it may be another one by now.

        It waits for those who settle still: what they have learned holds for the Asterisk that was.
        """
        async with self._turn:
            self._there.clear()
            self._gone.clear()
            self._refused.clear()
            self._lingering.clear()
            self._told_no_place = False

    def there(self, endpoint: str) -> bool:
        """Whether Asterisk has this phone as it is in the directory."""
        return endpoint in self._wanted and self._there.get(endpoint) == self._wanted[endpoint]

    def in_work(self, endpoint: str) -> bool:
        """Whether Asterisk may be without this endpoint because of us: it is to go, or not put there yet."""
        return endpoint in self._removed or self._lacking(endpoint)

    def _lacking(self, endpoint: str) -> bool:
        return endpoint in self._wanted and not self.there(endpoint)

    async def settle(self, operations: Any) -> None:
        """Put, repair and remove what we do not know to be right. What Asterisk refuses is told, and left for `keep`.

        Raises `SwitchUnavailable`.
        """
        async with self._turn:
            self._new.clear()
            await self._all(operations, self._outstanding)

    async def settle_new(self, operations: Any) -> None:
        """The same for what became different only. Whatever else is outstanding has been tried, and waits for `keep`."""
        async with self._turn:
            new = [name for name in self._outstanding if name in self._new]
            self._new.clear()
            try:
                await self._all(operations, new)
            except BaseException:
                self._try_again_soon()
                raise

    async def keep(self, operations: Any) -> None:
        """Try again what was refused or got no answer, more and more rarely, until cancelled; but what is new at once."""
        loop = asyncio.get_running_loop()
        self._try_again_soon()
        while True:
            self._changed.clear()
            try:
                if loop.time() < self._due:
                    await self.settle_new(operations)
                else:
                    self._pause = min(self._pause * 2, LAST_RETRY)
                    self._due = loop.time() + self._pause
                    await self.settle(operations)
            except SwitchUnavailable as error:
                logger.warning("phones not provisioned", extra={"error": str(error)})
            if not self._outstanding:
                await self._changed.wait()
                self._try_again_soon()
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._due):
                    await self._changed.wait()

    def _try_again_soon(self) -> None:
        self._pause = FIRST_RETRY
        self._due = asyncio.get_running_loop().time() + FIRST_RETRY
        self._changed.set()

    @property
    def _outstanding(self) -> list[str]:
        """What we do not know to be right, by name."""
        return [*filter(self._lacking, self._wanted), *(self._removed - self._gone)]

    async def _all(self, operations: Any, names: list[str]) -> None:
        turns = asyncio.Semaphore(AT_ONCE)
        without_place: list[NoPlace] = []

        async def one(name: str) -> None:
            async with turns:
                if len(without_place) >= AT_ONCE:
                    return  # hundreds of others would be refused as well
                try:
                    await self._one(operations, name)
                except NoPlace as refusal:
                    without_place.append(refusal)
                except SwitchRefused as refusal:
                    self._tell(name, refusal)

        try:
            await all_of(map(one, names))
        except SwitchUnavailable as error:
            raise SwitchUnavailable(f"phones could not be provisioned: {error}") from error
        if without_place:
            self._tell_no_place(without_place[0])

    def _tell(self, name: str, refusal: SwitchRefused) -> None:
        if name not in self._refused:
            self._refused.add(name)
            extra = {"endpoint": name, "error": str(refusal)}
            logger.warning("Asterisk does not take a provisioned phone", extra=extra)

    def _tell_no_place(self, refusal: NoPlace) -> None:
        """One line, however many phones there are: they all have one cause."""
        if self._told_no_place:
            return
        self._told_no_place = True
        extra = {"phones": sum(map(self._lacking, self._wanted)), "error": str(refusal)}
        logger.warning(
            "Asterisk takes no provisioned phones", extra=extra | {"hint": "sorcery.conf gives them no place"}
        )

    async def _one(self, operations: Any, name: str) -> None:
        """Put or remove one, by what is wanted now: that may have changed while it was in the queue."""
        if name in self._wanted:
            await self._put(operations, name, self._wanted[name])
        elif name in self._removed:
            await self._remove(operations, name)

    async def _put(self, operations: Any, name: str, registrant: Registrant) -> None:
        for kind, settings in phone_objects(name, registrant, self._contact_acl).items():
            before = await _read(operations, kind, name)
            if before is not None:
                if not differs(settings, _as_settings(before)):
                    continue
                if kind in _MADE_ANEW:
                    await _delete(operations, kind, name)
                self._tell_altered(name, kind)
            if kind == "auth":
                await _end_registrations(operations, name)  # they were made with another password
            if kind == "endpoint":
                await self._forgotten(operations, name)
            await _write(operations, kind, name, settings, new=before is None)
        self._there[name] = registrant
        self._gone.discard(name)
        self._refused.discard(name)
        if self._wanted.get(name) == registrant:
            self._renewed.discard(name)

    async def _forgotten(self, operations: Any, name: str) -> None:
        """Return once Asterisk has shut down an endpoint that was removed, by us or before. Raises `SwitchRefused`.

        Asterisk answers first and shuts down later. An endpoint that is made in between is shut down with the old one: its
        phones register and are never reported, and `pjsip show endpoint` then crashes Asterisk (22.10.1; issue 2172 of
        asterisk/asterisk). One that is still there at the next attempt, seconds later, is nothing that will be shut down.
        """
        try:
            async with asyncio.timeout(LOOK_FOR):
                while name not in self._lingering:
                    await operations.endpoints.get(tech="PJSIP", resource=name)
                    await asyncio.sleep(LOOK_EVERY)
        except SwitchRefused as refusal:
            if refusal.status != NOT_THERE:
                raise
        except TimeoutError as error:
            self._lingering.add(name)
            raise SwitchRefused(CONFLICT, f"the endpoint is still there {LOOK_FOR:g} s after its removal") from error
        self._lingering.discard(name)

    def _tell_altered(self, name: str, kind: str) -> None:
        if kind == "auth" and name in self._renewed:
            logger.info("password of a phone changed in Asterisk", extra={"endpoint": name})
        else:
            logger.warning("altered phone put right in Asterisk", extra={"endpoint": name, "object": kind})

    async def _remove(self, operations: Any, name: str) -> None:
        self._there.pop(name, None)
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


async def _write(operations: Any, kind: str, name: str, settings: Settings, *, new: bool) -> None:
    """Make an object, or change it. Raises `NoPlace` when Asterisk makes none of this kind."""
    fields = [{"attribute": attribute, "value": value} for attribute, value in settings.items()]
    try:
        await operations.asterisk.updateObject(configClass=_CLASS, objectType=kind, id=name, fields=fields)
    except SwitchRefused as refusal:
        if new and refusal.status == FORBIDDEN:
            raise NoPlace(refusal.status, refusal.message) from refusal
        raise


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
