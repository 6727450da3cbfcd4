"""`/v1/users`: whose phones ring."""

import json
from typing import Any

from aiohttp import web
from msgspec import UNSET, Struct, UnsetType, field

from c2c_stasis.api import problems
from c2c_stasis.api.fields import Text, said
from c2c_stasis.api.paging import Listed, Paging, listed, listed_at
from c2c_stasis.api.resources.base import ResourceRoutes, as_changes, there
from c2c_stasis.api.resources.extensions import ExtensionRecord, extension_record
from c2c_stasis.api.routes import AskedForAccount, Route, answer, nothing
from c2c_stasis.directory.changes import UserChanges
from c2c_stasis.directory.model import Extension, User
from c2c_stasis.directory.pages import Wish
from c2c_stasis.errors import UserNotFound
from c2c_stasis.ids import USER, LocationId, NumberId, UserId
from c2c_stasis.times import rfc3339

_MOST_EXTENSIONS = 100  # of one user, in an expanded record


class UserFields(Struct, kw_only=True):
    """What a user has beside a name. `config` belongs to the client and is kept as it is."""

    email: Text = UNSET
    do_not_disturb: bool | UnsetType = UNSET
    caller_number_id: NumberId | UnsetType | None = UNSET
    location_id: LocationId | UnsetType | None = UNSET
    config: dict[str, Any] | UnsetType | None = UNSET


class CreateUser(UserFields, kw_only=True):
    """A new user; without a name it is called like its e-mail address."""

    name: str | UnsetType | None = UNSET


class UpdateUser(UserFields, kw_only=True):
    """Changes of a user."""

    name: str | UnsetType = UNSET


class UserExpand(Struct, frozen=True, kw_only=True):
    """What is shown with a user."""

    expand: list[str] = field(default_factory=list, name="expand[]")


class UserFilters(Paging, frozen=True, kw_only=True):
    """Which users: `search` is a part of the name or the e-mail address."""

    search: str = ""
    expand: list[str] = field(default_factory=list, name="expand[]")


class UserRecord(Struct, frozen=True):
    """A user."""

    id: str
    name: str
    email: str | None
    do_not_disturb: bool
    caller_number: str | None
    caller_number_id: str | None
    location: str | None
    location_id: str | None
    config: dict[str, Any]
    created_at: str | None
    updated_at: str | None
    extensions: Listed[ExtensionRecord] | UnsetType = UNSET  # when asked for with expand[]=extensions


class UserRoutes(ResourceRoutes):
    """The routes of users."""

    def routes(self) -> list[Route]:
        """For the route table."""
        every, one = "/v1/users", "/v1/users/{user_id:[^/]+}"
        return [
            self._doors.account("GET", every, self.page, filters=UserFilters, gives=Listed[UserRecord]),
            self._doors.account("POST", every, self.create, takes=CreateUser, gives=UserRecord),
            self._doors.account("GET", one, self.show, filters=UserExpand, gives=UserRecord),
            self._doors.account("POST", one, self.update, takes=UpdateUser, gives=UserRecord),
            self._doors.account("DELETE", one, self.delete, errors=("in_use",)),
        ]

    async def page(self, asked: AskedForAccount) -> web.Response:
        """A page of users."""
        filters = asked.filters(UserFilters)
        expanded = _expanded(filters.expand)
        page = await self._store.page(User, asked.account.id, filters.wish(), search=filters.search)
        return answer(listed(asked.request, page, [await self._record(user, expanded) for user in page.entries]))

    async def create(self, asked: AskedForAccount) -> web.Response:
        """A new user."""
        given = _kept_apart(said(await asked.body(CreateUser)))
        name = given.pop("name", None) or given.get("email")
        if not name:
            raise problems.missing("name")
        user = await self._changed(self._store.create_user(asked.account.id, name, **given))
        return answer(await self._record(user), 201)

    async def show(self, asked: AskedForAccount) -> web.Response:
        """One user."""
        expanded = _expanded(asked.filters(UserExpand).expand)
        found = await self._store.find(User, asked.account.id, _user_id(asked))
        return answer(await self._record(there(found, UserNotFound), expanded))

    async def update(self, asked: AskedForAccount) -> web.Response:
        """Change a user."""
        user_id, changes = _user_id(asked), _kept_apart(said(await asked.body(UpdateUser)))
        change = self._store.update_user(asked.account.id, user_id, as_changes(UserChanges, changes))
        return answer(await self._record(await self._changed(change)))

    async def delete(self, asked: AskedForAccount) -> web.Response:
        """Remove a user with devices and extensions; 409 while a call of or to the user lives."""
        account, user_id = asked.account, _user_id(asked)
        there(await self._store.find(User, account.id, user_id), UserNotFound)
        async with self._service.removing_user(user_id):
            await self._store.delete_user(account.id, user_id)
        await self._service.directory_changed()
        return nothing()

    async def _record(self, user: User, expanded: bool = False) -> UserRecord:
        extensions: Listed[ExtensionRecord] | UnsetType = UNSET
        if expanded:
            wish = Wish(_MOST_EXTENSIONS)
            found = await self._store.page(Extension, user.account_id, wish, equal={"user_id": user.id})
            records = [extension_record(extension) for extension in found.entries]
            extensions = listed_at("/v1/extensions", [("user_id", user.id), ("limit", f"{wish.limit}")], found, records)
        return UserRecord(
            id=user.id,
            name=user.name,
            email=user.email or None,
            do_not_disturb=user.do_not_disturb,
            caller_number=user.caller_number_id,
            caller_number_id=user.caller_number_id,
            location=user.location_id,
            location_id=user.location_id,
            config=json.loads(user.kept).get("config", {}),
            created_at=rfc3339(user.created_at),
            updated_at=rfc3339(user.updated_at),
            extensions=extensions,
        )


def _user_id(asked: AskedForAccount) -> UserId:
    return UserId(asked.path_id("user_id", USER, UserNotFound))


def _expanded(names: list[str]) -> bool:
    for name in names:
        if name != "extensions":
            raise problems.invalid("expand[]", "can be extensions only")
    return bool(names)


def _kept_apart(given: dict[str, Any]) -> dict[str, Any]:
    """The client's own fields as what is kept."""
    kept = {"kept": {"config": given.pop("config")}} if "config" in given else {}
    return given | kept
