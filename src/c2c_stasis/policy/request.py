"""What is asked of the policy, and what it answers."""

from msgspec import Struct

from c2c_stasis.call.model import DestinationKind
from c2c_stasis.errors import ClickToCallError, DestinationNotAllowed, LimitReached, NumberNotDialable, UserBusy
from c2c_stasis.ids import AccountId, UserId
from c2c_stasis.policy.numbers import NumberClass
from c2c_stasis.policy.rates import Rate
from c2c_stasis.policy.rules import VERDICTS, Rule


class Request(Struct, frozen=True):
    """Who wants to call what; the dial string has been read.

    `number` is E.164, the extension, or the emergency digits; `region` is where the user is: home. Calls of test keys are
    counted apart from others. A session has no `key_id`: its account and its user have limits.
    """

    kind: DestinationKind
    number: str
    region: str
    account_id: AccountId
    user_id: UserId
    key_id: str | None = None
    livemode: bool = True


class Decision(Struct, frozen=True):
    """Whether the call may be, and the rule that decided; `reason` is a sentence for people.

    `number_class` and `region` are those of a telephone number. `limit` is what the limit was, `retry_after` the seconds after
    which the same request would be let through, as far as that can be known. `longest` are the seconds for which an allowed
    call may talk before a limit is used up.
    """

    rule: Rule
    reason: str
    number_class: NumberClass | None = None
    region: str | None = None
    international: bool = False
    rate: Rate | None = None
    limit: float | None = None
    retry_after: int | None = None
    longest: int | None = None

    @property
    def allowed(self) -> bool:
        """Whether the call may be."""
        return VERDICTS[self.rule].status is None

    @property
    def status(self) -> int | None:
        """The HTTP status of the refusal."""
        return VERDICTS[self.rule].status

    @property
    def code(self) -> str:
        """The error code of the refusal; empty when the call may be."""
        return VERDICTS[self.rule].code

    def check(self) -> None:
        """Let an allowed call pass. Raises `DestinationNotAllowed`, `LimitReached`, `UserBusy` or `NumberNotDialable`."""
        if not self.allowed:
            raise self.error

    @property
    def error(self) -> ClickToCallError:
        """A refusal as an error."""
        match self.status:
            case 400:
                return NumberNotDialable(self.reason, self.rule)
            case 403:
                return DestinationNotAllowed(self.rule, self.reason)
            case 409:
                return UserBusy(int(self.limit or 0))
            case _:
                return LimitReached(self.rule, self.reason, self.retry_after or 1)


def refused(error: NumberNotDialable) -> Decision:
    """The decision about a dial string that could not be read, or that leads nowhere."""
    return Decision(Rule(error.rule), error.reason)
