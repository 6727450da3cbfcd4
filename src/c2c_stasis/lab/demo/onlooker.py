"""Watches the phones and the service's log, and writes what happens into the timeline; also judges the first call by ear."""

import asyncio
import time
from datetime import datetime
from http import HTTPStatus
from typing import Any

from c2c_stasis.lab.demo.timeline import Timeline
from c2c_stasis.lab.phone import Phone, PhoneCall
from c2c_stasis.lab.sip import SipMessage
from c2c_stasis.lab.tones import US_BUSY, US_RINGBACK

SURE = 0.3  # seconds of a tone that make it heard
POLL = 0.1  # seconds between two looks for tones
ANSWERED_ELSEWHERE = "cause=26"  # Q.850; RFC 3326 carries it in Reason


class Onlooker:
    """Turns SIP messages, tones and log lines into lines of the timeline. `tones` are the Hz that each phone sends."""

    def __init__(self, timeline: Timeline, tones: dict[str, float]) -> None:
        self.tones = tones
        self._timeline = timeline
        self._told: set[tuple[str, str]] = set()
        self._listening: dict[str, asyncio.Task[None]] = {}
        self._dialogs: set[str] = set()  # of all phones, from INVITE to end

    # --- phones ---

    def see(self, phone: Phone, message: SipMessage) -> None:
        """Take a message that a phone sent or received; for `Phone.start(on_message=…)`."""
        text = _meaning(phone, message)
        if text and (message.call_id, text) not in self._told:  # and no retransmission
            self._told.add((message.call_id, text))
            rouses = message.method == "INVITE" and not self._dialogs
            self._timeline.note(message.at, phone.name, text, of=message.call_id, rouses=rouses)
        self._count(message)
        self.listen(phone, message)

    def listen(self, phone: Phone, message: SipMessage) -> None:
        """Begin to tell what a phone hears, if it answers with this message."""
        if message.sent and message.status == 200 and message.cseq.method == "INVITE":
            self._listen(phone, message.call_id)

    def _count(self, message: SipMessage) -> None:
        """Know which dialogs live."""
        if message.method == "INVITE" and not message.sent:
            self._dialogs.add(message.call_id)
        refused = message.cseq.method == "INVITE" and (message.status or 0) >= 300
        if refused or message.method in ("BYE", "CANCEL"):
            self._dialogs.discard(message.call_id)

    def _listen(self, phone: Phone, call_id: str) -> None:
        call = next((one for one in phone.calls if one.call_id == call_id), None)
        if call is not None and call_id not in self._listening:
            self._listening[call_id] = asyncio.create_task(self._follow(phone, call), name=f"ear of {phone.name}")

    async def _follow(self, phone: Phone, call: PhoneCall) -> None:
        expected: dict[str, tuple[float, ...]] = {
            f"{speaker}'s tone, {hz:.0f} Hz": (hz,) for speaker, hz in self.tones.items() if speaker != phone.name
        }
        expected |= {"ringback": US_RINGBACK.hz, "a busy or congestion tone": US_BUSY.hz}
        while expected:
            live = call.live
            for name, hz in tuple(expected.items()):
                if call.heard(hz) >= SURE:
                    self._timeline.note(time.monotonic(), phone.name, f"hears {name}", of=call.call_id)
                    del expected[name]
            if not live:
                return
            await asyncio.sleep(POLL)

    async def stop(self) -> None:
        """Listen no more."""
        for task in self._listening.values():
            task.cancel()
        await asyncio.gather(*self._listening.values(), return_exceptions=True)

    def deaf_side(self, near: PhoneCall, far: PhoneCall) -> str | None:
        """What is wrong with the sound between two phones, or nothing when each heard the other."""
        for ear, mouth in ((near, far), (far, near)):
            hz = self.tones[mouth.phone.name]
            if ear.heard(hz) < SURE:
                dominant = [f"{tone:.0f} Hz" for tone in ear.dominant(mouth.answered_at)]
                instead = " and ".join(dominant) if ear.heard_sound(mouth.answered_at) >= SURE else "silence"
                return (
                    f"{ear.phone.name} did not hear {mouth.phone.name}'s tone of {hz:.0f} Hz, but {instead or 'noise'}"
                )
        return None

    # --- the service ---

    def hear(self, record: dict[str, Any]) -> None:
        """Take a line of the service's log."""
        at, call_id = _monotonic(record["time"]), record.get("call_id", "")
        match record:
            case {"message": "request", "method": "POST", "path": "/v1/calls", "status": status, "ms": ms}:
                called = f", Location: /v1/calls/{call_id}" if status == 202 else ""
                what = f"POST /v1/calls: {status} {HTTPStatus(status).phrase} in {ms:.0f} ms{called}"
                self._timeline.note(at - ms / 1000, "API", what, of=call_id, begins=status == 202)
            case {"message": "request", "method": "DELETE", "path": path, "status": status}:
                self._timeline.note(at, "API", f"DELETE {path}: {status}", of=call_id)
            case {"message": "call.answered"}:
                self._timeline.note(at, "call", "bridged: both sides are joined", of=call_id)
            case {"message": "call.end"}:
                what = f"ended: {record['outcome']}, reason {record['reason']}, by {record['ended_by']}"
                self._timeline.note(at, "call", what, of=call_id, ends=True)
            case {"message": str() as message, "level": "warning" | "error"}:
                self._timeline.note(at, "service", f"{record['level']}: {message}", of=call_id)

    def won(self, record: dict[str, Any], phone: str | None) -> None:
        """Take the line that says that the user's side is decided, and who decided it."""
        what = f"{phone or 'a phone'} has won; the destination is dialled"
        self._timeline.note(_monotonic(record["time"]), "call", what, of=record.get("call_id", ""))


def _meaning(phone: Phone, message: SipMessage) -> str:
    """What a message means to a person; nothing for those that only serve the others."""
    first = message.cseq.method == "INVITE" and not (message.method and message.to.tag)
    if message.method == "INVITE" and first and not message.sent:
        caller = f"{_user(message.from_.uri)} {message.from_.name}".rstrip()
        asked = _user(message.request_uri)
        return f"INVITE, shows {caller}" if asked == phone.name else f"INVITE for {asked} from {caller}"
    if message.method == "CANCEL" and not message.sent:
        return f"stops ringing, {_released(message)}CANCEL{_reasons(message)}"
    if message.method == "BYE":
        return "hangs up, BYE" if message.sent else f"{_released(message)}BYE{_reasons(message)}"
    if message.sent and message.status and message.cseq.method == "INVITE" and len(phone.calls):
        return _answer(message)
    return ""


def _answer(message: SipMessage) -> str:
    match message.status:
        case 180:
            return "rings"
        case 183:
            return "sends early media"
        case 200:
            return "answers"
        case 100 | 487:  # on its way; the answer to CANCEL
            return ""
    return f"refuses: {message.start_line.removeprefix('SIP/2.0 ')}"


def _released(message: SipMessage) -> str:
    elsewhere = any(ANSWERED_ELSEWHERE in value.replace(" ", "") for value in message.headers_all("Reason"))
    return "released as answered elsewhere: " if elsewhere else ""


def _reasons(message: SipMessage) -> str:
    return "".join(f" [Reason: {value}]" for value in message.headers_all("Reason"))


def _user(uri: str) -> str:
    return uri.partition(":")[2].partition("@")[0] or uri


def _monotonic(rfc3339: str) -> float:
    return datetime.fromisoformat(rfc3339).timestamp() - time.time() + time.monotonic()
