"""The ladder of a call from the ARI log: with every request to Asterisk, and what the service made of each event."""

from datetime import datetime
from typing import Any

from msgspec import convert, to_builtins
from msgspec.structs import replace

from c2c_stasis.ari.translate import NotUnderstood, translate
from c2c_stasis.arilog.coding import NotReadable, read_call
from c2c_stasis.arilog.reading import Line
from c2c_stasis.call.model import Call, CallState, Leg, LegState, Outcome, Reason, Side
from c2c_stasis.call.signals import (
    CallFound,
    LegAnswered,
    LegEnded,
    LegInvited,
    LegJoined,
    LegProgressed,
    LegRinging,
    Signal,
    SwitchRestarted,
)
from c2c_stasis.ids import LegId
from c2c_stasis.times import rfc3339
from c2c_stasis.trace import words
from c2c_stasis.trace.ladder import ASTERISK, SERVICE, Column, Kind, Ladder, Participant, Row, Telling, Tone

SLOW = 100.0  # milliseconds; a request that takes longer is worth telling
_UNHEARD = (
    CallFound.__name__,
    SwitchRestarted.__name__,
)  # with these a leg is found gone, and nobody knows how it ended
_HARMLESS = {("DELETE", 404), ("POST", 409)}  # it is gone already; it is there already


def ladder(call_id: str, lines: list[Line], where: str) -> Ladder:
    """Draw what the lines of one call tell. Raises `NotReadable` when they do not say what the call was."""
    planned = next((line for line in lines if line["kind"] == "call"), None)
    if planned is None:
        raise NotReadable(f"the log does not say how {call_id} began")
    try:
        teller = _Teller(read_call(planned["planned"]), planned)
        for line in lines:
            teller.tell(line)
    except NotReadable:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # a log from elsewhere, or damaged
        raise NotReadable(f"the log says of {call_id} what cannot be understood: {error!r}") from error
    return teller.done(where)


