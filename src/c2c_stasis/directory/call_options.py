"""What a request may say about one call beside who calls whom."""

from dataclasses import dataclass

from c2c_stasis.ids import DeviceId, NumberId


@dataclass(frozen=True, slots=True)
class CallOptions:
    """For this one call: the number that is shown, the only device that rings, and how long each part may take, in seconds.

    `anonymous` when that number is withheld from who is called. `own_number` when only the number of the user or of the account
    may be chosen, and no colleague's.
    """

    did_id: NumberId | None = None
    device_id: DeviceId | None = None
    ring_timeout: float | None = None
    answer_timeout: float | None = None
    max_duration: float | None = None
    own_number: bool = False
    anonymous: bool = False


ORDINARY = CallOptions()

SHORTEST = 5.0  # seconds: whoever asks for less has mistaken the unit, or hangs up before a phone is in the hand
