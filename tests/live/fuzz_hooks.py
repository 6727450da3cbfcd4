"""What schemathesis does beside making requests up: it uses ids that there are, spares what it needs, and keeps a tally.

It is loaded by schemathesis in a process of its own (SCHEMATHESIS_HOOKS).
"""

import json
import os
import random
import re
from collections import Counter, defaultdict, deque
from datetime import datetime
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

ID = re.compile(r"(acct|user|ep|did|loc|call|key|we|wd)_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}")
ENDING = ("revoke_sessions", "rotate")
EXAMPLE_ENDPOINT = "carol-desk"
EMERGENCY = ("911", "112", "933")
NOBODY = "01h2xcejqtf2nbrexx3vqjhp41"
OFTEN = 0.8  # of all requests name what there is; the others name what nobody knows

TALLY = Path(os.environ["C2C_FUZZ_TALLY"])
RECORDS: list[dict[str, Any]] = json.loads(os.environ["C2C_FUZZ_SPARED"])
SPARED = [record.get("id") or record["number"] for record in RECORDS]
known: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=20))


class Likely:
    """Whether the request that is being made names what there is."""

    use_known = True
    operation = ""

    def __init__(self) -> None:
        self._turns: Counter[str] = Counter()

    def next_of(self, usable: list[str]) -> str:
        """One after the other, for each operation: then none is left out by chance."""
        turn = f"{self.operation} {usable[0].partition('_')[0]}"
        self._turns[turn] += 1
        return usable[self._turns[turn] % len(usable)]


likely = Likely()
owners: dict[str, str] = {}  # of devices, and of what was sent to webhook endpoints
numbers: deque[str] = deque(maxlen=20)  # of extensions


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Put ids that there are in the place of made up ones, but for the part that is wrong on purpose."""
    by_example = case.meta is not None and case.meta.phase.name is TestPhase.EXAMPLES
    likely.operation = case.operation.label
    likely.use_known = by_example or random.random() < OFTEN
    # A call may be ended as often as one likes: it stays in the log.
    removing = case.method == "DELETE" and "call_id" not in (case.path_parameters or {})
    ending = removing or case.path.endswith(ENDING)
    if not wrong(case, ParameterLocation.PATH):
        case.path_parameters = path_parameters(case.path_parameters or {}, sparing=ending)
    case.query = never_empty(spelt_once(case.query)) if wrong(case, ParameterLocation.QUERY) else replaced(case.query)
    case.body = spelt_once(case.body) if wrong(case, ParameterLocation.BODY) else replaced(case.body, spared=True)
    if likely.use_known and isinstance(case.body, dict) and case.body.get("endpoint") == EXAMPLE_ENDPOINT:
        case.body = case.body | {"endpoint": f"desk-{random.getrandbits(64)}"}  # else it would be in use from then on
    if likely.use_known and case.path == "/v1/calls/erase" and not wrong(case, ParameterLocation.BODY):
        case.body = {"number": "+12025550177"}  # with which nobody talks: a live call is not erased
    if isinstance(case.body, dict) and case.body.get("status") == "disabled":
        case.body = case.body | {"status": "enabled"}  # else nothing could be sent to a webhook endpoint from then on
    if isinstance(case.body, dict) and isinstance(case.body.get("policy"), dict):
        case.body = case.body | {"policy": {"allow_regions": ["CA"]}}  # else nothing could be dialled from then on
    if ID.fullmatch(case.headers.get("DialStack-Account") or ""):
        case.headers["DialStack-Account"] = next(one for one in SPARED if one.startswith("acct_"))


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Remember what was made, and count the answer."""
    learn(response.headers.get("location", [""])[0].rpartition("/")[2])
    if response.status_code in (200, 201) and response.headers.get("content-type") == ["application/json"]:
        learn(json.loads(response.content))
    with TALLY.open("a") as tally:
        tally.write(f"{case.operation.label} {response.status_code}\n")


