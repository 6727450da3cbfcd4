"""Whether calls may be: the policy with what is configured, what each account has of its own, and what was counted lately."""

import logging
from collections import defaultdict

import msgspec

from c2c_stasis.call.model import Call, DestinationKind, Now
from c2c_stasis.directory.directory import Directory
from c2c_stasis.directory.model import Account
from c2c_stasis.ids import AccountId
from c2c_stasis.policy import engine
from c2c_stasis.policy.counting import SECOND
from c2c_stasis.policy.request import Decision, Request
from c2c_stasis.policy.settings import AccountPolicy, Settings
from c2c_stasis.policy.usage import DAY, INTERNATIONAL_SPAN, Past, Usage
from c2c_stasis.ports import RecentCall, Store

logger = logging.getLogger(__name__)

_LONGEST = 86_400.0  # seconds that a call may last: what ended within a day began at most so much earlier


class Permission:
    """Asks the policy, and counts. `usage` is told by whoever accepts calls and by whoever drives them."""

    def __init__(self, settings: Settings) -> None:
        self.usage = Usage()
        self._settings = settings
        self._of_account: dict[AccountId, tuple[str, Settings]] = {}

    def use(self, settings: Settings) -> None:
        """Let these count from now on; what was counted stays."""
        self._settings = settings
        self._of_account.clear()

    def settings(self, account: Account) -> Settings:
        """What is allowed to this account. Its own part is read again when it has changed, and not for every call."""
        known = self._of_account.get(account.id)
        if known is None or known[0] != account.policy:
            known = account.policy, self._settings.for_account(_own(account))
            self._of_account[account.id] = known
        return known[1]

    def judge(self, request: Request, account: Account) -> Decision:
        """Whether this destination may be dialled at all."""
        return engine.judge(request, self.settings(account))

    def admit(self, request: Request, judged: Decision, account: Account, now: float) -> Decision:
        """Whether one more call may begin now; `now` is monotonic seconds."""
        return engine.admit(request, judged, self.settings(account), self.usage, now)

    def begin(self, call: Call, request: Request, decision: Decision, account: Account, now: float) -> None:
        """Count a call from now on. Nothing may be awaited between the question whether it may begin and this."""
        self.usage.begin(call.id, request, decision, self.settings(account), now)

    async def restore(self, store: Store, directory: Directory, now: Now) -> None:
        """Count what there was before we started. Raises `StoreUnavailable`."""
        began, talked = now.wall - INTERNATIONAL_SPAN / SECOND, now.wall - DAY / SECOND - _LONGEST
        by_account: defaultdict[AccountId, list[RecentCall]] = defaultdict(list)
        for one in await store.recent_calls(began, talked):
            by_account[one.account_id].append(one)
        for account_id, calls in by_account.items():
            account = directory.any_account(account_id)
            if account is not None:
                past = [self._past(one, account, now.wall) for one in calls]
                self.usage.restore(past, self.settings(account), now.mono)

    def _past(self, one: RecentCall, account: Account, now: float) -> Past:
        """A call of the log as it counts; whether it was international, and its price, are asked again."""
        mode = one.livemode
        request = Request(one.kind, one.number, account.region, one.account_id, one.user_id, one.key_id, mode)
        erased = one.kind is DestinationKind.EXTERNAL and not one.number
        judged = None if erased else self.judge(request, account)
        ended = None if one.live else now - (one.ended_at or one.started_at)
        # Since when a live call talks, its runner will tell by a clock that nobody sets.
        talked = 0.0 if one.live or one.connected_at is None else (one.ended_at or one.connected_at) - one.connected_at
        return Past(
            one.id,
            request,
            age=now - one.started_at,
            ended=ended,
            talked=max(0.0, talked),
            international=judged is not None and judged.international,
            rate=judged.rate if judged is not None else None,
        )


def count(usage: Usage, before: Call, call: Call) -> None:
    """Tell what one step changed of what is counted: since when a call costs, and that it is over."""
    if before.connected_at is None and call.connected_at is not None:
        usage.connect(call.id, call.clock_zero + call.connected_at)
    if before.live and not call.live:
        usage.end(call.id, call.clock_zero + (call.ended_at or 0.0))


def _own(account: Account) -> AccountPolicy:
    try:
        return msgspec.json.decode(account.policy, type=AccountPolicy)
    except msgspec.DecodeError as error:
        # A newer version wrote it, and it may forbid what we do not know how to forbid.
        extra = {"account_id": account.id, "error": str(error)}
        logger.error("policy of an account cannot be read: no telephone numbers are dialled for it", extra=extra)
        return AccountPolicy(outbound_enabled=False)