class _Teller:
    def __init__(self, call: Call, line: Line) -> None:
        self._call = call
        self._rows = Telling()
        self._legs = {leg.id: Participant(short(leg.id), name_of(leg)) for leg in call.legs if leg.endpoint}
        self._state = CallState.ACCEPTED
        self._winners: dict[str, str] = {}
        self._connected = False
        self._outcome = ""
        self._tone = Tone.PLAIN
        self._rows.add(Row(0.0, Kind.STATE, SERVICE, "", "accepted"))
        self._begins = None if call.state is CallState.ACCEPTED else self._moment(line)
        self._remember(self._moment(line), call)  # before what was reported just before that line is looked at

    def tell(self, line: Line) -> None:
        """Add what a line says, if it is worth a row."""
        match line["kind"]:
            case "request":
                self._request(self._moment(line), line)
            case "event" if isinstance(line.get("event"), dict):
                self._event(self._moment(line), line["event"])
            case "step":
                self._step(line)
            case "call":
                self._remember(self._moment(line), read_call(line["planned"]))

    def _moment(self, line: Line) -> float:
        return max(0.0, datetime.fromisoformat(line["time"]).timestamp() - self._call.accepted_at)

    def done(self, where: str) -> Ladder:
        """The whole."""
        call = self._call
        shown = [leg for leg in call.legs if leg.id in self._legs]
        columns = [column_of(leg) for leg in shown if leg.side is Side.A]
        columns += [Column(ASTERISK, "Asterisk", "and the bridge"), Column(SERVICE, "c2c-stasis", "the service")]
        columns += [column_of(leg) for leg in shown if leg.side is Side.B]
        facts = [f"{call.user_id} calls {call.destination.party.number or call.dial_string}"]
        if call.caller.number:
            facts.append(f"shows {' '.join(filter(None, (call.caller.number, call.caller.name)))}")
        facts += [
            f"{leg.device} was not registered"
            if not leg.contact
            else f"{leg.device} at {address_of(leg.contact)} did not answer to qualify requests"
            for leg in call.legs
            if leg.id not in self._legs
        ]
        if self._begins is not None:
            facts.append(
                f"the log begins at {self._begins:.3f} s; before that, only what the call itself still knew is drawn"
            )
        began = rfc3339(call.accepted_at) or ""
        outcome = self._outcome or f"not ended; {self._state.value.replace('_', ' ')}"
        rows = self._rows.done()
        return Ladder(call.id, began, tuple(facts), tuple(columns), rows, outcome, self._tone, "the ARI log", where)

    # --- what the call knew ---

    def _remember(self, at: float, call: Call) -> None:
        """What a call knew of itself when the log began, or went on after lines were lost; else it says nothing new."""
        for leg in call.legs:
            self._add(leg)
            known = self._legs.get(leg.id)
            if known is not None and not known.ended:
                self._learn(known, to_builtins(leg))
                if leg.state is LegState.ENDED and leg.ended_at is not None:
                    self._rows.add(words.ends(known, leg.ended_at, leg.cause, leg.sip_code))
        self._winners |= {leg.side.value: short(leg.id) for leg in call.legs if leg.won}
        if call.connected_at is not None:
            self._joined(call.connected_at)
        if call.end is not None:
            self._ends(to_builtins(call.end))
        if call.state is not self._state:
            self._moved(at, call.state)

    def _learn(self, known: Participant, fields: dict[str, Any]) -> None:
        """What is known of a leg though the log does not have the event that told it."""
        for already, name, row in (
            (known.invited, "invited_at", words.invited),
            (known.rang, "ringing_at", words.rings),
            (known.answered, "answered_at", words.answers),
        ):
            if not already and fields.get(name) is not None:
                self._rows.add(row(known, fields[name]))
        if fields.get("release_cause") is not None:
            known.let_go = fields["release_cause"]

    # --- what we asked ---

    def _request(self, at: float, line: Line) -> None:
        told = self._told(line["method"], line["path"].split("/")[2:], line.get("parameters", {}))
        if told is None:
            return
        status, ms = line["status"], line["ms"]
        detail, tone = "", Tone.PLAIN
        if status is None:
            detail, tone = str(line.get("message", "no answer")), Tone.BAD
        elif status >= 400 and (line["method"], status) not in _HARMLESS:
            detail, tone = f"{status} {line.get('message', '')}".strip(), Tone.BAD
        elif ms > SLOW:
            detail = f"{status} after {ms:.0f} ms"
        self._rows.add(Row(at, Kind.REQUEST, SERVICE, ASTERISK, told, detail, tone))

    def _told(self, method: str, path: list[str], parameters: dict[str, Any]) -> str | None:
        """A request in words; None for one that says nothing about the call's course."""
        match method, path:
            case "POST", ["channels", "create"]:
                return f"create {self._name(parameters.get('channelId'))}"
            case "POST", ["channels", leg_id, "dial"]:
                return f"dial {self._name(leg_id)}"
            case "DELETE", ["channels", leg_id]:
                return self._hang_up(leg_id, parameters)
            case "POST", ["channels", _, "ring"]:
                return "start ringback"
            case "DELETE", ["channels", _, "ring"]:
                return "stop ringback"
            case "POST", ["channels", _, "play"]:
                tone = str(parameters.get("media", "")).removeprefix("tone:").partition(";")[0]
                return f"play {tone} tone"
            case "POST", ["bridges", _, "addChannel"]:
                return f"join {self._name(parameters.get('channel'))}"
            case "POST", ["bridges", _]:
                return "create bridge"
            case "DELETE", ["bridges", _]:
                return "remove bridge"
        return None

    def _hang_up(self, leg_id: str, parameters: dict[str, Any]) -> str:
        leg = self._leg(leg_id)
        cause = int(parameters.get("reason_code", 0) or 0)
        if leg is not None and not leg.ended:
            leg.let_go = cause
        return f"hang up {self._name(leg_id)}"

    # --- what Asterisk said ---

    def _event(self, at: float, event: dict[str, Any]) -> None:
        """What the service heard in it, and no more: the log has events as they came, whatever they are."""
        try:
            leg_id, signal = translate(event) or (LegId(""), None)
        except NotUnderstood:
            return
        leg = self._leg(leg_id)
        row = self._reported(at, signal, leg) if leg is not None and not leg.ended else None
        if row is not None:
            self._rows.add(row)

    def _reported(self, at: float, signal: Signal | None, leg: Participant) -> Row | None:
        match signal:
            case LegInvited():
                return None if leg.invited else words.invited(leg, at)
            case LegProgressed():
                return words.progresses(leg, at)
            case LegRinging():
                return None if leg.rang else words.rings(leg, at)
            case LegAnswered():
                return None if leg.answered else words.answers(leg, at)
            case LegJoined():
                return Row(at, Kind.MARK, ASTERISK, "", f"{leg.name} is in the bridge")
            case LegEnded():
                return words.ends(leg, at, signal.cause, signal.sip_code)
        return None

    # --- what the service made of it ---

    def _step(self, line: Line) -> None:
        at = line["now"]["wall"] - self._call.accepted_at
        if "error" in line:
            self._rows.add(Row(at, Kind.STATE, SERVICE, "", "our own code failed", line["error"], Tone.BAD))
            return
        signal = line["signal"] or {}
        if signal.get("is") == CallFound.__name__:
            again = "the service began anew" if signal.get("after_restart") else "Asterisk is heard again"
            self._rows.add(Row(at, Kind.STATE, SERVICE, "", again))
        changed = line.get("changed", {})
        for key, fields in changed.get("legs", {}).items():
            if "endpoint" in fields and "id" in fields:
                self._add(convert(fields, Leg))
            leg = self._leg(f"{self._call.id}.{key}")
            if leg is not None and not leg.ended:
                ended, unheard = fields.get("state") == LegState.ENDED, signal.get("is") in _UNHEARD
                self._learn(leg, fields | ({"release_cause": None} if unheard and ended else {}))
                if fields.get("won"):
                    self._winners[key[:1]] = key
                if ended and (unheard or signal.get("is") == LegEnded.__name__):
                    self._rows.add(words.ends(leg, at, fields.get("cause"), fields.get("sip_code")))
        if changed.get("end"):
            self._ends(changed["end"])
        state = CallState(line["state"])
        if state is not self._state:
            self._moved(at, state)
        if changed.get("connected_at") is not None:
            self._joined(at)

    def _add(self, leg: Leg) -> None:
        """One more attempt at the destination, through another trunk."""
        if self._call.leg(leg.id) is None:
            self._call = replace(self._call, legs=(*self._call.legs, leg))
            self._legs[leg.id] = Participant(short(leg.id), name_of(leg))

    def _joined(self, at: float) -> None:
        if not self._connected and set(self._winners) == set(Side):
            self._connected = True
            talk = (self._winners[Side.A], self._winners[Side.B])
            self._rows.add(Row(at, Kind.MEDIA, *talk, "both sides are joined", "", Tone.GOOD))

    def _ends(self, end: dict[str, Any]) -> None:
        self._outcome, self._tone = in_words(end), tone_of(end)

    def _moved(self, at: float, state: CallState) -> None:
        self._state = state
        ended = state is CallState.ENDED
        text = f"ended: {self._outcome}" if ended else state.value.replace("_", " ")
        self._rows.add(Row(at, Kind.STATE, SERVICE, "", text, "", self._tone if ended else Tone.PLAIN))

    def _leg(self, leg_id: object) -> Participant | None:
        return self._legs.get(LegId(str(leg_id)))

    def _name(self, leg_id: object) -> str:
        leg = self._leg(leg_id)
        return leg.name if leg else str(leg_id)


