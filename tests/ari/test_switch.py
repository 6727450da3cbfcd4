"""Commands as Asterisk gets them: every value, what can never get there, and what is sent again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c2c_stasis.ari.switch import clean, execute, tone_zone
from c2c_stasis.ari.transport import NeverSent
from c2c_stasis.call.commands import (
    Command,
    CreateBridge,
    CreateLeg,
    DestroyBridge,
    DialLeg,
    HangUpLeg,
    JoinLeg,
    PlayTone,
    StartRingback,
    StopRingback,
)
from c2c_stasis.call.model import Identity, Party, Tone
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable
from tests.ari.operations import Asked, Operations
from tests.call.stories import A1, ANN, B1, CALL_ID, NUMBER, outward_call

CALL = outward_call()
NO_ANSWER = SwitchUnavailable("no answer")
# Asterisk adds these to every event of the channel; the last one has its figures.
TOLD_AT_THE_END = {name: {"value": "", "report_events": True} for name in ("RTPAUDIOQOS", "RTPAUDIOQOSJITTER")}
CREATE = CreateLeg(A1, "PJSIP/d1", ANN, NUMBER, "US", 14_550)


async def carried_out(command: Command, *answers: Exception | None) -> list[Asked]:
    """What Asterisk is asked for a command, when it answers like this."""
    operations = Operations()
    operations.script(*answers)
    await execute(operations, "c2c", CALL, command)
    return operations.asked


async def variables_of(command: CreateLeg) -> dict[str, Any]:
    ((_, given),) = await carried_out(command)
    variables: dict[str, Any] = given["variables"]
    return variables


# --- each command, whole ---


async def test_a_leg_of_the_user_shows_the_destination_and_calls_with_the_users_number() -> None:
    assert await carried_out(CREATE) == [
        (
            "channels.create",
            {
                "endpoint": "PJSIP/d1",
                "app": "c2c",
                "appArgs": f"{CALL_ID},{A1}",
                "channelId": A1,
                "variables": {
                    "TIMEOUT(absolute)": "14550",
                    "CHANNEL(tonezone)": "us",
                    **TOLD_AT_THE_END,
                    "CALLERID(all)": '"Ann" <+15557654321>',
                    "CONNECTEDLINE(name,i)": "",
                    "CONNECTEDLINE(num,i)": "+15551234567",
                },
            },
        )
    ]


async def test_a_leg_of_the_destination_shows_nothing_of_its_own() -> None:
    variables = await variables_of(CreateLeg(B1, "PJSIP/+15551234567@carrier", Party("+1555"), None, "GB", 60))
    assert variables == {
        "TIMEOUT(absolute)": "60",
        "CHANNEL(tonezone)": "uk",
        **TOLD_AT_THE_END,
        "CALLERID(all)": "<+1555>",
    }


async def test_of_an_anonymous_call_the_phone_on_whose_behalf_others_are_dialled_withholds_its_number() -> None:
    variables = await variables_of(CreateLeg(A1, "PJSIP/d1", ANN, Party("+1555"), "US", 60, Identity.WITHHELD))
    assert variables["CALLERID(all)"] == '"Ann" <+15557654321>'
    assert variables["CALLERID(pres)"] == "prohib"
    assert not any("priv" in name for name in variables)


@pytest.mark.parametrize(
    ("identity", "private"),
    [
        (Identity.SHOWN, {}),
        (Identity.ASSERTED, {}),
        (
            Identity.WITHHELD,
            {"CONNECTEDLINE(priv-all,i)": "<anonymous>", "CONNECTEDLINE(priv-pres,i)": "prohib"},
        ),
    ],
)
async def test_a_leg_that_shall_not_know_the_caller_has_another_number_to_show(
    identity: Identity, private: dict[str, str]
) -> None:
    command = CreateLeg(B1, "PJSIP/+15551234567@carrier", ANN, None, "US", 60, identity)
    variables = await variables_of(command)
    assert {name: value for name, value in variables.items() if "priv" in name} == private
    assert "CALLERID(pres)" not in variables


async def test_a_caller_without_a_number_is_not_shown() -> None:
    variables = await variables_of(CreateLeg(B1, "PJSIP/d1", Party("", "Bakery"), None, "US", 60))
    assert "CALLERID(all)" not in variables


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        (DialLeg(A1, None, 35), ("channels.dial", {"channelId": A1, "timeout": 35})),
        (DialLeg(B1, A1, 65), ("channels.dial", {"channelId": B1, "timeout": 65, "caller": A1})),
        (HangUpLeg(A1, 26), ("channels.hangup", {"channelId": A1, "reason_code": "26"})),
        (
            CreateBridge(),
            ("bridges.createWithId", {"bridgeId": CALL_ID, "type": "mixing,proxy_media", "name": CALL_ID}),
        ),
        (
            JoinLeg(A1),
            ("bridges.addChannel", {"bridgeId": CALL_ID, "channel": A1, "inhibitConnectedLineUpdates": True}),
        ),
        (StartRingback(A1), ("channels.ring", {"channelId": A1})),
        (StopRingback(A1), ("channels.ringStop", {"channelId": A1})),
        (
            PlayTone(A1, Tone.BUSY, "GB"),
            ("channels.play", {"channelId": A1, "media": "tone:busy;tonezone=uk"}),
        ),
        (DestroyBridge(), ("bridges.destroy", {"bridgeId": CALL_ID})),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, tuple) else "",
)
async def test_each_command_is_one_request(command: Command, asked: Asked) -> None:
    assert await carried_out(command) == [asked]


# --- what is sent again, and what never ---


@pytest.mark.parametrize("command", [CREATE, CreateBridge(), HangUpLeg(A1, 16), JoinLeg(A1), DestroyBridge()])
async def test_what_has_an_id_of_ours_is_asked_again_with_the_same_id(command: Command) -> None:
    first, second = await carried_out(command, NO_ANSWER)
    assert first == second


@pytest.mark.parametrize("command", [CREATE, CreateBridge(), HangUpLeg(A1, 16), JoinLeg(A1), DestroyBridge()])
async def test_it_is_asked_twice_and_not_for_ever(command: Command) -> None:
    operations = Operations()
    operations.script(NO_ANSWER, NO_ANSWER, NO_ANSWER)
    with pytest.raises(SwitchUnavailable):
        await execute(operations, "c2c", CALL, command)
    assert len(operations.asked) == 2


@pytest.mark.parametrize("failure", [None, NO_ANSWER])
@pytest.mark.parametrize(
    ("command", "status"),
    [(CREATE, 409), (CreateBridge(), 409), (HangUpLeg(A1, 16), 404), (DestroyBridge(), 404)],
)
async def test_what_has_been_done_already_succeeds(command: Command, status: int, failure: Exception | None) -> None:
    answers = [failure, SwitchRefused(status, "done")] if failure else [SwitchRefused(status, "done")]
    assert len(await carried_out(command, *answers)) == len(answers)


@pytest.mark.parametrize("status", [400, 404, 409, 412, 422, 500, 503])
@pytest.mark.parametrize(
    "command",
    [CREATE, DialLeg(A1, None, 35), HangUpLeg(A1, 16), CreateBridge(), JoinLeg(A1), StartRingback(A1), DestroyBridge()],
    ids=lambda command: type(command).__name__,
)
async def test_every_other_refusal_is_told_as_it_is_and_nothing_is_asked_again(command: Command, status: int) -> None:
    done = {CreateLeg: 409, CreateBridge: 409, HangUpLeg: 404, DestroyBridge: 404}
    operations = Operations()
    operations.script(SwitchRefused(status, "why"))
    if done.get(type(command)) == status:
        await execute(operations, "c2c", CALL, command)
    else:
        with pytest.raises(SwitchRefused) as refused:
            await execute(operations, "c2c", CALL, command)
        assert (refused.value.status, refused.value.message) == (status, "why")
    assert len(operations.asked) == 1


async def test_a_dial_whose_answer_got_lost_is_not_sent_again() -> None:
    """A second dial cancels a leg that does not ring yet; the leg's own events tell what became of it."""
    assert len(await carried_out(DialLeg(A1, None, 35), NO_ANSWER)) == 1


