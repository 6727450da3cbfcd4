"""`/v1/keys`: the keys of a platform. The key itself is shown once, when it is made."""

import time
from typing import Annotated

from aiohttp import web
from msgspec import UNSET, Meta, Struct, UnsetType

from c2c_stasis.api.fields import said
from c2c_stasis.api.paging import Listed, Paging, listed
from c2c_stasis.api.resources.base import ResourceRoutes, there
from c2c_stasis.api.routes import Asked, Route, answer, nothing
from c2c_stasis.directory.model import Key
from c2c_stasis.errors import KeyNotFound, NotAllowed, StillInUse
from c2c_stasis.ids import KEY
from c2c_stasis.times import rfc3339


class CreateKey(Struct, kw_only=True):
    """A new key; without `livemode` it is of the same kind as the key that asks."""

    livemode: bool | UnsetType = UNSET
    networks: list[str] | UnsetType | None = UNSET


class RotateKey(Struct, kw_only=True):
    """For how many seconds the old key still opens what it opened; at most 30 days."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=2_592_000)] = 86_400


class KeyRecord(Struct, frozen=True):
    """A key: its first characters, and once the whole of it."""

    id: str
    hint: str
    livemode: bool
    status: str
    created_at: str | None
    revoked_at: str | None
    expires_at: str | None
    last_used_at: str | None
    networks: list[str]
    secret: str | UnsetType = UNSET


class KeyRoutes(ResourceRoutes):
    """The routes of keys."""

    def routes(self) -> list[Route]:
        """For the route table."""
        every, one = "/v1/keys", "/v1/keys/{key_id:[^/]+}"
        return [
            self._doors.platform("GET", every, self.page, filters=Paging, gives=Listed[KeyRecord]),
            self._doors.platform("POST", every, self.create, takes=CreateKey, gives=KeyRecord),
            self._doors.platform("GET", one, self.show, gives=KeyRecord),
            self._doors.platform(
                *("POST", one + "/rotate", self.rotate),
                takes=RotateKey,
                body_may_be_missing=True,
                gives=KeyRecord,
            ),
            self._doors.platform("DELETE", one, self.revoke, errors=("in_use",)),
        ]

    async def page(self, asked: Asked) -> web.Response:
        """A page of keys, those included that are revoked."""
        page = await self._store.page(Key, asked.key.platform_id, asked.filters(Paging).wish())
        return answer(listed(asked.request, page, [key_record(key) for key in page.entries]))

    async def create(self, asked: Asked) -> web.Response:
        """A new key. A test key makes test keys only, else it would be a live one to whoever holds it."""
        given = said(await asked.body(CreateKey))
        livemode, networks = given.get("livemode", asked.key.livemode), given.get("networks") or ()
        if livemode and not asked.key.livemode:
            raise NotAllowed("a test key makes test keys only")
        change = self._store.create_key(asked.key.platform_id, livemode=livemode, networks=networks)
        secret, key = await self._changed(change)
        return answer(key_record(key, secret), 201)

    async def show(self, asked: Asked) -> web.Response:
        """One key."""
        return answer(key_record(await self._named(asked)))

    async def rotate(self, asked: Asked) -> web.Response:
        """A new key in the place of an old one, which may be the key of the request."""
        key = await self._named(asked)
        if key.livemode and not asked.key.livemode:
            raise NotAllowed("a test key rotates test keys only")
        overlap = (await asked.body_if_any(RotateKey)).overlap_seconds
        secret, made = await self._changed(self._store.rotate_key(key.id, overlap))
        return answer(key_record(made, secret), 201)

    async def revoke(self, asked: Asked) -> web.Response:
        """Make a key useless, and the sessions that it opened. No key revokes itself, so that one stays that can be used."""
        key = await self._named(asked)
        if key.id == asked.key.id:
            raise StillInUse("it is the key of this request; use another one to revoke it")
        if key.livemode and not asked.key.livemode:
            raise NotAllowed("a test key revokes test keys only")
        await self._changed(self._store.revoke_key(key.id))
        return nothing()

    async def _named(self, asked: Asked) -> Key:
        key_id = asked.path_id("key_id", KEY, KeyNotFound)
        return there(await self._store.find(Key, asked.key.platform_id, key_id), KeyNotFound)


def key_record(key: Key, secret: str | UnsetType = UNSET) -> KeyRecord:
    """A key as the API shows it."""
    return KeyRecord(
        id=key.id,
        hint=key.hint,
        livemode=key.livemode,
        status=_status(key),
        created_at=rfc3339(key.created_at),
        revoked_at=rfc3339(key.revoked_at),
        expires_at=rfc3339(key.expires_at),
        last_used_at=rfc3339(key.last_used_at),
        networks=[text for text in key.networks.split(", ") if text],
        secret=secret,
    )


def _status(key: Key) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= time.time() else "active"
