"""The phones and the carrier of `bench.emergency`: each user has one phone, which answers at once.

Every emergency call goes to the same digits; they are told apart by whose they are: on the way to the phone by its name, on the
way to the carrier by the number that it is shown.
"""

import json
import time

from bench.phones import Leg, Phones, Seen, header, response

EMERGENCY = b"911"
FIRST_NUMBER = 15553000000  # of the user of d0, who can be called back there; the next user has the next


def key_of(device: int) -> str:
    """Under which name the emergency call of a user is collected."""
    return f"911-{device}"


class EmergencyPhones(Phones):
    """All of them."""

    def take_call(self, data: bytes, call_id: bytes) -> None:
        """A call comes in, at a phone or at the carrier."""
        now = time.monotonic()
        dialled = data[data.index(b"sip:") + 4 : data.index(b"@")]
        caller = header(data, b"From")
        shown = caller[caller.index(b"sip:") + 4 : caller.index(b"@")]
        carrier = dialled == EMERGENCY or dialled[:1] == b"+"
        if dialled == EMERGENCY:
            number = key_of(int(shown) - FIRST_NUMBER).encode()
        elif carrier:
            number = dialled
        else:
            number = key_of(int(dialled[1:])).encode() if shown == EMERGENCY else shown
        seen = self.seen.setdefault(number, Seen())
        leg = Leg(number, call_id, data, carrier=carrier)
        self.legs[call_id] = leg
        if carrier:
            seen.destination_invited = seen.destination_invited or now
            seen.destination_invites += 1
        else:
            seen.invited, seen.rang, seen.answered = seen.invited or now, seen.rang + 1, now
        self.send(response(data, b"180 Ringing", leg.tag, b"Contact: <sip:%b>\r\n" % self.here))
        self.answer(leg)

    def ended(self, seen: Seen) -> bool:
        """Whether nothing more comes: the only phone was told of the end."""
        return seen.ended > 0


def main() -> None:
    """Say on which port the phones are, then do what is asked."""
    phones = EmergencyPhones()
    print(json.dumps(phones.port), flush=True)
    phones.run()


if __name__ == "__main__":
    main()
