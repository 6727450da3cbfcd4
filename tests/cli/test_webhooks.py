"""Webhook endpoints by command line."""

import re

from c2c_stasis.cli.webhooks import _answer
from tests.api.resources.office import Office
from tests.cli.line import REFUSED, Line

URL = "https://hooks.example.com/c2c"


async def test_an_endpoint_is_made_shown_changed_tested_and_deleted(office: Office, line: Line) -> None:
    made = await line.json("webhooks", "create", URL, "--event", "call.end", "--description", "CRM")
    assert made["secret"].startswith("whsec_")
    assert made["enabled_events"] == ["call.end"]
    rows = [re.split(r"  +", row) for row in (await line.says("webhooks", "list")).splitlines()]
    assert rows == [
        ["ID", "STATUS", "FAILING SINCE", "EVENTS", "URL", "DESCRIPTION"],
        [made["id"], "enabled", "-", "call.end", URL, "CRM"],
    ]
    assert made["secret"] not in await line.says("webhooks", "show", URL)

    tested = await line.json("webhooks", "test", URL)
    again = await line.json("webhooks", "redeliver", made["id"], tested["id"])
    sent = await line.json("webhooks", "deliveries", URL, "--status", "pending")
    assert {one["id"] for one in sent} == {tested["id"], again["id"]}
    none = (await line.run("webhooks", "deliveries", URL, "--status", "failed")).stderr
    assert none == "nothing that was sent there is failed\n"
    table = await line.says("webhooks", "deliveries", URL)
    assert "webhook_endpoint.test" in table

    rotated = await line.json("webhooks", "rotate", URL, "--overlap", "60")
    assert rotated["secret"] != made["secret"]
    changed = await line.json("webhooks", "update", URL, "--disable", "--new-url", f"{URL}2", "--event", "*")
    assert (changed["status"], changed["url"], changed["enabled_events"]) == ("disabled", f"{URL}2", ["*"])
    refused = await line.fails(REFUSED, "webhooks", "test", f"{URL}2")
    said = (
        "Webhook endpoint disabled: nothing is sent to it until it is enabled: c2c-stasis webhooks update URL --enable"
    )
    assert refused == f"c2c-stasis: {said}\n"
    await line.says("webhooks", "delete", f"{URL}2")
    assert await line.json("webhooks", "list") == []


def test_of_a_delivery_it_is_said_what_the_newest_attempt_came_to() -> None:
    def attempt(status: int | None, response: str = "", error: str | None = None) -> dict[str, object]:
        return {"status_code": status, "response": response, "error": error}

    assert _answer([]) is None
    assert _answer([attempt(200, "ok"), attempt(500)]) == 200
    assert _answer([attempt(None, error="no answer")]) == "no answer"
    assert _answer([attempt(503)]) == "503"
    assert _answer([attempt(422, "field\n  call_id is missing")]) == "422 field call_id is missing"
    assert _answer([attempt(500, "x" * 61)]) == f"500 {'x' * 60}…"


async def test_a_refusal_is_told_in_words(office: Office, line: Line) -> None:
    refused = await line.fails(REFUSED, "webhooks", "create", "https://127.0.0.1/")
    assert "url leads to an address that webhooks may not go to" in refused
