"""What `init` puts into the database: the first platform and its key, and whatever is asked for beside it.

Everything is compared with what is there before anything is written, and what is there already is kept; so `init` can be run
again, and one that was interrupted is completed by the same command.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from c2c_stasis.config import Emergency
from c2c_stasis.directory.dial_strings import as_emergency
from c2c_stasis.directory.model import Account, Device, DirectoryRows, Extension, PhoneNumber, Platform, User
from c2c_stasis.errors import ClickToCallError, InvalidRequest
from c2c_stasis.ids import AccountId, UserId
from c2c_stasis.store import validation
from c2c_stasis.store.provisioning import Provisioning

T = TypeVar("T")
N = TypeVar("N", Platform, Account, User)

_DEFAULT_PLATFORM = "default"
_DEFAULT_REGION = "US"
_DEFAULT_TIMEZONE = "UTC"
_DEFAULT_EXTENSION_LENGTH = 4


class Refused(ClickToCallError):
    """What is asked for contradicts itself or what is there; `problems` says it all, each with what to do."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the options ask for; None is what was not said. Accounts and users go by name or by id."""

    platform: str | None = None
    account: str | None = None
    region: str | None = None
    timezone: str | None = None
    extension_length: int | None = None
    user: str | None = None
    devices: tuple[str, ...] = ()
    extension: str | None = None
    caller_number: str | None = None
    new_key: bool = False


@dataclass(slots=True)
class Outcome:
    """What there is afterwards, as far as it was asked for, and what of it is new."""

    platform: Platform
    account: Account | None = None
    only_account: bool = False
    user: User | None = None
    devices: list[Device] = field(default_factory=list)
    extension: Extension | None = None
    user_has_devices: bool = False
    caller_number: PhoneNumber | None = None
    replaced_number: str | None = None
    needs_key: bool = False
    key: str | None = None
    created: list[str] = field(default_factory=list)

    @property
    def anonymous(self) -> bool:
        """Whether there is a user whose calls show no number."""
        numbers = [one.caller_number_id for one in (self.account, self.user) if one is not None]
        return self.user is not None and not any(numbers)