def short(leg_id: str) -> str:
    """The end of a leg's id: a1."""
    return leg_id.rpartition(".")[2]


def name_of(leg: Leg) -> str:
    """What a leg is called in the ladder: its device, or the trunk."""
    return leg.device or leg.endpoint.rpartition("@")[2] or short(leg.id)


def column_of(leg: Leg) -> Column:
    """The column of a leg."""
    detail = (
        leg.user_agent or address_of(leg.contact)
        if leg.device
        else leg.endpoint.removeprefix("PJSIP/").partition("@")[0]
    )
    return Column(short(leg.id), name_of(leg), detail)


def address_of(contact: str) -> str:
    """Where a phone is: `127.0.0.1:5070` of `sip:desk@127.0.0.1:5070;ob`."""
    return contact.rpartition("@")[2].partition(";")[0]


def in_words(end: dict[str, Any]) -> str:
    """An end, of a log or a record, without saying anything twice: `completed, by destination`, `destination busy`."""
    outcome, reason = (str(end[name]).replace("_", " ") for name in ("outcome", "reason"))
    told = reason if outcome in reason else outcome if end["reason"] == Reason.NORMAL else f"{outcome}, {reason}"
    by = end.get("ended_by")
    return told if not by or by in told else f"{told}, by {by}"


def tone_of(end: dict[str, Any]) -> Tone:
    """Whether an end is a good one."""
    return Tone.GOOD if end["outcome"] == Outcome.COMPLETED else Tone.BAD