def path_parameters(made_up: dict[str, Any], *, sparing: bool) -> dict[str, Any]:
    """Names of something that there is: a device with its user, a delivery with its endpoint, an extension by its number."""
    parameters = {name: replaced(value, sparing=sparing, spared=not sparing) for name, value in made_up.items()}
    if parameters.get("endpoint_id") in owners:
        parameters["user_id"] = owners[parameters["endpoint_id"]]
    if parameters.get("delivery_id") in owners:
        parameters["webhook_endpoint_id"] = owners[parameters["delivery_id"]]
    if "number" in parameters and numbers and likely.use_known:
        usable = [one for one in numbers if (one in SPARED) is not sparing] or [parameters["number"]]
        parameters["number"] = likely.next_of(usable)
    return parameters


def wrong(case: Case[Any], part: ParameterLocation) -> bool:
    """Whether this part of a request was made wrong on purpose."""
    return case.meta is not None and case.meta.is_negative_at(part)


def replaced(value: Any, *, sparing: bool = False, spared: bool = False) -> Any:
    """The value with well-formed ids replaced.

    `sparing` leaves out what the run itself needs; `spared` prefers it, for what somebody refers to cannot be deleted.
    """
    match value:
        case dict():
            return {
                name: replaced(inside, sparing=sparing, spared=spared)
                for name, inside in value.items()
                if not nothing(inside)
            }
        case list():
            return [replaced(inside, sparing=sparing, spared=spared) for inside in value]
        case str() if ID.fullmatch(value):
            kind = value.partition("_")[0]
            usable = [one for one in known[kind] if not (sparing and one in SPARED)]
            usable = [one for one in usable if spared and one in SPARED] or usable
            if usable and likely.use_known:
                return likely.next_of(usable)
            if sparing and value in SPARED:
                return f"{kind}_{NOBODY}"
    return value


def spelt_once(fields: Any) -> Any:
    """Of `user` and `user_id`, `from` and `from_date` the wrong one: else the other one wins, and nothing is wrong."""
    if not isinstance(fields, dict):
        return fields
    twice = [(name, name + ending) for name in fields for ending in ("_id", "_date") if name + ending in fields]
    left_out = {short if well_formed(str(fields[short])) else long for short, long in twice}
    once = {name: value for name, value in fields.items() if name not in left_out}
    if str(once.get("dial_string")).strip() in EMERGENCY:  # whose other fields may be wrong
        once["dial_string"] = "+15551234567"
    return once


def never_empty(filters: Any) -> Any:
    """An empty filter is none, so nothing would be wrong with it."""
    return (
        {name: "-" if value == "" else value for name, value in filters.items()}
        if isinstance(filters, dict)
        else filters
    )


def well_formed(text: str) -> bool:
    """Whether this is an id or a moment."""
    try:
        return bool(ID.fullmatch(text) or datetime.fromisoformat(text))
    except ValueError:
        return False


def nothing(value: Any) -> bool:
    """Whether this is an id of a kind of which there is nothing yet: no example of a request would succeed with it."""
    return isinstance(value, str) and ID.fullmatch(value) is not None and not known[value.partition("_")[0]]


def learn(answer: Any) -> None:
    """Remember the ids in an answer, whatever they are called there."""
    match answer:
        case dict():
            if str(answer.get("id")).startswith("ep_"):
                owners[answer["id"]] = answer["user_id"]
            if str(answer.get("id")).startswith("wd_"):
                owners[answer["id"]] = answer["webhook_endpoint_id"]
            if {"number", "target", "status"} <= answer.keys() and isinstance(answer["number"], str):
                numbers.append(answer["number"])
            for inside in answer.values():
                learn(inside)
        case list():
            for inside in answer:
                learn(inside)
        case str() if ID.fullmatch(answer):
            of_kind = known[answer.partition("_")[0]]
            if answer not in of_kind:
                of_kind.append(answer)


learn(RECORDS)
