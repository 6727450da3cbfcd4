"""`/v1/extensions`: short numbers inside an account that lead to users. An extension goes by its number."""

from aiohttp import web
from msgspec import UNSET, Struct, UnsetType

from c2c_stasis.api import problems
from c2c_stasis.api.fields import said
from c2c_stasis.api.paging import Listed, Paging, listed
from c2c_stasis.api.resources.base import ResourceRoutes, known_form, there
from c2c_stasis.api.routes import AskedForAccount, Route, answer, nothing
from c2c_stasis.directory.model import Extension, User
from c2c_stasis.errors import ExtensionNotFound, InvalidRequest
from c2c_stasis.ids import USER, UserId, is_id
from c2c_stasis.times import rfc3339


class ExtensionTarget(Struct, kw_only=True):
    """Whom an extension leads to: `target` and `user_id` mean the same, and `target` wins."""

    target: str | UnsetType | None = UNSET
    user_id: str | UnsetType | None = UNSET


class CreateExtension(ExtensionTarget, kw_only=True):
    """A new extension."""

    number: str


class UpdateExtension(ExtensionTarget, kw_only=True):
    """Another user for an extension."""


class ExtensionFilters(Paging, frozen=True, kw_only=True):
    """Which extensions: `target` and `user_id` mean the same, and `target` wins."""

    target: str = ""
    user_id: str = ""


class ExtensionRecord(Struct, frozen=True):
    """An extension; `target` is the user it leads to."""

    number: str
    target: str
    user: str
    user_id: str
    status: str
    created_at: str | None
    updated_at: str | None


class ExtensionRoutes(ResourceRoutes):
    """The routes of extensions."""

    def routes(self) -> list[Route]:
        """For the route table."""
        every, one = "/v1/extensions", "/v1/extensions/{number:[^/]+}"
        return [
            self._doors.account("GET", every, self.page, filters=ExtensionFilters, gives=Listed[ExtensionRecord]),
            self._doors.account(
                "POST", every, self.create, takes=CreateExtension, gives=ExtensionRecord, errors=("already_in_use",)
            ),
            self._doors.account("GET", one, self.show, gives=ExtensionRecord),
            self._doors.account("POST", one, self.update, takes=UpdateExtension, gives=ExtensionRecord),
            self._doors.account("DELETE", one, self.delete),
        ]

    async def page(self, asked: AskedForAccount) -> web.Response:
        """A page of extensions."""
        filters = asked.filters(ExtensionFilters)
        user_id = filters.target or filters.user_id
        equal = {"user_id": known_form("user_id", user_id, USER)} if user_id else {}
        page = await self._store.page(Extension, asked.account.id, filters.wish(), equal=equal)
        return answer(listed(asked.request, page, [extension_record(extension) for extension in page.entries]))

    async def create(self, asked: AskedForAccount) -> web.Response:
        """A new extension."""
        body = await asked.body(CreateExtension)
        user_id = await self._target(asked, body)
        self._refuse_outside_line(asked, body.number)
        change = self._store.create_extension(asked.account.id, body.number, user_id)
        return answer(extension_record(await self._changed(change)), 201)

    async def show(self, asked: AskedForAccount) -> web.Response:
        """One extension."""
        found = await self._store.find(Extension, asked.account.id, _number(asked))
        return answer(extension_record(there(found, ExtensionNotFound)))

    async def update(self, asked: AskedForAccount) -> web.Response:
        """Let an extension lead to another user."""
        body = await asked.body(UpdateExtension)
        there(await self._store.find(Extension, asked.account.id, _number(asked)), ExtensionNotFound)
        user_id = await self._target(asked, body)
        change = self._store.update_extension(asked.account.id, _number(asked), {"user_id": user_id})
        return answer(extension_record(await self._changed(change)))

    async def delete(self, asked: AskedForAccount) -> web.Response:
        """Remove an extension."""
        await self._changed(self._store.delete_extension(asked.account.id, _number(asked)))
        return nothing()

    def _refuse_outside_line(self, asked: AskedForAccount, number: str) -> None:
        """Raises `InvalidRequest` for an extension 9911: it takes the calls of who dials 9 for an outside line, then 911."""
        meant = self._service.hidden_emergency_number(asked.account, number)
        if meant is not None and meant != number:
            reason = (
                f"is dialled by who wants an outside line and {meant}, an emergency number ([emergency] outside_line)"
            )
            raise InvalidRequest("number", reason)

    async def _target(self, asked: AskedForAccount, body: ExtensionTarget) -> UserId:
        """The user that the body names. It is not the user of the path, so that a wrong one is a wrong field."""
        given = said(body)
        user_id = given.get("target") or given.get("user_id")
        if not user_id:
            raise problems.missing("target")
        if not is_id(user_id, USER) or await self._store.find(User, asked.account.id, user_id) is None:
            raise InvalidRequest("target", "is no user of this account")
        return UserId(user_id)


def extension_record(extension: Extension) -> ExtensionRecord:
    """An extension as the API shows it."""
    return ExtensionRecord(
        number=extension.number,
        target=extension.user_id,
        user=extension.user_id,
        user_id=extension.user_id,
        status="active",
        created_at=rfc3339(extension.created_at),
        updated_at=rfc3339(extension.updated_at or extension.created_at),
    )


def _number(asked: AskedForAccount) -> str:
    return asked.request.match_info["number"]
