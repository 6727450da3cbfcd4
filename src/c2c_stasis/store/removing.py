"""How something leaves the directory; the call log keeps naming it."""

from sqlalchemy import Connection, delete, insert, update

from c2c_stasis.directory.model import Account, Device, Location, User
from c2c_stasis.errors import StillInUse
from c2c_stasis.ids import AccountId, DeviceId, LocationId, NumberId, UserId
from c2c_stasis.store import tables
from c2c_stasis.store.changing import Changing, account_of, user_of
from c2c_stasis.store.rows import read
from c2c_stasis.store.updating import device_of, extension_of, location_of, number_of
from c2c_stasis.store.webhooks import remove_endpoints

FORGOTTEN = {"name": "", "email": "", "kept": "{}", "caller_number_id": None}  # nothing personal stays in a deleted row

REMEMBERED = (
    90 * 86_400.0
)  # seconds; each costs three requests at every connect, and Asterisk does not stay away that long


class Removing(Changing):
    """The part of the store that removes."""

    async def delete_account(self, account_id: AccountId) -> None:
        """Remove an account with its numbers, locations and webhooks. Raises `StillInUse` as long as it has users."""

        def change(connection: Connection) -> None:
            account_of(connection, account_id)
            if users := len(read(connection, User, tables.users.c.account_id == account_id)):
                raise StillInUse(f"the account has {users} {'user' if users == 1 else 'users'}; delete them first")
            forgotten = FORGOTTEN | {"primary_contact_name": "", "deleted_at": self._wall()}
            connection.execute(update(tables.accounts).where(tables.accounts.c.id == account_id).values(forgotten))
            for table in (tables.locations, tables.phone_numbers):
                connection.execute(delete(table).where(table.c.account_id == account_id))
            remove_endpoints(connection, tables.webhook_endpoints.c.account_id == account_id, self._wall())
            self._writer.outbox.endpoints_changed()

        await self._change(change)

    async def delete_user(self, account_id: AccountId, user_id: UserId) -> None:
        """Remove a user, and the devices and extensions with it."""

        def change(connection: Connection) -> None:
            user_of(connection, account_id, user_id)
            mine = tables.devices.c.account_id == account_id, tables.devices.c.user_id == user_id
            for device in read(connection, Device, *mine):
                self._remember(connection, device)
            for table in (tables.devices, tables.extensions):
                connection.execute(delete(table).where(table.c.account_id == account_id, table.c.user_id == user_id))
            forgotten = FORGOTTEN | {"location_id": None, "deleted_at": self._wall()}
            connection.execute(update(tables.users).where(tables.users.c.id == user_id).values(forgotten))

        await self._change(change)

    async def delete_device(self, account_id: AccountId, device_id: DeviceId) -> None:
        """Remove a device; an endpoint that was attached may become another user's."""

        def change(connection: Connection) -> None:
            self._remember(connection, device_of(connection, account_id, device_id))
            connection.execute(delete(tables.devices).where(tables.devices.c.id == device_id))

        await self._change(change)

    def _remember(self, connection: Connection, device: Device) -> None:
        """Keep in mind that Asterisk must not have the endpoint of this device any more, if it was ours."""
        removed, now = tables.removed_endpoints, self._wall()
        connection.execute(delete(removed).where(removed.c.removed_at < now - REMEMBERED))
        if device.provisioned:
            connection.execute(insert(removed).values(endpoint=device.endpoint, removed_at=now))

    async def delete_extension(self, account_id: AccountId, number: str) -> None:
        """Remove an extension."""

        def change(connection: Connection) -> None:
            extension_of(connection, account_id, number)
            mine, same = tables.extensions.c.account_id == account_id, tables.extensions.c.number == number
            connection.execute(delete(tables.extensions).where(mine, same))

        await self._change(change)

    async def delete_phone_number(self, account_id: AccountId, number_id: NumberId) -> None:
        """Remove a number. Raises `StillInUse` as long as somebody shows it: calls without a number are often refused."""

        def change(connection: Connection) -> None:
            number = number_of(connection, account_id, number_id)
            users = read(connection, User, tables.users.c.caller_number_id == number.id)
            accounts = read(connection, Account, tables.accounts.c.caller_number_id == number.id)
            locations = read(connection, Location, tables.locations.c.primary_number_id == number.id)
            if locations:
                raise StillInUse(f"it is the number of {locations[0].id}; give that location another one first")
            if shown_by := [account.id for account in accounts] + [user.id for user in users]:
                raise StillInUse(f"it is the caller number of {', '.join(shown_by[:3])}; give another one first")
            connection.execute(delete(tables.phone_numbers).where(tables.phone_numbers.c.id == number.id))

        await self._change(change)

    async def delete_location(self, account_id: AccountId, location_id: LocationId) -> None:
        """Remove a location. Raises `StillInUse` as long as a user or a device is there."""

        def change(connection: Connection) -> None:
            location = location_of(connection, account_id, location_id)
            users = read(connection, User, tables.users.c.location_id == location.id)
            devices = read(connection, Device, tables.devices.c.location_id == location.id)
            if there := [user.id for user in users] + [device.id for device in devices]:
                verb = "is" if len(there) == 1 else "are"
                raise StillInUse(f"{', '.join(there[:3])} {verb} there; give another location first")
            connection.execute(delete(tables.locations).where(tables.locations.c.id == location.id))

        await self._change(change)
