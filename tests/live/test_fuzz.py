"""schemathesis asks the running service for everything its OpenAPI document tells, rightly and wrongly, with every credential.

A small run is part of the tests; `make fuzz` is the long one, and prints what was asked and answered.
"""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from c2c_stasis.config import Sip
from c2c_stasis.directory.model import User
from tests.live.client import Record
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.test_api_page import EXAMPLE_NUMBER, successes

pytestmark = [pytest.mark.live, pytest.mark.timeout(1800)]

ADDRESS = {"street": "1200 Main Street", "city": "Springfield", "country": "US"}
ROOT = Path(__file__).parents[2]
EXAMPLES = int(os.environ.get("C2C_FUZZ_EXAMPLES", "0"))  # of each operation and phase; none: the small run
# Left out is what cannot hold beside the hooks, which put in a header and ids where they are missing, and what asks more than
# the document can say: a time zone has the right form and does not exist. A wrong id in a path is put right where one is known,
# by links and from answers; what is answered then is no fault.
# `/v1/calls/erase` and `/v1/calls/preflight` are addresses of a call as well, which does not exist: so `Allow` names
# the methods of both.
# The stream of events never ends, and schemathesis waits for the end of every answer.
CONFIGURATION = """
[[operations]]
include-path = "/v1/events"
enabled = false

[checks]
# What is too long is refused for that, whatever else is wrong with it.
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, "5xx"]
allow_header_conformance.enabled = false
positive_data_acceptance.enabled = false
missing_required_header.enabled = false
ignored_auth.enabled = false
use_after_free.enabled = false
ensure_resource_availability.enabled = false

[phases.fuzzing.extra-data-sources]
responses = false

[phases.stateful.checks]
negative_data_rejection.enabled = false

# Where `from` and `from_date` mean the same, and an empty one means none, one of them may be wrong and harm nothing.
[[operations]]
include-name = ["GET /v1/calls", "GET /v1/calls.csv"]
checks.negative_data_rejection.enabled = false
"""


async def test_the_service_answers_whatever_is_asked_as_its_document_tells(story: Story) -> None:
    alice = await story.user(await story.phone(ANSWERS_SOON))
    story.destination(TALKS_BRIEFLY, EXAMPLE_NUMBER)
    story.sip = Sip(websocket_url=story.town.asterisk.websocket_url)
    await story.open()
    document = await story.client.get("/v1/openapi.json", alice.account_id)
    run = Fuzz(story, alice, document)
    await run.spare("/v1/phone-numbers", phone_number="+12025550199")
    await run.spare("/v1/locations", name="Office", address=ADDRESS)
    await run.spare(f"/v1/users/{alice.id}/endpoints", name="Made here")
    await run.spare(f"/v1/users/{alice.id}/endpoints", name="Page", type="browser")
    await run.spare(f"/v1/users/{alice.id}/endpoints", name="Attached", endpoint="attached")
    await run.spare("/v1/extensions", number="1001", target=alice.id)
    hook = await run.spare("/v1/webhook_endpoints", url="https://hooks.example.com/c2c")
    await run.spare(f"/v1/webhook_endpoints/{hook['id']}/test")
    run.spare_call((await story.place(alice, EXAMPLE_NUMBER)).id)
    tallies = {"platform key": await run.asks("platform key", story.client.key)}
    for kind in ("account", "user"):
        tallies[f"{kind} session"] = await run.asks(f"{kind} session", await run.session(kind))
    tallies["none"] = await run.asks("none", "")
    whole = sum(tallies.values(), Counter[tuple[str, int]]())
    for credential, tally in tallies.items():
        by_status = Counter[int]()
        for (_, status), times in tally.items():
            by_status[status] += times
        print(f"{credential}: {tally.total()} requests, {dict(sorted(by_status.items()))}")
    print(f"in all {whole.total()} requests to {len({operation for operation, _ in whole})} operations")
    answered = {operation for operation, status in whole if 200 <= status < 300}
    everything = {f"{method} {path}" for method, path in successes(document)} - {"GET /v1/events"}
    silent = sorted(everything - answered)
    assert not silent, f"operations that never succeeded: {', '.join(silent)}"
    assert [(one, times) for one, times in whole.items() if one[1] >= 500] == []
    if EXAMPLES:
        assert whole.total() >= 3000
    await story.until_phones_are_free()


def shortened(output: str) -> str:
    """What schemathesis found, from its list of failures on, without the rest of lines that are very long."""
    lines = [line[:500] for line in output.splitlines()]
    headings = (
        number
        for number, line in enumerate(lines)
        if line.startswith("===") and ("FAILURES" in line or "ERRORS" in line)
    )
    return "\n".join(lines[next(headings, 0) :])[:20_000]


class Fuzz:
    """Runs schemathesis against the service of a story."""

    def __init__(self, story: Story, alice: User, document: dict[str, Any]) -> None:
        self._story, self._alice = story, alice
        self._spared: list[Record] = [{"id": alice.id}, {"id": alice.account_id}]
        self._file = story.folder / "openapi.json"
        self._file.write_text(json.dumps(document))
        (story.folder / "schemathesis.toml").write_text(CONFIGURATION)

    async def spare(self, path: str, **fields: object) -> Record:
        """Make something that stays to the end, for others to name."""
        status, _, text = await self._story.client.ask("POST", path, self._alice.account_id, json=fields)
        assert status == 201, text
        self._spared.append(json.loads(text))
        return self._spared[-1]

    def spare_call(self, call_id: str) -> None:
        """A call that there is."""
        self._spared.append({"id": call_id})

    async def session(self, kind: str) -> str:
        """A new session for the account, or for Alice."""
        body = {kind: self._alice.id if kind == "user" else self._alice.account_id}
        status, _, text = await self._story.client.ask(
            "POST", f"/v1/{kind}_sessions", self._alice.account_id, json=body
        )
        assert status == 201, text
        return str(json.loads(text)["client_secret"])

    async def asks(self, credential: str, token: str) -> Counter[tuple[str, int]]:
        """Ask with this token; gives how often each operation was answered with each status."""
        tally = self._story.folder / f"{credential}.tally"
        tally.touch()
        keys = await self._story.client.get("/v1/keys?limit=100", self._alice.account_id)
        key = [one for one in keys["data"] if self._story.client.key.startswith(one["hint"])]
        environment = os.environ | {
            "SCHEMATHESIS_HOOKS": "tests.live.fuzz_hooks",
            "PYTHONPATH": str(ROOT),
            "C2C_FUZZ_TALLY": str(tally),
            "C2C_FUZZ_SPARED": json.dumps([*self._spared, *key]),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", str(self._file), "--url", self._story.client.url),
            *("--max-examples", str(EXAMPLES or 4), "--continue-on-failure"),
            *("--phases", "examples,coverage,fuzzing,stateful" if EXAMPLES else "examples,fuzzing,stateful"),
            *(("--header", f"Authorization: Bearer {token}") if token else ()),
            *("--warnings", "off", "--suppress-health-check", "all", "--no-color"),
            *("--request-timeout", "60"),  # seconds: a machine may stand still
            *(() if EXAMPLES else ("--seed", "1")),  # the small run asks the same each time
            cwd=self._story.folder,
            env=environment,
            stdout=PIPE,
            stderr=STDOUT,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, f"with {credential}:\n{shortened(output.decode())}"
        lines = (line.rpartition(" ") for line in tally.read_text().splitlines())
        return Counter((operation, int(status)) for operation, _, status in lines)
