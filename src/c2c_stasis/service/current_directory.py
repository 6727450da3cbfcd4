"""The directory as the service uses it now: read again when it changed, and without a user who is being removed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager

from c2c_stasis.directory.directory import Directory
from c2c_stasis.directory.model import Account, DirectoryRows, User
from c2c_stasis.directory.sip_account import Registrant
from c2c_stasis.errors import UserNotFound
from c2c_stasis.ids import UserId
from c2c_stasis.ports import Store

Watch = Callable[[set[str]], Awaitable[None]]
Provision = Callable[[Mapping[str, Registrant], Iterable[str]], Awaitable[None]]


class CurrentDirectory:
    """`now` is the state that counts.

    `watch` is told the endpoints whose contacts must be known; `provision`, those that the switch must have by our doing, with
    whom each is for, and those that it must not have any more.
    """

    def __init__(self, store: Store, watch: Watch, provision: Provision) -> None:
        self.now = Directory.of(DirectoryRows())
        self._store = store
        self._watch = watch
        self._provision = provision
        self._endpoints: set[str] = set()
        self._provisioned: dict[str, Registrant] = {}
        self._removed: tuple[str, ...] = ()
        self._turn = asyncio.Lock()  # else an older reading could replace a newer one
        self._begun = 0  # readings; the last that was completed is `_done`
        self._done = 0

    async def refresh(self) -> None:
        """Read it again; one reading serves all who ask while another one runs.

        Raises `StoreUnavailable`; and `SwitchUnavailable` or `SwitchRefused` when the directory is read, but new devices could
        not be provisioned, or their contacts not be looked up. A switch that did not answer the one is not asked for the other:
        somebody waits.
        """
        wanted = self._begun + 1  # one that has begun already may not see the change that we were asked for
        async with self._turn:
            if self._done < wanted:
                self._begun += 1
                number = self._begun
                rows = await self._store.directory()
                self.now = Directory.of(rows)
                self._endpoints = {device.endpoint for device in rows.devices}
                self._provisioned = {one.endpoint: one.registrant for one in rows.devices if one.provisioned}
                self._removed = rows.removed_endpoints
                self._done = number
        await self._provision(self._provisioned, self._removed)
        await self._watch(self._endpoints)

    def user(self, account: Account, user_id: str) -> User:
        """The user, if it is one of the account's. Raises `UserNotFound`."""
        user = self.now.user(account.id, UserId(user_id))
        if user is None:
            raise UserNotFound
        return user

    @asynccontextmanager
    async def without_user(self, user_id: UserId) -> AsyncIterator[None]:
        """Let nobody find this user from now on; if the removal fails, the user is there again."""
        async with self._turn:
            before = self.now
            self.now = before.without_user(user_id)
            try:
                yield
            except BaseException:
                self.now = before
                raise