async def test_a_dial_that_certainly_never_left_is_sent_again() -> None:
    assert len(await carried_out(DialLeg(A1, None, 35), NeverSent("nobody listens"))) == 2


async def test_a_dial_that_never_leaves_is_refused() -> None:
    with pytest.raises(SwitchUnavailable):
        await carried_out(DialLeg(A1, None, 35), NeverSent("nobody listens"), NeverSent("nobody listens"))


@pytest.mark.parametrize("command", [StartRingback(A1), StopRingback(A1), PlayTone(A1, Tone.BUSY, "US")])
async def test_a_sound_is_not_asked_for_twice(command: Command) -> None:
    operations = Operations()
    operations.script(NO_ANSWER)
    with pytest.raises(SwitchUnavailable):
        await execute(operations, "c2c", CALL, command)
    assert len(operations.asked) == 1


# --- what can never get to Asterisk ---


@pytest.mark.parametrize(
    "endpoint",
    [
        "PJSIP/d1",
        "PJSIP/ann_home-2.x",
        "PJSIP/+15551234567@carrier",
        "PJSIP/112@carrier",
        "PJSIP/d1/sip:d1@192.0.2.1:5060;transport=udp;ob",
        "PJSIP/d1/sips:d1@[2001:db8::1]:5061",
    ],
)
async def test_what_may_be_dialled(endpoint: str) -> None:
    ((_, given),) = await carried_out(CreateLeg(A1, endpoint, ANN, None, "US", 60))
    assert given["endpoint"] == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "Local/x@default",
        "SIP/d1",
        "PJSIP/",
        "PJSIP/d1&PJSIP/d2",
        "PJSIP/d1@carrier",
        "PJSIP/+15551234567@carrier/sip:1900@evil.example",
        "PJSIP/d1/sip:a@b c",
        "PJSIP/d1/sip:a@b\r\nX: y",
        "PJSIP/d1\n",
        "PJSIP/d1,x",
        "PJSIP/٣٣@carrier",
        "PJSIP/+1555;x=y@carrier",
        "PJSIP/+1@carrier",
    ],
)
async def test_what_may_not_be_dialled_is_refused_without_asking(endpoint: str) -> None:
    operations = Operations()
    with pytest.raises(SwitchRefused) as refused:
        await execute(operations, "c2c", CALL, CreateLeg(A1, endpoint, ANN, None, "US", 60))
    assert refused.value.status == 400
    assert operations.asked == []


