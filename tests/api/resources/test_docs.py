"""docs/api.md says every operation, field, word and error there is, and its examples run."""

import ast
import asyncio
import inspect
import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import pytest

from c2c_stasis import errors
from c2c_stasis.api import health, problems, server
from c2c_stasis.api.document.errors import ERRORS
from c2c_stasis.api.resources.devices import Provisioning
from c2c_stasis.api.schemas import CallRecord
from c2c_stasis.api.server import ROUTES, build_app
from c2c_stasis.call.causes import STATUS_BY_OUTCOME
from c2c_stasis.call.events import EventType
from c2c_stasis.call.model import CallState, EndedBy, FailedLeg, LegOutcome, LegState, Outcome, Reason, Side
from c2c_stasis.directory.webhooks import DeliveryStatus
from c2c_stasis.ports import Contact
from tests.api.fakes import NO_STORE, FakeService
from tests.api.resources.office import Office
from tests.store.samples import eventually

PAGE = (Path(__file__).parents[3] / "docs/api.md").read_text()
SCRIPT = "\n".join(re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL))
RECORDS = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
VARIABLE = re.compile(r"\$\w+|1042")  # of a path; one extension stands there as it is


def section(heading: str) -> str:
    """What stands under a heading, up to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found, f"there is no section {heading!r}"
    return found[1]


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("`state`", CallState),
        ("`outcome`", Outcome),
        ("`reason`", Reason),
        ("`ended_by`", EndedBy),
        ("`failed_leg`", FailedLeg),
        ("`legs[].side`", Side),
        ("`legs[].state`", LegState),
        ("`legs[].outcome`", LegOutcome),
        ("`type` of an event", EventType),
        ("`provisioning` of a device", Provisioning),
        ("`status` of a delivery", DeliveryStatus),
    ],
)
def test_every_word_of_an_enumeration_is_explained(heading: str, words: type[StrEnum]) -> None:
    assert re.findall(r"^\| `([^`]+)` \|", section(heading), re.MULTILINE) == [word.value for word in words]


def test_every_status_is_explained() -> None:
    assert set(re.findall(r"^\| `([^`]+)` \|", section("`status`"), re.MULTILINE)) == set(STATUS_BY_OUTCOME.values())


def test_every_operation_has_an_example() -> None:
    asked = {(method, path) for method, path in re.findall(r'api (GET|POST|DELETE) "?(/[^\s"?)]+)', SCRIPT)}
    asked |= {("GET", path) for path in re.findall(r"\$C2C_BASE_URL(/[\w./-]+)", SCRIPT)}
    shown = {f"{method} {VARIABLE.sub('{}', path)}" for method, path in asked}
    routes = build_app(FakeService(), NO_STORE)[ROUTES]
    there = {f"{route.method} {re.sub(r'[{][^}]*[}]+', '{}', route.path)}" for route in routes}
    assert there - shown == set(), "operations without a curl in docs/api.md"
    assert shown - there == set(), "curls of docs/api.md for what is no operation"


FREE = ("metadata", "quality_metrics")  # the one is the client's own, the other null without media


def shape(value: object) -> object:
    """The names of the fields of a JSON value, and of what is in it."""
    match value:
        case dict():
            return {name: shape(inside) for name, inside in value.items() if name not in FREE}
        case [first, *_]:
            return [shape(first)]
    return None


async def test_the_records_have_the_fields_that_the_service_gives(office: Office) -> None:
    await office.make(f"/v1/users/{office.user.id}/endpoints", endpoint="desk")
    office.switch.registered["desk"] = [Contact("sip:desk@10.0.0.1", True)]
    location = await office.call(office.user.id)
    given = await office.get(location)
    talking, ended, event = RECORDS
    assert shape(talking) == shape(ended) == shape(given)
    assert (talking["state"], talking["status"], ended["state"], ended["status"]) == (
        "talking",
        None,
        "ended",
        "completed",
    )
    msgspec.convert(ended, CallRecord)
    await office.delete(location)
    await eventually(lambda: office.service.live == 0)
    events = (await office.get(f"{location}/events"))["data"]
    (of_leg,) = [one for one in events if one["type"] == "leg.ended" and one["data"]["leg"]["device"] == "desk"]
    assert shape(event) == shape(of_leg)


def codes_of(module: object) -> set[tuple[str, str]]:
    """Status and code of every problem that a module makes with both as constants."""
    found = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):  # type: ignore[arg-type]  # a module has a source
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Problem":
            status, _, code = node.args[:3]
            if isinstance(status, ast.Constant) and isinstance(code, ast.Constant):
                found.add((str(code.value), str(status.value)))
    return found


def test_every_error_is_in_the_table_with_its_status() -> None:
    made = codes_of(problems) | codes_of(server)
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.NotFound) and kind is not errors.NotFound:
            made.add((problems.problem_of(kind()).code, "404"))
    made |= {("not_found", "404"), ("bad_request", "400")}  # made of the status, by aiohttp and by its parser
    assert '"code": "not_ready"' in inspect.getsource(health)
    made.add(("not_ready", "503"))
    assert set(re.findall(r"^\| `(\w+)` \| (\d+) \|", section("Errors"), re.MULTILINE)) == made
    assert {(code, str(error.status)) for code, error in ERRORS.items()} == made, "ERRORS of api/document/errors.py"


async def test_the_examples_run_from_top_to_bottom(office: Office) -> None:
    variables = {
        "C2C_BASE_URL": office.url,
        "C2C_API_KEY": office.key,
        "C2C_ACCOUNT": office.account.id,
        "C2C_USER": office.user.id,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
    }
    bash = await asyncio.create_subprocess_exec(
        *("bash", "-euxo", "pipefail", "-c", SCRIPT),
        env=variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        output, traced = await bash.communicate()
    assert bash.returncode == 0, f"{output.decode()[-500:]}\n{traced.decode()[-2000:]}"
    answers: list[Any] = [word for word in output.decode().split('"id":"') if word]
    assert len(answers) > 20
