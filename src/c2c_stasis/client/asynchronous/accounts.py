"""Accounts: tenants of a platform."""

from collections.abc import AsyncIterator
from typing import Unpack

from c2c_stasis.client.asynchronous.asking import Resource
from c2c_stasis.client.fields import AccountChanges, AccountFields
from c2c_stasis.client.records import Account


class Accounts(Resource):
    """`/v1/accounts`. A client needs no account of its own for them."""

    async def create(self, **fields: Unpack[AccountFields]) -> Account:
        """A new account."""
        return await self._post(Account, "accounts", body=fields)

    async def retrieve(self, account_id: str) -> Account:
        """One account."""
        return await self._get(Account, "accounts", account_id)

    def list(self, *, search: str | None = None) -> AsyncIterator[Account]:
        """All accounts, or those whose name or e-mail address holds this, newest first."""
        return self._every(Account, "accounts", search=search)

    async def update(self, account_id: str, **fields: Unpack[AccountChanges]) -> Account:
        """Change what is said."""
        return await self._post(Account, "accounts", account_id, body=fields)

    async def delete(self, account_id: str) -> None:
        """Remove an account that has no users."""
        await self._delete("accounts", account_id)
