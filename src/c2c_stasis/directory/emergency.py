"""What an emergency call is, and what it is given: where the caller is, who can be called back, and what nobody has said.

Emergency numbers are those of where the user is (`Directory.regions`), not of where the account was opened alone.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from c2c_stasis.call.model import EmergencyDetails, Lack
from c2c_stasis.config import Emergency, Trunk
from c2c_stasis.directory import dial_strings
from c2c_stasis.directory.dial_strings import Dialled
from c2c_stasis.directory.directory import Directory
from c2c_stasis.directory.model import Account, DirectoryRows, Location, PhoneNumber, User
from c2c_stasis.ids import AccountId

NOBODY_TOLD = "notification"  # no webhook endpoint of the account wants `call.emergency`


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is not prepared for emergency calls of an account; `users` are those whom it concerns, if not all.

    `what` is a `Lack`, or `NOBODY_TOLD`. No `account` means every account.
    """

    what: str
    account: Account | None = None
    users: tuple[User, ...] = ()


def meant(directory: Directory, account: Account, user: User, dial_string: str, settings: Emergency) -> Dialled | None:
    """The emergency number that a user means by this text, if it is one.

    With the digits of an outside line before it, it is one unless the account has an extension of just these digits.
    """
    found = dial_strings.as_emergency(dial_string, directory.regions(account, user), settings)
    digits = dial_strings.digits_of(dial_string)
    if found is not None and found.number != digits and directory.extension(account.id, digits) is not None:
        return None
    return found


def details(
    directory: Directory, user: User, dialled: Dialled, number: PhoneNumber | None, ways: Sequence[Trunk]
) -> EmergencyDetails:
    """What is told of an emergency call of this user that shows this number and tries these trunks."""
    location = directory.location(user)
    return EmergencyDetails(
        test=dial_strings.is_emergency_test(dialled),
        location_id=location.id if location else None,
        location_name=location.name if location else "",
        address=location.lines if location else {},
        missing=tuple(_missing(location, number, ways)),
    )


def gaps(rows: DirectoryRows, ways_out: Sequence[Trunk], told: Collection[AccountId]) -> list[Gap]:
    """What is not prepared, for all who have a phone; `told`: the accounts whose emergency calls are told."""
    if not rows.devices or all(trunk.test for trunk in ways_out):
        return []
    found = [] if any(trunk.emergency for trunk in ways_out) else [Gap(Lack.TRUNK)]
    directory = Directory.of(rows)
    for account in rows.accounts:
        callers = [user for user in rows.users if user.account_id == account.id and directory.devices(user.id)]
        nobody = tuple(user for user in callers if directory.callback_number(account, user) is None)
        nowhere = tuple(user for user in callers if directory.location(user) is None)
        found += [Gap(Lack.CALLBACK_NUMBER, account, nobody)] if nobody else []
        found += [Gap(Lack.LOCATION, account, nowhere)] if nowhere else []
        found += [Gap(NOBODY_TOLD, account)] if callers and account.id not in told else []
    return found


def _missing(location: Location | None, number: PhoneNumber | None, ways: Sequence[Trunk]) -> Iterator[Lack]:
    if not any(trunk.emergency or trunk.test for trunk in ways):
        yield Lack.TRUNK
    if number is None:
        yield Lack.CALLBACK_NUMBER
    if location is None:
        yield Lack.LOCATION
