"""The figures and the log of a service that works: they tell what happened, and nobody's number or key."""

import asyncio
import re
import time
from dataclasses import replace
from io import StringIO
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from c2c_stasis import logs
from c2c_stasis.config import Config, MetricsAt, Trunk
from c2c_stasis.lab.phone import Script
from tests.live.story import TALKS_BRIEFLY, Story
from tests.live.waiting import eventually

pytestmark = pytest.mark.live

CANARY = "+12025550199"
KEY_OF_A_STRANGER = "sk_live_Canary9Canary9Canary9Canary9Canary9Canary9"
ANSWERS_AT_ONCE = Script(ring_after=0.02, answer_after=0.05)
Figures = dict[str, float]


def with_metrics(story: Story, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Let the story's service serve its figures on a listener of their own."""
    ordinary = story.config

    def config(ari_url: str | None, **limits: float) -> Config:
        return replace(ordinary(ari_url, **limits), metrics=MetricsAt("127.0.0.1:0"), **changes)

    monkeypatch.setattr(story, "config", config)


async def scrape(url: str) -> tuple[str, Figures]:
    """The text, and its samples by name and labels; whatever Prometheus would not understand raises."""
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        assert answer.status == 200
        text = await answer.text()
    families = text_string_to_metric_families(text)
    return text, {
        f"{one.name}{dict(sorted(one.labels.items())) or ''}": one.value for f in families for one in f.samples
    }


async def test_a_call_is_in_the_figures_from_its_request_to_its_end(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_metrics(story, monkeypatch)
    desk, busy = await story.phone(ANSWERS_AT_ONCE), await story.phone(Script(reject=486))
    alice, bob = await story.user(desk), await story.user(busy, name="Bob")
    number = story.destination(TALKS_BRIEFLY)
    await story.open()
    assert story.app is not None

    await story.ended(await story.place(alice, number))
    await story.ended(await story.place(bob, number))
    url = story.app.metrics_url

    async def read() -> dict[str, float]:
        return (await scrape(url))[1]

    found = await eventually(read, lambda figures: figures["c2c_loop_lag_seconds_count"] > 0, "a look at the loop")

    assert found["c2c_calls_accepted_total{'kind': 'external'}"] == 2
    assert found["c2c_calls_ended_total{'outcome': 'completed', 'reason': 'normal'}"] == 1
    assert found["c2c_calls_ended_total{'outcome': 'rejected', 'reason': 'user_rejected'}"] == 1
    assert found["c2c_legs_ended_total{'outcome': 'busy', 'side': 'a'}"] == 1
    assert found["c2c_call_accept_seconds_count"] == 2
    for step in ("first_invite", "user_ringing", "destination_invite", "destination_ringing", "join"):
        assert found[f"c2c_call_setup_seconds_count{{'step': '{step}'}}"] == 1
        assert 0 <= found[f"c2c_call_setup_seconds_sum{{'step': '{step}'}}"] < 5
    assert found["c2c_call_setup_seconds_count{'step': 'committed'}"] == 2
    assert (found["c2c_calls_live"], found["c2c_ari_connected"], found["c2c_ari_connections_total"]) == (0, 1, 1)
    assert found["c2c_ari_request_seconds_count{'operation': 'dial'}"] == 3
    assert found["c2c_http_requests_total{'method': 'POST', 'route': '/v1/calls', 'status': '202'}"] == 2
    assert found["c2c_store_commit_seconds_count"] > 2
    assert found["c2c_store_failing"] == 0


async def test_a_lost_connection_is_counted(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    with_metrics(story, monkeypatch)
    proxy = await story.open_through_proxy()
    assert story.app is not None
    url = story.app.metrics_url
    await proxy.cut()

    async def lost() -> float:
        return (await scrape(url))[1]["c2c_ari_connections_lost_total"]

    await eventually(lost, lambda value: value == 1, "the loss in the figures")
    assert (await scrape(url))[1]["c2c_ari_connected"] == 0


SPELLINGS = (CANARY, CANARY[1:], CANARY[2:], "(202) 555-0199", "202-555-0199", "+1 202 555 0199", "%2B12025550199")
NOWHERE = (Trunk("carrier", "PJSIP/{number}@nowhere"),)  # Asterisk has no such endpoint, and answers 500
CALL_ID = re.compile(r"call_[0-9a-z]{26}")
NAMES_IT = {"json": re.compile(r'"call_ids?":'), "text": re.compile(r" call_ids?=")}


@pytest.mark.parametrize("style", ["json", "text"])
async def test_no_number_and_no_key_is_in_the_log_or_the_figures_and_every_line_of_a_call_has_its_id(
    story: Story, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    with_metrics(story, monkeypatch)
    desk = await story.phone(ANSWERS_AT_ONCE)
    alice = await story.user(desk)
    story.destination(TALKS_BRIEFLY, CANARY)
    out = StringIO()
    log = logs.start(level="debug", style=style, stream=out)
    try:
        await story.open()
        assert story.app is not None
        for dialled in (CANARY, "(202) 555-0199", "202-555-0199"):
            await story.ended(await story.place(alice, dialled))
        await story.app.reconfigure(replace(story.config(None), trunks=NOWHERE))
        await story.ended(await story.place(alice, CANARY))
        stranger = {"Authorization": f"Bearer {KEY_OF_A_STRANGER}"}
        for path in (
            *(f"/v1/calls/{quote(spelling)}" for spelling in SPELLINGS),
            f"/v1/calls?to_number=%2B{CANARY[1:]}",
            "/v1/calls?to_number=(202) 555-0199",
        ):
            await story.client.ask("GET", path, alice.account_id)
            status, _, _ = await story.client.ask("GET", path, alice.account_id, more_headers=stranger)
            assert status == 401
        figures, found = await scrape(story.app.metrics_url)
    finally:
        log.stop()
    lines = out.getvalue()

    assert "command refused" in lines
    assert found["c2c_ari_errors_total{'operation': 'create', 'status': '500'}"] >= 1
    for secret in (*SPELLINGS, story.client.key, KEY_OF_A_STRANGER, story.town.asterisk.ari_password):
        assert secret not in lines
        assert secret not in figures
    of_calls = [line for line in lines.splitlines() if CALL_ID.search(line)]
    assert len(of_calls) > 40
    assert [line for line in of_calls if not NAMES_IT[style].search(line)] == []


@pytest.mark.timeout(120)
async def test_to_be_read_every_second_costs_less_than_a_hundredth_of_a_processor(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_metrics(story, monkeypatch)
    desk = await story.phone(ANSWERS_AT_ONCE)
    alice = await story.user(desk)
    number = story.destination(TALKS_BRIEFLY)
    await story.open()
    assert story.app is not None
    for _ in range(3):
        await story.ended(await story.place(alice, number))
    metrics = story.app._metrics

    began = time.process_time()
    for _ in range(50):
        metrics.text()
        await asyncio.sleep(0)
    assert (time.process_time() - began) / 50 < 0.010  # seconds of processor time a second
