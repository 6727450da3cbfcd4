"""Who listens to the events of which account, as they are committed."""

from collections.abc import Callable, Sequence

from c2c_stasis.ids import AccountId
from c2c_stasis.ports import Hear, NumberedEvent


class Feed:
    """Passes on what was committed. It costs next to nothing while nobody listens."""

    def __init__(self) -> None:
        self._listeners: dict[AccountId, list[Hear]] = {}

    def listen(self, account_id: AccountId, hear: Hear) -> Callable[[], None]:
        """Tell this listener from now on; gives what ends that. The listener must be quick: the writer waits for it."""
        self._listeners.setdefault(account_id, []).append(hear)

        def stop() -> None:
            listeners = self._listeners[account_id]
            listeners.remove(hear)
            if not listeners:
                del self._listeners[account_id]

        return stop

    def followed(self, account_id: AccountId) -> bool:
        """Whether anybody listens to the events of this account."""
        return account_id in self._listeners

    def committed(self, events: Sequence[NumberedEvent]) -> None:
        """Events were committed, one account's in the order of their numbers; without any, it is not known which."""
        if not self._listeners:
            return
        for account_id, listeners in list(self._listeners.items()):
            theirs = [one for one in events if one.event.account_id == account_id]
            if theirs or not events:
                for hear in list(listeners):
                    hear(theirs)
