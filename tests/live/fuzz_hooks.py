"""What schemathesis does beside making requests up: it uses ids that there are, spares what it needs, and keeps a tally.

It is loaded by schemathesis in a process of its own (SCHEMATHESIS_HOOKS).
"""

import json
import os
import random
import re
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.core.parameters import ParameterLocation

ID = re.compile(r"(acct|user|ep|did|loc|call|key)_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}")
ENDING = ("revoke_sessions", "rotate")
NOBODY = "01h2xcejqtf2nbrexx3vqjhp41"
OFTEN = 0.8  # of all well-formed ids become one that there is; the others stay unknown

TALLY = Path(os.environ["C2C_FUZZ_TALLY"])
SPARED: list[str] = json.loads(os.environ["C2C_FUZZ_SPARED"])
known: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=20))
for one in SPARED:
    known[one.partition("_")[0]].append(one)


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Put ids that there are in the place of made up ones, but for the part that is wrong on purpose."""
    ending = case.method == "DELETE" or case.path.endswith(ENDING)
    if not wrong(case, ParameterLocation.PATH):
        case.path_parameters = replaced(case.path_parameters, sparing=ending)
    if not wrong(case, ParameterLocation.QUERY):
        case.query = replaced(case.query)
    if not wrong(case, ParameterLocation.BODY):
        case.body = replaced(case.body)
    if ID.fullmatch(case.headers.get("DialStack-Account") or ""):
        case.headers["DialStack-Account"] = next(one for one in SPARED if one.startswith("acct_"))


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Remember what was made, and count the answer."""
    if response.status_code in (200, 201) and response.headers.get("content-type") == ["application/json"]:
        learn(json.loads(response.content))
    with TALLY.open("a") as tally:
        tally.write(f"{case.operation.label} {response.status_code}\n")


def wrong(case: Case[Any], part: ParameterLocation) -> bool:
    """Whether this part of a request was made wrong on purpose."""
    return case.meta is not None and case.meta.is_negative_at(part)


def replaced(value: Any, *, sparing: bool = False) -> Any:
    """The value with well-formed ids replaced; `sparing` leaves out those that the run itself needs."""
    match value:
        case dict():
            return {name: replaced(inside, sparing=sparing) for name, inside in value.items()}
        case list():
            return [replaced(inside, sparing=sparing) for inside in value]
        case str() if ID.fullmatch(value):
            kind = value.partition("_")[0]
            usable = [one for one in known[kind] if not (sparing and one in SPARED)]
            if usable and random.random() < OFTEN:
                return random.choice(usable)
            if sparing and value in SPARED:
                return f"{kind}_{NOBODY}"
    return value


def learn(answer: Any) -> None:
    """Remember the ids in an answer, whatever they are called there."""
    match answer:
        case dict():
            for inside in answer.values():
                learn(inside)
        case list():
            for inside in answer:
                learn(inside)
        case str() if ID.fullmatch(answer):
            of_kind = known[answer.partition("_")[0]]
            if answer not in of_kind:
                of_kind.append(answer)
