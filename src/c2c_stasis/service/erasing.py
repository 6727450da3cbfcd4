"""Erasing a telephone number from the call log, as soon as no call with it lives any more."""

import asyncio
import logging

from c2c_stasis.call.model import Call
from c2c_stasis.directory import dial_strings
from c2c_stasis.directory.model import Account
from c2c_stasis.errors import StillInUse
from c2c_stasis.ids import AccountId, CallId
from c2c_stasis.ports import Store
from c2c_stasis.service.live_calls import LiveCalls

logger = logging.getLogger(__name__)

ERASED_AT_ONCE = 5  # calls in one transaction: 2 to 3 ms, for which whoever places a call may have to wait
ERASE_REST = 0.01  # seconds between two of them
ENDS_WITHIN = (
    2.0  # seconds in which Asterisk reports the end of what was hung up; who cancels and erases at once waits for it
)


async def erase_number(store: Store, live: LiveCalls, account: Account, number: str, *, livemode: bool) -> int:
    """Erase a number from the log of an account; gives from how many calls.

    A live key erases it from the calls of tests as well. A call that is ending is waited for. Raises `NumberNotDialable` for
    what is no number, `StillInUse` as long as a call with it lives, and `StoreUnavailable`; who then asks again goes on where
    it ended.
    """
    known = dial_strings.parse(number, region=account.region, extension_length=account.extension_length).number
    await _until_ended(live, account.id, known)
    modes, erased = (True, False) if livemode else (False,), 0
    while (some := await store.erase_number(account.id, modes, known, ERASED_AT_ONCE)) > 0:
        erased += some
        await asyncio.sleep(ERASE_REST)
    logger.info("number erased", extra={"account_id": account.id, "calls": erased})
    return erased


async def _until_ended(live: LiveCalls, account_id: AccountId, number: str) -> None:
    """Wait for the calls with this number that are ending already. Raises `StillInUse` if others live, or some still do."""

    def has_it(call: Call) -> bool:
        return call.account_id == account_id and number in (call.destination.party.number, call.caller.number)

    def ours() -> set[CallId]:
        return {call_id for call_id, runner in live.runners.items() if has_it(runner.call)}

    there = ours()
    if there and all(live.runners[call_id].ending for call_id in there):
        await live.gone(there, ENDS_WITHIN)
        there = ours()
    if there or any(has_it(call) for call in live.placing.values()):
        raise StillInUse("a call with this number is live or still ending; ask again")
