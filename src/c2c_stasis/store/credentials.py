"""How keys are rotated and sessions ended, and with what new sessions are signed."""

import secrets
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection, delete, insert, update

from c2c_stasis.directory.model import Account, Key, SigningKey, User
from c2c_stasis.directory.sessions import SEED_LENGTH
from c2c_stasis.errors import KeyNotFound, NotAllowed
from c2c_stasis.ids import SIGNING_KEY, AccountId, UserId, new_id
from c2c_stasis.store import tables
from c2c_stasis.store.changing import Changing, account_of, user_of
from c2c_stasis.store.creating import new_platform_key
from c2c_stasis.store.rows import read, row_of


class Credentials(Changing):
    """The part of the store that keeps credentials."""

    async def rotate_key(self, key_id: str, overlap: float) -> tuple[str, Key]:
        """A new key in the place of this one, which opens nothing after `overlap` seconds; or sooner, as was said before.

        Raises `NotAllowed` for a key that opens nothing already.
        """
        now = self._wall()

        def change(connection: Connection) -> tuple[str, Key]:
            old = _key_of(connection, key_id)
            if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
                raise NotAllowed("the key opens nothing any more; create a new one")
            secret, key = new_platform_key(old.platform_id, livemode=old.livemode, at=now, networks=old.networks)
            connection.execute(insert(tables.keys).values(row_of(key)))
            expires_at = min(now + overlap, old.expires_at or now + overlap)
            connection.execute(update(tables.keys).where(tables.keys.c.id == key_id).values(expires_at=expires_at))
            return secret, key

        return await self._change(change)

    async def revoke_key(self, key_id: str) -> Key:
        """Make a key useless, and the sessions that were opened with it; a key that is revoked stays revoked since then."""

        def change(connection: Connection) -> Key:
            found = _key_of(connection, key_id)
            if found.revoked_at is not None:
                return found
            revoked = replace(found, revoked_at=self._wall())
            connection.execute(update(tables.keys).where(tables.keys.c.id == key_id).values(row_of(revoked)))
            return revoked

        return await self._change(change)

    async def keys_used(self, at: Mapping[str, float]) -> None:
        """Keep when these keys were used last, by id. It changes nothing that anybody has to read again."""

        def write(connection: Connection) -> None:
            for key_id, used_at in at.items():
                connection.execute(update(tables.keys).where(tables.keys.c.id == key_id).values(last_used_at=used_at))

        await self._writer.run(write)

    async def revoke_user_sessions(self, account_id: AccountId, user_id: UserId) -> User:
        """End every session of a user that began until now."""

        def change(connection: Connection) -> User:
            user = user_of(connection, account_id, user_id)
            return self._alter(connection, user, {"sessions_revoked_at": self._wall()})

        return await self._change(change)

    async def revoke_account_sessions(self, account_id: AccountId) -> Account:
        """End every session of an account and of its users that began until now."""

        def change(connection: Connection) -> Account:
            account = account_of(connection, account_id)
            return self._alter(connection, account, {"sessions_revoked_at": self._wall()})

        return await self._change(change)

    async def renew_signing_key(self, older_than: float) -> SigningKey:
        """The newest signing key, or a new one when that was made before this time (Unix seconds), or there is none."""

        def change(connection: Connection) -> SigningKey:
            found = max(read(connection, SigningKey), key=lambda key: key.created_at, default=None)
            if found is not None and found.created_at >= older_than:
                return found
            made = SigningKey(new_id(SIGNING_KEY), secrets.token_bytes(SEED_LENGTH), self._wall())
            connection.execute(insert(tables.signing_keys).values(row_of(made)))
            return made

        return await self._change(change)

    async def forget_signing_keys(self) -> None:
        """End every session there is: what it is signed with is believed no more."""
        await self._change(lambda connection: connection.execute(delete(tables.signing_keys)))


def _key_of(connection: Connection, key_id: str) -> Key:
    """Raises `KeyNotFound`."""
    found = read(connection, Key, tables.keys.c.id == key_id)
    if not found:
        raise KeyNotFound
    return found[0]