@given(st.text(), st.text())
async def test_no_name_or_number_ends_a_header_or_begins_another(name: str, number: str) -> None:
    party = Party(number, name)
    variables = await variables_of(CreateLeg(A1, "PJSIP/d1", party, party, "US", 60))
    for value in (value for value in variables.values() if isinstance(value, str)):
        assert not any(ord(character) < 32 or ord(character) == 127 for character in value)
        assert len(value) < 2 * 64 + 6
    shown = variables.get("CALLERID(all)", "<>")
    assert shown.count('"') in (0, 2)
    assert (shown.count("<"), shown.count(">"), shown[-1]) == (1, 1, ">")


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Ann\r\nX-Evil: 1", "AnnX-Evil: 1"),
        ('"Ann" <sip:evil@host>', "Ann sip:evil@host"),
        ("a\x00b\x7fc\\", "abc"),
        ("Zoë 张伟 🙂", "Zoë 张伟 🙂"),
        ("x" * 100, "x" * 64),
    ],
)
def test_names_are_made_harmless(text: str, safe: str) -> None:
    assert clean(text) == safe


@pytest.mark.parametrize(("region", "zone"), [("US", "us"), ("GB", "uk"), ("DE", "de")])
def test_tone_zones_are_those_of_indications_conf(region: str, zone: str) -> None:
    assert tone_zone(region) == zone
