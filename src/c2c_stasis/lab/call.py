"""What every call of a scripted phone has, placed or received: its record, its sound, its dialog and its end."""

import asyncio
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from c2c_stasis.errors import ClickToCallError
from c2c_stasis.lab.addresses import Address, SipSyntaxError, parse_uri
from c2c_stasis.lab.audio import AudioStream
from c2c_stasis.lab.dialog import Dialog
from c2c_stasis.lab.hearing import Hearing
from c2c_stasis.lab.observation import DEFAULT_TIMEOUT, NotSeen, Watch, ladder
from c2c_stasis.lab.script import Script
from c2c_stasis.lab.sdp import Codec, Session, choose_codec, parse_session, write_answer, write_offer
from c2c_stasis.lab.sip import SipMessage
from c2c_stasis.lab.tones import Hz, frequencies
from c2c_stasis.lab.transactions import T2_IN_T1, Retransmission, reply_address

if TYPE_CHECKING:
    from c2c_stasis.lab.phone import Phone


class CallState(StrEnum):
    """How far a call has come, as its phone sees it."""

    INVITED = "invited"
    RINGING = "ringing"
    PROGRESS = "progress"
    ANSWERED = "answered"
    ENDED = "ended"


class EndedBy(StrEnum):
    """Who ended a call: this phone, the other side, or nobody who answered in time."""

    PHONE = "phone"
    PEER = "peer"
    TIMEOUT = "timeout"


class Display(NamedTuple):
    """What the phone shows of the caller: name and number of From."""

    name: str
    number: str


class CallOver(ClickToCallError):
    """The call is in no state for what was asked of it."""

    def __init__(self, asked: str, state: CallState, so_far: str) -> None:
        super().__init__(f"cannot {asked} a call that is {state}. So far:\n{so_far}")


