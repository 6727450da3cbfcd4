# Drawn from ../asynchronous/accounts.py by tools/draw_client.py; change it there.
"""Accounts: tenants of a platform."""

from collections.abc import Iterator
from typing import Unpack

from c2c_stasis.client.fields import AccountChanges, AccountFields
from c2c_stasis.client.records import Account
from c2c_stasis.client.synchronous.asking import Resource


class Accounts(Resource):
    """`/v1/accounts`. A client needs no account of its own for them."""

    def create(self, **fields: Unpack[AccountFields]) -> Account:
        """A new account."""
        return self._post(Account, "accounts", body=fields)

    def retrieve(self, account_id: str) -> Account:
        """One account."""
        return self._get(Account, "accounts", account_id)

    def list(self, *, search: str | None = None) -> Iterator[Account]:
        """All accounts, or those whose name or e-mail address holds this, newest first."""
        return self._every(Account, "accounts", search=search)

    def update(self, account_id: str, **fields: Unpack[AccountChanges]) -> Account:
        """Change what is said."""
        return self._post(Account, "accounts", account_id, body=fields)

    def delete(self, account_id: str) -> None:
        """Remove an account that has no users."""
        self._delete("accounts", account_id)
