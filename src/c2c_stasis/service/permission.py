"""Whether calls may be: the policy with what is configured, what each account has of its own, and what was counted lately."""

import logging
from collections import defaultdict
from functools import partial

import msgspec
from msgspec.structs import replace

from c2c_stasis.call.model import Call, Now
from c2c_stasis.config.sections.policy import EVERYWHERE
from c2c_stasis.directory.directory import Directory
from c2c_stasis.directory.model import Account
from c2c_stasis.ids import AccountId
from c2c_stasis.policy import engine
from c2c_stasis.policy.request import Decision, Request
from c2c_stasis.policy.settings import AccountPolicy, Settings
from c2c_stasis.policy.usage import Usage
from c2c_stasis.ports import RecentCall, Store
from c2c_stasis.service.recalling import LATELY, TALKED, recall

logger = logging.getLogger(__name__)


class Permission:
    """Asks the policy, and counts. `usage` is told by whoever accepts calls and by whoever drives them."""

    def __init__(self, settings: Settings) -> None:
        self.usage = Usage()
        self._settings = settings
        self._of_account: dict[AccountId, tuple[str, str, Settings]] = {}

    def use(self, settings: Settings) -> None:
        """Let these count from now on; what was counted stays."""
        self._settings = settings
        self._of_account.clear()

    def settings(self, account: Account) -> Settings:
        """What is allowed to this account. Its own part is read again when it has changed, and not for every call.

        Its own region is, also to those of its users who are elsewhere.
        """
        known = self._of_account.get(account.id)
        if known is None or known[:2] != (account.policy, account.region):
            settings = self._settings.for_account(_own(account))
            if EVERYWHERE not in settings.regions:
                settings = replace(settings, regions=(account.region, *settings.regions))
            known = account.policy, account.region, settings
            self._of_account[account.id] = known
        return known[2]

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
        by_account: defaultdict[AccountId, list[RecentCall]] = defaultdict(list)
        for one in await store.recent_calls(now.wall - LATELY, now.wall - TALKED):
            by_account[one.account_id].append(one)
        for account_id, calls in by_account.items():
            account = directory.any_account(account_id)
            if account is not None:
                settings = self.settings(account)
                where = partial(directory.region_of, account)
                self.usage.restore(recall(calls, where, settings, now.wall), settings, now.mono)


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
