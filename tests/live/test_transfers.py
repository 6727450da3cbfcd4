"""A side that talks asks Asterisk to send the other one elsewhere (REFER): it is refused, nobody is dialled, they talk on.

As it is shipped, Asterisk does not even have the module that hears REFER, and leaves it without an answer (22.10.1). Here the
module is loaded, as it is in most other installations: `allow_transfer = no` alone has to refuse.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from c2c_stasis.lab.phone import Phone, PhoneCall
from c2c_stasis.lab.sip import SipMessage
from tests.live.client import COMPLETED_BY_DESTINATION, ending
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.test_answering import invites

pytestmark = pytest.mark.live

REFUSED = range(400, 700)
MODULE = "res_pjsip_refer.so"


@pytest.fixture
async def hears_refer(story: Story) -> AsyncIterator[None]:
    """An Asterisk that knows what a transfer is."""
    await story.town.asterisk.cli(f"module load {MODULE}")
    yield
    await story.town.asterisk.cli(f"module unload {MODULE}")


async def refer(phone: Phone, call: PhoneCall, target: str) -> int | None:
    """Ask for a blind transfer inside the call; gives the status of the answer."""
    dialog = call.dialog
    assert dialog is not None

    def build(extra: Sequence[tuple[str, str]]) -> SipMessage:
        headers = [
            ("Contact", f"<{phone.uri}>"),
            ("Refer-To", f"<{target}>"),
            ("Referred-By", f"<{phone.uri}>"),
            *extra,
        ]
        return dialog.next_request("REFER", phone.new_via(), headers)

    answer = await phone.send_request(build, dialog.hop)
    return answer.status if answer is not None else None


@pytest.mark.usefixtures("hears_refer")
@pytest.mark.parametrize("who", ["phone", "carrier"])
async def test_neither_a_phone_nor_a_carrier_transfers_a_call(story: Story, who: str) -> None:
    stranger = await story.stranger()
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(replace(TALKS_BRIEFLY, hang_up_after=None))
    dear = story.destination(ANSWERS_SOON)
    await story.open()
    call = await story.place(alice, number)
    await call.reached("talking")
    (near,), (far,) = desk.calls, story.dialled(number)
    phone, asking = (desk, near) if who == "phone" else (story.town.carrier, far)
    host, port = story.town.asterisk.sip_address

    for target in (stranger.uri, f"sip:{dear}@{host}:{port}", f"sip:{dear.removeprefix('+')}@{host}:{port}"):
        assert await refer(phone, asking, target) in REFUSED

    assert (await call.record())["state"] == "talking"
    await far.hang_up()
    assert ending(await call.ended()) == COMPLETED_BY_DESTINATION
    assert invites(stranger) == 0
    assert story.dialled(dear) == []
    assert len(story.dialled(number)) == 1
