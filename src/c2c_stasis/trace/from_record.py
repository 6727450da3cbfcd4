"""The ladder of a call from its record and its event log, as the API gives them: without what was asked of Asterisk."""

from datetime import datetime
from typing import Any

from c2c_stasis.trace import words
from c2c_stasis.trace.from_log import address_of, in_words, short, tone_of
from c2c_stasis.trace.ladder import ASTERISK, SERVICE, Column, Kind, Ladder, Participant, Row, Telling, Tone

Record = dict[str, Any]

_MOVES = {
    "call.ringing": "a phone of the user rings",
    "call.initiated": "dialling destination",
    "call.emergency": "an emergency call",
}
_LET_GO = ("answered_elsewhere", "cancelled", "no_answer")  # outcomes of phones that Asterisk stopped


def ladder(record: Record, events: list[Record], where: str, user: str = "") -> Ladder:
    """Draw what a record and its events tell; `user` is what to call the user, if not by the id."""
    return _Teller(record, user or record["user_id"]).tell(events, where)


class _Teller:
    def __init__(self, record: Record, user: str) -> None:
        self._record = record
        self._user = user
        self._began = _moment(record["started_at"])
        self._legs = {leg["id"]: Participant(short(leg["id"]), _name(leg)) for leg in record["legs"]}
        self._rows = Telling()
        self._rows.add(Row(0.0, Kind.STATE, SERVICE, "", "accepted"))

    def tell(self, events: list[Record], where: str) -> Ladder:
        """The whole."""
        for event in events:
            at = max(0.0, _moment(event["created_at"]) - self._began)
            data = event["data"]
            row = self._of_leg(at, event["type"], data["leg"]) if "leg" in data else self._of_call(at, event)
            if row is not None:
                self._rows.add(row)
        record = self._record
        dialled = [leg for leg in record["legs"] if leg["dialled_at"] or leg["state"] != "ended" or leg["side"] == "b"]
        columns = [_column(leg) for leg in dialled if leg["side"] == "a"]
        columns += [Column(ASTERISK, "Asterisk", "and the bridge"), Column(SERVICE, "c2c-stasis", "the service")]
        columns += [_column(leg) for leg in dialled if leg["side"] == "b"]
        facts = [f"{self._user} calls {record['to_number']}"]
        if record["from_number"]:
            facts.append(f"shows {' '.join(filter(None, (record['from_number'], record['from_label'])))}")
        facts += [_not_dialled(leg) for leg in record["legs"] if leg not in dialled]
        ended = bool(record["outcome"])
        return Ladder(
            record["id"],
            record["started_at"],
            tuple(facts),
            tuple(columns),
            self._rows.done(),
            in_words(record) if ended else f"not ended; {str(record['state']).replace('_', ' ')}",
            tone_of(record) if ended else Tone.PLAIN,
            "the record of the call and its events",
            where,
        )

    def _of_call(self, at: float, event: Record) -> Row | None:
        match event["type"]:
            case "call.answered":
                won = {leg["side"]: short(leg["id"]) for leg in self._record["legs"] if leg["won"]}
                return Row(at, Kind.MEDIA, won["a"], won["b"], "both sides are joined", "", Tone.GOOD)
            case "call.end":
                end = event["data"]
                return Row(at, Kind.STATE, SERVICE, "", f"ended: {in_words(end)}", "", tone_of(end))
            case told if told in _MOVES:
                return Row(at, Kind.STATE, SERVICE, "", _MOVES[told])
        return None

    def _of_leg(self, at: float, told: str, said: Record) -> Row | None:
        leg = self._legs[said["id"]]
        match told:
            case "leg.dialled":
                return words.invited(leg, at)
            case "leg.ringing":
                return words.rings(leg, at)
            case "leg.progress":
                return words.progresses(leg, at)
            case "leg.answered":
                return words.answers(leg, at)
            case "leg.bridged":
                return Row(at, Kind.MARK, ASTERISK, "", f"{leg.name} is in the bridge")
            case "leg.ended":
                self._suppose_who_ended(leg, said)
                return words.ends(leg, at, said["hangup_cause"], said["sip_code"])
        return None

    def _suppose_who_ended(self, leg: Participant, said: Record) -> None:
        """The record says who ended the call, and how each leg turned out; which BYE was whose follows from that.

        Of a leg without a cause nobody heard how it ended.
        """
        if said["hangup_cause"] is None:
            return
        by = {"user": "a", "destination": "b"}.get(self._record["ended_by"] or "")
        first = leg.key[:1] == by and not any(one.ended and one.answered for one in self._legs.values())
        if (leg.answered and not first) or (not leg.answered and said["outcome"] in _LET_GO and not said["sip_code"]):
            leg.let_go = said["hangup_cause"]


def _name(leg: Record) -> str:
    return str(leg["device"] or leg["number"] or short(leg["id"]))


def _not_dialled(leg: Record) -> str:
    """With the address: the same phone may be registered at two, of which the older one is dead."""
    at = f" at {address_of(leg['contact'])}" if leg["contact"] else ""
    return f"{leg['device']}{at} was not dialled: {leg['outcome']}"


def _column(leg: Record) -> Column:
    return Column(short(leg["id"]), _name(leg), str(leg["user_agent"] or address_of(leg["contact"] or "")))


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