class Plan:
    """The wishes held against the directory, and against the endpoints of the trunks.

    Raises `Refused` with everything that is wrong, and has then changed nothing.
    """

    def __init__(self, rows: DirectoryRows, wishes: Wishes, trunks: Collection[str] = ()) -> None:
        self._rows = rows
        self._trunks = trunks
        self._wishes = wishes
        self._problems: list[str] = []
        self._platform = self._find_platform()
        self._account = self._find_account()
        self._user = self._find_user()
        self._devices = [self._find_device(endpoint) for endpoint in dict.fromkeys(wishes.devices)]
        self._extension = self._find_extension()
        self._number = self._find_number()
        if self._problems:
            raise Refused(self._problems)

    async def carry_out(self, store: Provisioning) -> Outcome:
        """Make what is missing, but not the key: see `Outcome.needs_key`. Raises `StoreUnavailable`."""
        wishes, created = self._wishes, list[str]()
        platform = self._platform
        if platform is None:
            platform = await store.create_platform(wishes.platform or _DEFAULT_PLATFORM)
            created.append("platform")
        mine = [key for key in self._rows.keys if key.platform_id == platform.id]
        has_key = any(
            key.revoked_at is None and key.expires_at is None for key in mine
        )  # one that expires is no key to keep
        result = Outcome(platform, needs_key=wishes.new_key or not has_key, created=created)
        account = self._account
        if account is None and wishes.account is not None:
            account = await store.create_account(
                platform.id,
                wishes.account,
                region=wishes.region or _DEFAULT_REGION,
                timezone=wishes.timezone or _DEFAULT_TIMEZONE,
                extension_length=wishes.extension_length or _DEFAULT_EXTENSION_LENGTH,
            )
            created.append("account")
        result.account = account
        result.only_account = account is not None and {one.id for one in self._rows.accounts} <= {account.id}
        if account is not None:
            await self._complete(store, account, result)
        return result

    async def _complete(self, store: Provisioning, account: Account, result: Outcome) -> None:
        wishes, created = self._wishes, result.created
        user = self._user
        if user is None and wishes.user is not None:
            user = await store.create_user(account.id, wishes.user)
            created.append("user")
        result.user = user
        if user is not None:
            there = any(device.user_id == user.id for device in self._rows.devices)
            result.user_has_devices = there or bool(wishes.devices)
            for endpoint, device in zip(dict.fromkeys(wishes.devices), self._devices, strict=True):
                if device is None:
                    device = await store.create_device(account.id, user.id, endpoint)
                    created.append(f"device {endpoint}")
                result.devices.append(device)
            result.extension = self._extension
            if result.extension is None and wishes.extension is not None:
                result.extension = await store.create_extension(account.id, wishes.extension, user.id)
                created.append("extension")
        if wishes.caller_number is not None:
            number = self._number
            if number is None:
                number = await store.create_phone_number(account.id, wishes.caller_number)
                created.append("caller number")
            result.caller_number = number
            if account.caller_number_id != number.id:
                result.replaced_number = self._number_of(account)
                result.account = await store.set_account_caller_number(account.id, number.id)

    def _number_of(self, account: Account) -> str | None:
        return next((one.number for one in self._rows.numbers if one.id == account.caller_number_id), None)

    # --- what is there, and what contradicts it ---

    def _find_platform(self) -> Platform | None:
        wish, platforms = self._wishes.platform, self._rows.platforms
        if not platforms:
            if wish is not None:
                self._new("--platform", wish, validation.name)
            return None
        if wish is None and len(platforms) == 1:
            return platforms[0]
        names = ", ".join(f"{platform.name} ({platform.id})" for platform in platforms)
        found = self._named("--platform", wish, platforms)
        if found is None:
            self._refuse(
                f"--platform: init makes the first platform only; there is {names}. Name that, or leave it out."
            )
        return found

    def _find_account(self) -> Account | None:
        wishes = self._wishes
        accounts = [one for one in self._rows.accounts if self._platform and one.platform_id == self._platform.id]
        if wishes.account is None:
            return self._only_account(accounts)
        found = self._named("--account", wishes.account, accounts)
        if found is None:
            self._new("--account", wishes.account, validation.name, prefix="acct_")
            self._check("--region", wishes.region, validation.region)
            self._check("--timezone", wishes.timezone, validation.timezone)
            self._check("--extension-length", wishes.extension_length, validation.extension_length)
            return None
        for option, wish, there in (
            ("--region", wishes.region, found.region),
            ("--timezone", wishes.timezone, found.timezone),
            ("--extension-length", wishes.extension_length, found.extension_length),
        ):
            if wish is not None and wish != there:
                self._refuse(f"{option}: account {found.name} has {there} already. Leave the option out.")
        return found

    def _only_account(self, accounts: list[Account]) -> Account | None:
        wishes = self._wishes
        about = ("region", "timezone", "extension_length")
        if any(getattr(wishes, name) is not None for name in about):
            self._refuse("--region, --timezone and --extension-length describe a new account. Add --account NAME.")
        if len(accounts) == 1:
            return accounts[0]
        if not (wishes.user or wishes.devices or wishes.extension or wishes.caller_number):
            return None
        which = "there is none yet" if not accounts else f"there are {len(accounts)}"
        self._refuse(f"users, devices and numbers belong to an account, and {which}. Add --account NAME.")
        return None

    def _find_user(self) -> User | None:
        wishes = self._wishes
        users = [one for one in self._rows.users if self._account and one.account_id == self._account.id]
        if wishes.user is None:
            if wishes.devices or wishes.extension:
                self._refuse("--device and --extension belong to a user. Add --user NAME.")
            return users[0] if len(users) == 1 else None
        found = self._named("--user", wishes.user, users)
        if found is None:
            self._new("--user", wishes.user, validation.name, prefix="user_")
        return found

    def _find_device(self, endpoint: str) -> Device | None:
        self._check("--device", endpoint, validation.endpoint)
        if endpoint in self._trunks:
            self._refuse(
                f"--device: {endpoint} is the endpoint of a trunk, and no phone. Name the endpoint of a phone."
            )
        found = next((device for device in self._rows.devices if device.endpoint == endpoint), None)
        if found is not None and (self._user is None or found.user_id != self._user.id):
            self._refuse(
                f"--device: {endpoint} rings for {self._who(found.user_id)} already. Name another endpoint, or that user."
            )
        return found

    def _find_extension(self) -> Extension | None:
        wishes, account = self._wishes, self._account
        if wishes.extension is None:
            return None
        length = account.extension_length if account else wishes.extension_length or _DEFAULT_EXTENSION_LENGTH
        places = [place.country for place in self._rows.locations if account and place.account_id == account.id]
        regions = [account.region if account else wishes.region or _DEFAULT_REGION, *places]
        self._check("--extension", wishes.extension, lambda number: validation.extension(number, length, regions))
        mine = [one for one in self._rows.extensions if account and one.account_id == account.id]
        found = next((one for one in mine if one.number == wishes.extension), None)
        meant = as_emergency(wishes.extension, regions, Emergency())
        if found is None and meant is not None and meant.number != wishes.extension:
            why = f"is dialled by who wants an outside line and {meant.number}, an emergency number"
            self._refuse(f"--extension: {wishes.extension} {why}. Choose another number.")
        if found is not None and (self._user is None or found.user_id != self._user.id):
            self._refuse(
                f"--extension: {found.number} leads to {self._who(found.user_id)} already. Choose another number."
            )
        return found

    def _find_number(self) -> PhoneNumber | None:
        wish = self._wishes.caller_number
        if wish is None:
            return None
        self._check("--caller-number", wish, validation.e164)
        found = next((one for one in self._rows.numbers if one.number == wish), None)
        if found is not None and (self._account is None or found.account_id != self._account.id):
            self._refuse(
                f"--caller-number: {wish} belongs to {self._which(found.account_id)} already. Choose another number."
            )
        return found

    # --- inside ---

    def _who(self, user_id: UserId) -> str:
        """A user in words."""
        name = next((one.name for one in self._rows.users if one.id == user_id), "a user")
        return f"{name} ({user_id})"

    def _which(self, account_id: AccountId) -> str:
        """An account in words."""
        name = next((one.name for one in self._rows.accounts if one.id == account_id), "another")
        return f"account {name} ({account_id})"

    def _named(self, option: str, wish: str | None, those: Iterable[N]) -> N | None:
        """The one with this name or id."""
        found = [one for one in those if wish in (one.id, one.name)]
        if len(found) > 1:
            ids = ", ".join(one.id for one in found)
            self._refuse(f"{option}: {len(found)} are called {wish}: {ids}. Give the id instead of the name.")
        return found[0] if found else None

    def _new(self, option: str, name: str, check: Callable[[str, str], str], *, prefix: str = "") -> None:
        """Check the name of something that is to be made; an id that nothing has is a mistake, and no name."""
        if prefix and name.startswith(prefix):
            self._refuse(f"{option}: there is no {name}. Give a name to make a new one.")
        self._check(option, name, lambda text: check("name", text))

    def _check(self, option: str, value: T | None, check: Callable[[T], T]) -> None:
        try:
            if value is not None:
                check(value)
        except InvalidRequest as error:
            self._refuse(f"{option} {error.reason}.")

    def _refuse(self, problem: str) -> None:
        if problem not in self._problems:
            self._problems.append(problem)