class SipCall(Hearing):
    """One call of a phone. Times are `time.monotonic()` seconds, None until it happened."""

    invite: SipMessage

    def __init__(self, phone: "Phone", script: Script, call_id: str) -> None:
        self.phone = phone
        self.script = script
        self.call_id = call_id
        self.messages: list[SipMessage] = []
        self.state = CallState.INVITED
        self.rang_at: float | None = None
        self.progress_at: float | None = None
        self.answered_at: float | None = None
        self.acked_at: float | None = None
        self.ended_at: float | None = None
        self.ended_by: EndedBy | None = None
        self.cancelled = False
        self.final_status: int | None = None
        self.ending: SipMessage | None = None
        """The CANCEL or BYE that ended it, received or sent."""
        self.on_hold = False
        self.audio: AudioStream | None = None
        self.dialog: Dialog | None = None
        self.local_tag = ""
        self._watch = Watch()
        self._codec: Codec | None = None
        self._remote: Session | None = None
        self._session_version = 1
        self._unacked: dict[int, Retransmission] = {}
        self._steps: list[asyncio.TimerHandle] = []

    # What was seen.

    @property
    def display(self) -> Display:
        """Name and number that a phone shows for this call."""
        caller = self.invite.from_
        try:
            return Display(caller.name, parse_uri(caller.uri).user)
        except SipSyntaxError:
            return Display(caller.name, caller.uri)

    @property
    def dialled(self) -> str:
        """The user part of the Request-URI: the number a carrier is asked for."""
        return parse_uri(self.invite.request_uri).user

    @property
    def live(self) -> bool:
        """True until the call has ended."""
        return self.state is not CallState.ENDED

    @property
    def reasons(self) -> list[str]:
        """The Reason headers of the CANCEL or BYE that ended it (RFC 3326)."""
        return self.ending.headers_all("Reason") if self.ending else []

    def ladder(self) -> str:
        """The messages of this call, one a line."""
        return ladder(self.messages)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.phone.name}: {self.state}, {self.invite.start_line}>"

    async def wait_for(
        self, ready: Callable[[], bool], what: str, timeout: float = DEFAULT_TIMEOUT, *, even_ended: bool = False
    ) -> None:
        """Wait until `ready`, which is looked at after every message; raises `NotSeen` after `timeout` seconds.

        Unless `even_ended`, it is raised as soon as the call has ended.
        """
        began = time.monotonic()
        hopeless = (lambda: False) if even_ended else (lambda: not self.live)
        if not await self._watch.until(ready, timeout=timeout, hopeless=hopeless):
            raise NotSeen(repr(self), what, time.monotonic() - began, self.ladder())

    async def wait_ringing(self, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Wait for 180 or 183."""
        await self.wait_for(lambda: self.rang_at is not None or self.progress_at is not None, "ringing", timeout)

    async def wait_answered(self, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Wait for the 200 and its ACK."""
        await self.wait_for(lambda: self.acked_at is not None, "answer and ACK", timeout)

    async def wait_ended(self, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Wait until the call is over, by whomever."""
        await self.wait_for(lambda: not self.live, "the end of the call", timeout, even_ended=True)

    # Sound.

    def _open_audio(self) -> None:
        if self.script.media and self.audio is None:
            self.audio = AudioStream(self.phone.host, rng=self.phone.rng, on_error=self.phone.report)

    @property
    def _media_address(self) -> Address:
        return self.audio.address if self.audio else self.phone.deaf_address()

    def _agree(self, session: Session | None) -> bool:
        """Take the codec of the other side's offer or answer; False when none is ours."""
        codec = choose_codec(session, self.script.codecs) if session else None
        if session is None or codec is None:
            return False
        self._remote, self._codec, self.on_hold = session, codec, session.on_hold
        if self.audio:
            self.audio.use(codec, session.dtmf_type)
        return True

    def _write_sdp(self) -> str:
        local, number = self._media_address, self.phone.session_id
        if self._remote and self._codec:
            return write_answer(self._remote, self._codec, local, session_id=number, version=self._session_version)
        return write_offer(self.script.codecs, local, session_id=number, version=self._session_version)

    def speak(self, hz: Hz | None = None, cadence: tuple[float, ...] = ()) -> None:
        """Send this tone from now on, or silence; on hold nothing is sent until the other side takes it back."""
        if self.audio is None or self._remote is None or self.phone.dead:
            return
        if self._remote.on_hold:
            self.audio.pause()
            return
        script = self.script
        tone = () if script.muted else frequencies(hz)
        self.audio.send_to(
            self._remote.rtp, self._remote.rtcp, tone=tone, cadence=cadence, loss=script.loss, jitter=script.jitter
        )

    # Dialog.

    def take_request(self, message: SipMessage) -> None:
        """Handle a request that came inside this call's dialog."""
        if message.method == "ACK":
            self._take_ack(message)
        elif not self.live:
            self.phone.reply(message, 481)
        elif message.method == "BYE":
            self._take_bye(message)
        elif message.method in ("INVITE", "UPDATE"):
            self._take_offer(message)
        else:
            self.phone.reply(message, 200 if message.method in ("INFO", "OPTIONS", "NOTIFY", "MESSAGE") else 405)

    def _take_ack(self, message: SipMessage) -> None:
        resending = self._unacked.pop(message.cseq.number, None)
        if resending is not None:
            resending.stop()
        if self.state is CallState.ANSWERED and self.acked_at is None:
            if self._remote is None and self._agree(parse_session(message.body)):  # late offer: the ACK has the answer
                self.speak(self.script.tone_hz, self.script.cadence)
            self._confirm(message.at)

    def _confirm(self, at: float) -> None:
        self.acked_at = at
        if self.script.hang_up_after is not None:
            self._later(self.script.hang_up_after, self._start_hang_up)
        self._watch.changed()

    def _take_bye(self, message: SipMessage) -> None:
        self.ending = message
        if self.script.respond_bye:
            self.phone.reply(message, 200)
        self._end(EndedBy.PEER, message.at)

    def _take_offer(self, message: SipMessage) -> None:
        assert self.dialog is not None
        self.dialog.refresh(message)
        offer = parse_session(message.body) if message.body else None
        if offer is None and message.method == "UPDATE":
            self.phone.reply(message, 200)
            return
        previous = self._remote
        if offer is None:
            self._remote = None  # a re-INVITE without SDP asks for our offer
        elif not self._agree(offer):
            self.phone.reply(message, 488)
            return
        self._session_version += 1
        response = self.phone.response(message, 200, sdp=self._write_sdp())
        self._remote = self._remote or previous
        self.phone.transactions.reply(message, response)
        if message.method == "INVITE":
            self._resend_until_ack(message, response)
        self.speak(self.script.tone_hz, self.script.cadence)
        self._watch.changed()

    def _resend_until_ack(self, request: SipMessage, response: SipMessage) -> None:
        number, peer = request.cseq.number, reply_address(request)
        t1 = self.phone.t1
        self._unacked[number] = Retransmission(
            self.phone.timers,
            lambda: self.phone.transmit(response, peer),
            lambda: self._ack_never_came(number),
            t1=t1,
            cap=T2_IN_T1 * t1,
            once=self.phone.reliable and response.status != 200,  # a 200 is repeated even there (§13.3.1.4)
        )

    def _ack_never_came(self, number: int) -> None:
        self._unacked.pop(number, None)
        if self.live and self.acked_at is None:  # RFC 3261 §13.3.1.4: the session is ended with BYE
            self._start_hang_up(EndedBy.TIMEOUT)

    # The end.

    def _start_hang_up(self, by: EndedBy = EndedBy.PHONE) -> None:
        if self.live:
            self.phone.spawn(self._bye(by))

    async def hang_up(self) -> None:
        """End the call: BYE, and wait for its reply; raises `NotSeen` when none comes."""
        if not self.live:
            raise CallOver("hang up", self.state, self.ladder())
        await self._bye(EndedBy.PHONE)

    async def _bye(self, by: EndedBy) -> None:
        assert self.dialog is not None
        dialog = self.dialog

        def build(extra: Sequence[tuple[str, str]]) -> SipMessage:
            return dialog.next_request("BYE", self.phone.new_via(), [*self.script.reasons, *extra])

        began = time.monotonic()
        answer = self.phone.send_request(build, dialog.hop)  # the first BYE is on its way when this returns
        self.ending = self.messages[-1] if self.messages else None
        self._end(by, time.monotonic())
        if await answer is None and by is not EndedBy.TIMEOUT:
            raise NotSeen(repr(self), "a reply to BYE", time.monotonic() - began, self.ladder())

    def _end(self, by: EndedBy, at: float) -> None:
        if not self.live:
            return
        self.state, self.ended_by, self.ended_at = CallState.ENDED, by, at
        for step in self._steps:
            self.phone.timers.cancel(step)
        self._steps.clear()
        if self.audio:
            self.audio.close()
        self.phone.call_ended(self)
        self._watch.changed()

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        if seconds <= 0:
            act()
        else:
            self._steps.append(self.phone.timers.after(seconds, act))

    def release(self) -> None:
        """Let go of all that outlives the end of a call: answers to what comes again, ACKs still open."""
        for resending in self._unacked.values():
            resending.stop()
        self._unacked.clear()
