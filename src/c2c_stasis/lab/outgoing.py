"""A call that a scripted phone places: INVITE, its challenge, its answers, CANCEL and BYE (RFC 3261 §13.2)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from c2c_stasis.lab.addresses import Address
from c2c_stasis.lab.call import CallOver, CallState, EndedBy, SipCall
from c2c_stasis.lab.dialog import dialog_of_caller
from c2c_stasis.lab.script import Script
from c2c_stasis.lab.sdp import parse_session, write_offer
from c2c_stasis.lab.sip import SipMessage, request
from c2c_stasis.lab.transactions import ClientTransaction

if TYPE_CHECKING:
    from c2c_stasis.lab.phone import Phone

_MOST_TRIES = 3  # with credentials; a stale nonce costs one more


class PlacedCall(SipCall):
    """An outgoing call; of its script only the sound and `hang_up_after` matter."""

    def __init__(
        self, phone: "Phone", uri: str, peer: Address, script: Script, headers: Sequence[tuple[str, str]]
    ) -> None:
        super().__init__(phone, script, phone.new_call_id())
        self.local_tag = phone.new_tag()
        self._uri, self._peer, self._headers = uri, peer, tuple(headers)
        self._number = 0
        self._tries = 0
        self._hurried = False
        self._transactions: list[ClientTransaction] = []
        self._ack: SipMessage | None = None
        self._open_audio()
        self._sdp = write_offer(script.codecs, self._media_address, session_id=phone.session_id, version=1)
        self.invite = self._build(())

    def begin(self) -> None:
        """Send the INVITE with our offer."""
        self._tries += 1
        self._transactions.append(self.phone.transactions.begin(self.invite, self._peer, self._hear))

    def _build(self, extra: Sequence[tuple[str, str]]) -> SipMessage:
        self._number += 1
        head = [("Via", self.phone.new_via()), ("Max-Forwards", "70"), ("To", f"<{self._uri}>")]
        head += [("From", f"{self.phone.identity};tag={self.local_tag}"), ("Call-ID", self.call_id)]
        head += [("CSeq", f"{self._number} INVITE"), *self.phone.capabilities]
        return request("INVITE", self._uri, [*head, *self._headers, *extra], self._sdp)

    def _hear(self, response: SipMessage | None) -> None:
        if response is None:
            self.final_status = 408
            self._end(EndedBy.TIMEOUT, self.phone.now())
        elif response.status is not None and response.status < 200:
            self._hear_provisional(response, response.status)
        elif response.status is not None and response.status < 300:
            self._hear_answer(response)
        else:
            self._hear_refusal(response)
        self._watch.changed()

    def _hear_provisional(self, response: SipMessage, status: int) -> None:
        if self._hurried:
            self._send_cancel()
        if not self.live or self.state is CallState.ANSWERED or status == 100:
            return
        self.dialog = dialog_of_caller(self.invite, response)
        if status == 183:
            self.progress_at = self.progress_at or response.at
            self.state = CallState.PROGRESS
        elif status == 180:
            self.rang_at = self.rang_at or response.at
            self.state = CallState.RINGING
        if response.body and self._agree(parse_session(response.body)):
            self.speak()

    def _hear_answer(self, response: SipMessage) -> None:
        if self._ack is not None:  # the 200 came again: our ACK was lost
            self.phone.transmit(self._ack, self._hop)
            return
        self.dialog = dialog_of_caller(self.invite, response)
        self._ack = self.dialog.next_request("ACK", self.phone.new_via(), cseq=self.invite.cseq.number)
        sent = self.phone.transmit(self._ack, self._hop)
        if not self.live or self._hurried:  # the answer crossed our CANCEL
            self.state = CallState.ANSWERED
            self._start_hang_up()
            return
        self.answered_at, self.state, self.final_status = response.at, CallState.ANSWERED, 200
        self.phone.counters.answers += 1
        if self._agree(parse_session(response.body)):
            self.speak(self.script.tone_hz, self.script.cadence)
        self._confirm(sent.at)

    @property
    def _hop(self) -> Address:
        return self.dialog.hop if self.dialog else self._peer

    def _hear_refusal(self, response: SipMessage) -> None:
        asked = next(one.request for one in self._transactions if one.request.cseq == response.cseq)
        copied = [(name, value) for name, value in asked.headers if name in ("Via", "From", "Call-ID", "Max-Forwards")]
        copied += [("To", response.require("To")), ("CSeq", f"{asked.cseq.number} ACK")]
        self.phone.transmit(request("ACK", self._uri, copied), self._peer)
        if asked is not self.invite or not self.live:
            return  # an old one, refused again because our ACK was lost
        if self._tries < _MOST_TRIES:
            proof = self.phone.prove(response, asked)
            if proof is not None:
                self.invite = self._build((proof,))
                self.begin()
                return
        self.final_status = response.status
        self.ending = response
        self._end(EndedBy.PHONE if self.cancelled else EndedBy.PEER, response.at)

    async def hang_up(self) -> None:
        """End the call: CANCEL before the answer, BYE after it; raises `CallOver` when it is over."""
        if not self.live:
            raise CallOver("hang up", self.state, self.ladder())
        if self.state is CallState.ANSWERED:
            await super().hang_up()
            return
        self._hurried = True
        if self.state is not CallState.INVITED or any(message.status == 100 for message in self.messages):
            self._send_cancel()  # else with the first provisional response (RFC 3261 §9.1)

    def _send_cancel(self) -> None:
        if self.cancelled:
            return
        self.cancelled = True
        copied = [(name, value) for name, value in self.invite.headers if name in ("Via", "From", "To", "Call-ID")]
        number = self.invite.cseq.number
        cancel = request("CANCEL", self._uri, [*copied, ("Max-Forwards", "70"), ("CSeq", f"{number} CANCEL")])
        self.phone.transactions.begin(cancel, self._peer, lambda _: None)

    def release(self) -> None:
        """Hear no more of what is said about this call."""
        super().release()
        for transaction in self._transactions:
            transaction.forget()
