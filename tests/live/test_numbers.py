"""What was dialled, and the Request-URI that the carrier saw."""

import pytest

from tests.live.client import COMPLETED_BY_DESTINATION, ending, outcomes
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story

pytestmark = pytest.mark.live


@pytest.mark.parametrize(
    ("region", "dial_string", "number"),
    [
        ("US", "+12025550123", "+12025550123"),
        ("US", "(202) 555-0123", "+12025550123"),
        ("GB", "+44 20 7946 0018", "+442079460018"),
        ("GB", "020 7946 0018", "+442079460018"),
        ("US", "911", "911"),
        ("GB", "999", "999"),
    ],
)
async def test_the_carrier_is_asked_for_the_number_that_was_meant(
    story: Story, region: str, dial_string: str, number: str
) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk, account=await story.account(region=region))
    story.destination(TALKS_BRIEFLY, number)
    await story.open()

    call = await story.place(alice, dial_string)
    record = await story.ended(call)

    host, port = story.town.carrier.address
    (near,), (far,) = desk.calls, story.town.carrier.calls
    assert far.invite.request_uri == f"sip:{number}@{host}:{port}"
    assert far.invite.to.uri == f"sip:{number}@{host}"
    assert near.display.number == record["to_number"] == number
    assert ending(record) == COMPLETED_BY_DESTINATION
    assert outcomes(record) == {"a1": "answered", "b1": "answered"}
    is_emergency = "call.emergency" in [event["type"] for event in await call.events()]
    assert is_emergency == (len(number) == 3)
