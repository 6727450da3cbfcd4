"""A call that a scripted phone receives: it follows its script, and a test may take any step at any moment."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from c2c_stasis.lab.call import CallOver, CallState, EndedBy, SipCall
from c2c_stasis.lab.dialog import dialog_of_callee
from c2c_stasis.lab.script import Script
from c2c_stasis.lab.sdp import parse_session
from c2c_stasis.lab.sip import SipMessage
from c2c_stasis.lab.transactions import reply_address

if TYPE_CHECKING:
    from c2c_stasis.lab.phone import Phone

DECLINE = 603


class PhoneCall(SipCall):
    """An incoming call, from its INVITE to its end."""

    def __init__(self, phone: "Phone", invite: SipMessage, script: Script) -> None:
        super().__init__(phone, script, invite.call_id)
        self.invite = invite
        self.cancel: SipMessage | None = None
        self.local_tag = phone.new_tag()
        self.dialog = dialog_of_callee(invite, self.local_tag)

    def begin(self) -> None:
        """Read the offer and start the script."""
        if self.script.silent or self.phone.dead:
            return
        if self.script.trying:
            self.phone.transactions.reply(self.invite, self.phone.response(self.invite, 100))
        if self.invite.body:
            self._open_audio()
            if not self._agree(parse_session(self.invite.body)):
                self._reject(488)
                return
        script, final = self.script, self.script.reject or (302 if self.script.redirect_to else None)
        steps: list[tuple[float | None, Callable[[], object]]] = [
            (script.ring_after, self._ring),
            (script.progress_after, self._progress),
            (script.reject_after if final else None, lambda: self._reject(final or DECLINE)),
            (script.answer_after, self._answer),
        ]
        due = [(after, act) for after, act in steps if after is not None]
        for after, act in sorted(due, key=lambda step: step[0]):
            self._later(after, partial(self._take_step, act))

    def _take_step(self, act: Callable[[], object]) -> None:
        if self._open and not self.phone.dead:
            act()

    @property
    def _open(self) -> bool:
        return self.state in (CallState.INVITED, CallState.RINGING, CallState.PROGRESS)

    def _must_be_open(self, asked: str) -> None:
        if not self._open:
            raise CallOver(asked, self.state, self.ladder())

    async def ring(self) -> None:
        """Send 180 now; raises `CallOver` when the call was answered or has ended."""
        self._must_be_open("ring")
        self._ring()

    async def progress(self) -> None:
        """Send 183 with SDP now, and the early tone with it; raises `CallOver`."""
        self._must_be_open("show progress of")
        self._progress()

    async def answer(self) -> float:
        """Send 200 now and give the monotonic moment of it, without waiting for the ACK; raises `CallOver`."""
        self._must_be_open("answer")
        return self._answer()

    async def reject(self, status: int = DECLINE) -> None:
        """Refuse the call with a status of 300 or more; raises `CallOver`."""
        self._must_be_open("reject")
        self._reject(status)

    async def hang_up(self) -> None:
        """End the call: BYE when it was answered, else 603; raises `CallOver` when it is over."""
        if self._open:
            self._reject(DECLINE)
            return
        await super().hang_up()

    def _ring(self) -> None:
        sent = self._send_provisional(180)
        self.rang_at = self.rang_at or sent.at
        if self.state is CallState.INVITED:
            self.state = CallState.RINGING
        self._watch.changed()

    def _progress(self) -> None:
        self._open_audio()
        sent = self._send_provisional(183, sdp=self._write_sdp())
        self.progress_at = self.progress_at or sent.at
        self.state = CallState.PROGRESS
        tone = self.script.early_tone_hz if self.script.early_tone_hz is not None else self.script.tone_hz
        self.speak(tone, self.script.cadence)
        self._watch.changed()

    def _send_provisional(self, status: int, sdp: str = "") -> SipMessage:
        response = self.phone.response(
            self.invite, status, tag=self.local_tag, headers=self.script.extra_headers, sdp=sdp
        )
        return self.phone.transactions.reply(self.invite, response)

    def prepare_answer(self) -> SipMessage:
        """Build the 200 without sending it, so that several can leave in the same instant."""
        self._must_be_open("answer")
        self._open_audio()
        headers, sdp = self.script.extra_headers, self._write_sdp()
        return self.phone.response(self.invite, 200, tag=self.local_tag, headers=headers, sdp=sdp)

    def note_answer(self, response: SipMessage, at: float) -> None:
        """Go on from a 200 that was sent at that moment."""
        self.answered_at, self.state, self.final_status = at, CallState.ANSWERED, 200
        self.phone.counters.answers += 1
        self.phone.transactions.remember(self.invite, response)
        self._resend_until_ack(self.invite, response)
        self.speak(self.script.tone_hz, self.script.cadence)
        self._watch.changed()

    def _answer(self) -> float:
        response = self.prepare_answer()
        sent = self.phone.transmit(response, reply_address(self.invite))
        self.note_answer(response, sent.at)
        return sent.at

    def _reject(self, status: int) -> None:
        headers = [*self.script.reasons, *self.script.extra_headers]
        if self.script.redirect_to and 300 <= status < 400:
            headers.append(("Contact", f"<{self.script.redirect_to}>"))
        sent = self._send_final(status, headers)
        self.phone.counters.rejects += 1
        self._end(EndedBy.PHONE, sent.at)

    def _send_final(self, status: int, headers: Sequence[tuple[str, str]] = ()) -> SipMessage:
        self.final_status = status
        response = self.phone.response(self.invite, status, tag=self.local_tag, headers=headers)
        sent = self.phone.transactions.reply(self.invite, response)
        self._resend_until_ack(self.invite, response)
        return sent

    def _take_bye(self, message: SipMessage) -> None:
        if self._open:  # a caller may leave an early dialog so (RFC 3261 §15.1.2)
            self._send_final(487)
        super()._take_bye(message)

    def take_cancel(self, message: SipMessage) -> None:
        """End the call with 487, unless it was answered already or the script lets the answer cross."""
        self.cancel = self.ending = message
        self.cancelled = True
        if self.script.silent or self.phone.dead:
            self._end(EndedBy.PEER, message.at)
        elif self.script.heed_cancel_after > 0:
            self.phone.timers.after(self.script.heed_cancel_after, lambda: self._heed_cancel(message))
            self._watch.changed()
        else:
            self._heed_cancel(message)

    def _heed_cancel(self, message: SipMessage) -> None:
        if self.script.answer_on_cancel and self._open:
            self._answer()
        self.phone.transactions.reply(message, self.phone.response(message, 200, tag=self.local_tag))
        if self._open:
            self._send_final(487)
            self._end(EndedBy.PEER, message.at)
        self._watch.changed()


def answer_together(calls: Sequence[PhoneCall], apart: float = 0.0) -> list[float]:
    """Answer several calls, also of several phones, back to back; gives the monotonic moment of each 200.

    Everything is built before the first is sent and written down after the last. `apart` is how many seconds are between one
    and the next at least; no other work is done meanwhile, so it should be few milliseconds. Raises `CallOver` before
    anything is sent when one of them cannot be answered.
    """
    ready = []
    for call in calls:
        response, peer = call.prepare_answer(), reply_address(call.invite)
        ready.append((call, response, peer, response.encode()))
    times: list[float] = []
    for call, _, peer, data in ready:
        while times and time.monotonic() < times[-1] + apart:
            pass  # no timer of an event loop is as fine as this
        call.phone.send_bytes(data, peer)
        times.append(time.monotonic())
    for (call, response, peer, _), at in zip(ready, times, strict=True):
        call.phone.record_sent(response, peer, at)
        call.note_answer(response, at)
    return times
