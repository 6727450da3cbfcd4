"""`/v1/accounts`: the customers of a platform. They belong to its keys, so no account header is needed."""

import json
from typing import Any

import msgspec
from aiohttp import web
from msgspec import UNSET, Struct, UnsetType

from c2c_stasis.api import problems
from c2c_stasis.api.fields import Text, called, read, said
from c2c_stasis.api.paging import Listed, Paging, listed
from c2c_stasis.api.resources.base import ResourceRoutes, as_changes, there
from c2c_stasis.api.routes import Asked, Route, answer, nothing
from c2c_stasis.directory.changes import AccountChanges
from c2c_stasis.directory.model import Account
from c2c_stasis.errors import AccountNotFound
from c2c_stasis.ids import ACCOUNT, NumberId
from c2c_stasis.policy.settings import AccountPolicy
from c2c_stasis.times import rfc3339

_IN_CONFIG = {name: f"config.{name}" for name in ("region", "extension_length", "timezone")}


class AccountConfig(Struct, kw_only=True):
    """The part of `config` that we use; whatever else is in it is kept."""

    region: str | UnsetType = UNSET
    extension_length: int | UnsetType = UNSET
    timezone: str | UnsetType = UNSET


class KeptFields(Struct, kw_only=True):
    """What clients send with an account and we only give back."""

    address: Any = UNSET
    billing_address: Any = UNSET
    pricing: Any = UNSET
    phone: Any = UNSET
    hold_music_clip_id: Any = UNSET
    main_location_id: Any = UNSET
    default_button_template: Any = UNSET


class AccountFields(KeptFields, kw_only=True):
    """What an account may have."""

    name: str | UnsetType | None = UNSET
    email: Text = UNSET
    primary_contact_name: Text = UNSET
    config: dict[str, Any] | UnsetType | None = UNSET
    policy: dict[str, Any] | UnsetType | None = UNSET
    cors_origins: list[str] | UnsetType | None = UNSET


class CreateAccount(AccountFields, kw_only=True):
    """A new account; without a name it is called like its contact, else like its e-mail address."""


class UpdateAccount(AccountFields, kw_only=True):
    """Changes of an account."""

    caller_number_id: NumberId | UnsetType | None = UNSET


class AccountFilters(Paging, frozen=True, kw_only=True):
    """Which accounts: `search` is a part of the name or the e-mail address."""

    search: str = ""


class AccountRecord(Struct, frozen=True):
    """An account."""

    id: str
    name: str
    email: str | None
    primary_contact_name: str | None
    config: dict[str, Any]
    policy: dict[str, Any]
    caller_number: str | None
    caller_number_id: str | None
    cors_origins: list[str] | None
    address: Any
    billing_address: Any
    pricing: Any
    phone: Any
    hold_music_clip: Any
    hold_music_clip_id: Any
    main_location: Any
    main_location_id: Any
    default_button_template: Any
    created_at: str | None
    updated_at: str | None


class AccountRoutes(ResourceRoutes):
    """The routes of accounts."""

    def routes(self) -> list[Route]:
        """For the route table."""
        every, one = "/v1/accounts", "/v1/accounts/{account_id:[^/]+}"
        return [
            self._doors.platform("GET", every, self.page, filters=AccountFilters, gives=Listed[AccountRecord]),
            self._doors.platform("POST", every, self.create, takes=CreateAccount, gives=AccountRecord),
            self._doors.platform("GET", one, self.show, gives=AccountRecord),
            self._doors.platform("POST", one, self.update, takes=UpdateAccount, gives=AccountRecord),
            self._doors.platform("DELETE", one, self.delete, errors=("in_use",)),
        ]

    async def page(self, asked: Asked) -> web.Response:
        """A page of accounts."""
        filters = asked.filters(AccountFilters)
        page = await self._store.page(Account, asked.key.platform_id, filters.wish(), search=filters.search)
        return answer(listed(asked.request, page, [account_record(account) for account in page.entries]))

    async def create(self, asked: Asked) -> web.Response:
        """A new account."""
        given = _flat(said(await asked.body(CreateAccount)))
        name = given.pop("name", None) or given.get("primary_contact_name") or given.get("email")
        if not name:
            raise problems.missing("name")
        with called(_IN_CONFIG):
            change = self._store.create_account(asked.key.platform_id, name, **given)
            account = await self._changed(change)
        return answer(account_record(account), 201)

    async def show(self, asked: Asked) -> web.Response:
        """One account."""
        return answer(account_record(await self._named(asked)))

    async def update(self, asked: Asked) -> web.Response:
        """Change an account."""
        account, changes = await self._named(asked), _flat(said(await asked.body(UpdateAccount)))
        if "name" in changes and not changes["name"]:
            raise problems.missing("name")
        with called(_IN_CONFIG):
            change = self._store.update_account(account.id, as_changes(AccountChanges, changes))
            return answer(account_record(await self._changed(change)))

    async def delete(self, asked: Asked) -> web.Response:
        """Remove an account and its numbers; 409 as long as it has users."""
        account = await self._named(asked)
        await self._changed(self._store.delete_account(account.id))
        return nothing()

    async def _named(self, asked: Asked) -> Account:
        account_id = asked.path_id("account_id", ACCOUNT, AccountNotFound)
        return there(await self._store.find(Account, asked.key.platform_id, account_id), AccountNotFound)


def account_record(account: Account) -> AccountRecord:
    """An account as the API shows it."""
    kept = json.loads(account.kept)
    used = {name: getattr(account, name) for name in _IN_CONFIG}
    return AccountRecord(
        id=account.id,
        name=account.name,
        email=account.email or None,
        primary_contact_name=account.primary_contact_name or None,
        config=used | kept.get("config", {}),
        policy=json.loads(account.policy),
        caller_number=account.caller_number_id,
        caller_number_id=account.caller_number_id,
        cors_origins=None if account.page_origins is None else list(account.page_origins),
        hold_music_clip=kept.get("hold_music_clip_id"),
        main_location=kept.get("main_location_id"),
        **{name: kept.get(name) for name in KeptFields.__struct_fields__},
        created_at=rfc3339(account.created_at),
        updated_at=rfc3339(account.updated_at),
    )


def _flat(given: dict[str, Any]) -> dict[str, Any]:
    """The fields as the store has them: settings beside the name, and apart from them what is only kept."""
    kept = {name: given.pop(name) for name in KeptFields.__struct_fields__ if name in given}
    if "policy" in given:
        given["policy"] = _policy(given["policy"])
    config = given.pop("config", None) or {}
    used = {name: config[name] for name in _IN_CONFIG if name in config}
    settings = said(read(AccountConfig, used, within="config."))
    if others := {name: value for name, value in config.items() if name not in used}:
        kept["config"] = others
    return given | settings | ({"kept": kept} if kept else {})


def _policy(given: dict[str, Any] | None) -> str:
    """What is set for one account, as it is kept; null sets nothing. Raises `Problem`."""
    try:
        policy = read(AccountPolicy, given or {}, within="policy.")
    except ValueError as error:
        raise problems.invalid("policy", str(error)) from error
    return msgspec.json.encode(policy).decode()
