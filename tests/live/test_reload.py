"""The configuration is read again (SIGHUP) while people talk."""

from dataclasses import replace

import pytest

from c2c_stasis.config import NumberFormat, Trunk
from c2c_stasis.directory.model import User
from c2c_stasis.lab.phone import RINGS, Script
from tests.live.client import COMPLETED_BY_DESTINATION, ending
from tests.live.process import as_toml
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.waiting import until

pytestmark = pytest.mark.live

SPEAKS = Script(ring_after=0.02, answer_after=0.1, tone_hz=1000)
SPEAKS_LOWER = Script(ring_after=0.02, answer_after=0.1, tone_hz=700)
RING_TIMEOUT = 1.0


async def seconds_until_given_up(story: Story, user: User) -> float:
    """How long the phones of somebody who does not answer ring."""
    record = await (await story.place(user, "+12025550198")).ended()
    assert record["reason"] == "user_no_answer"
    return float(record["timings"]["ended_ms"]) / 1000


async def test_the_next_call_follows_the_new_file_a_talk_goes_on_and_a_broken_file_changes_nothing(
    story: Story,
) -> None:
    desk, quick, lazy = await story.phone(SPEAKS), await story.phone(ANSWERS_SOON), await story.phone(RINGS)
    alice, bob, cat = [await story.user(phone, name=phone.name) for phone in (desk, quick, lazy)]
    number = story.destination(SPEAKS_LOWER)
    prefixed = story.destination(TALKS_BRIEFLY, "912025550199")
    service = await story.open_process()
    talk = await story.place(alice, number)
    await talk.told("call.answered", "leg.bridged", "leg.bridged")
    (near,), (far,) = desk.calls, story.dialled(number)
    await far.wait_tone(1000)

    config = story.config(None, ring_timeout=RING_TIMEOUT)
    trunk = replace(config.trunks[0], format=NumberFormat.E164_NO_PLUS, prefix="9")
    service.rewrite(as_toml(replace(config, trunks=(trunk,))))
    news = await service.read_again("configuration read again")
    read_at = near.phone.now()
    assert [line["changed"] for line in news if line["message"] == "configuration read again"] == [
        ["trunks", "calls.ring_timeout"]
    ]
    record = await (await story.place(bob, "+12025550199")).ended()
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert len(story.dialled(prefixed)) == 1
    assert await seconds_until_given_up(story, cat) == pytest.approx(RING_TIMEOUT, abs=0.5)

    service.rewrite("[ari]\nurl = 5\n[calls]\nring_timeout = 900\n")
    news = await service.read_again("configuration refused")
    told = [line["problem"] for line in news if line["message"] == "configuration refused"]
    assert [problem.partition(": ")[2].partition(" ")[0] for problem in told] == [
        "ari.password",
        "ari.url",
        "calls.ring_timeout",
    ]
    story.expected_alarms += ["configuration refused"] * 3
    assert await seconds_until_given_up(story, cat) == pytest.approx(RING_TIMEOUT, abs=0.5)

    await near.wait_tone(700, since=read_at)
    await far.wait_tone(1000, since=read_at)
    assert (await talk.record())["state"] == "talking"
    await far.hang_up()
    assert ending(await story.ended(talk)) == COMPLETED_BY_DESTINATION


async def test_a_trunk_whose_endpoint_asterisk_has_not_is_told_at_once_and_by_the_call_that_fails(story: Story) -> None:
    desk = await story.phone(RINGS)
    alice = await story.user(desk)
    number = story.destination(ANSWERS_SOON)
    service = await story.open_process()

    wrong = Trunk("carrier", "PJSIP/{number}@nosuch")
    service.rewrite(as_toml(replace(story.config(None), trunks=(wrong,))))
    told = await service.read_again("Asterisk does not know the trunk's endpoint")
    (line,) = [one for one in told if one["message"] == "Asterisk does not know the trunk's endpoint"]
    assert (line["level"], line["endpoint"], line["trunk"]) == ("warning", "nosuch", "[[trunks]] carrier")
    call = await story.place(alice, number)
    record = await story.ended(call)

    assert record["outcome"] == "failed"
    await until(lambda: any(one["message"] == "call.end" for one in service.lines()), "the line that tells of the end")
    (refused,) = [one for one in service.lines() if one["message"] == "command refused" and "endpoint" in one]
    assert (refused["level"], refused["command"], refused["call_id"]) == ("warning", "CreateLeg", call.id)
    assert refused["endpoint"].endswith("@nosuch")
    assert refused["hint"] == "the trunk's carrier may be unreachable: c2c-stasis trunks check tells"
    (end,) = [one for one in service.lines() if one["message"] == "call.end"]
    assert (end["level"], end["reason"]) == ("warning", record["reason"])
    assert number not in refused["endpoint"]
    ready = [one for one in service.lines() if one["message"] == "ready for calls"]
    assert len(ready) == 1
