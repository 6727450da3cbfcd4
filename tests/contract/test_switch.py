"""What the service may rely on in a switch: the same stories on the switch of the tests and on a real Asterisk."""

from collections.abc import AsyncIterator, Awaitable, Set

import pytest
import pytest_asyncio
from msgspec.structs import replace

from c2c_stasis.ari.connection import AppTaken
from c2c_stasis.call.commands import (
    CreateBridge,
    DestroyBridge,
    DialLeg,
    HangUpLeg,
    JoinLeg,
    PlayTone,
    StartRingback,
    StopRingback,
)
from c2c_stasis.call.model import LegState, Tone
from c2c_stasis.call.signals import (
    LegAnswered,
    LegCreated,
    LegEnded,
    LegHangingUp,
    LegInvited,
    LegJoined,
    LegLeft,
    LegProgressed,
    LegRinging,
)
from c2c_stasis.errors import SwitchRefused
from c2c_stasis.ids import CallId, LegId
from c2c_stasis.lab.asterisk import Asterisk
from c2c_stasis.lab.configuration import DeviceAccount
from c2c_stasis.lab.obtain import obtain
from c2c_stasis.lab.phone import Phone
from c2c_stasis.lab.script import ANSWERS, RINGS, Script
from tests.contract.benches import CARRIER, DEVICES, Bench, FakeBench, RealBench, create
from tests.live.waiting import eventually

SILENT = Script(silent=True)


class SwitchContract:
    """The stories."""

    # --- a leg on its way ---

    async def test_a_leg_is_created_invited_rings_and_answers_in_this_order(self, bench: Bench) -> None:
        await bench.phone("d1", Script(ring_after=0.0, answer_after=0.1))
        call = bench.call()
        leg = await bench.answered(call)
        assert bench.heard_of(leg) == [LegCreated(leg), LegInvited(leg), LegRinging(leg), LegAnswered(leg)]

    async def test_a_leg_that_is_only_created_rings_nowhere(self, bench: Bench) -> None:
        phone = await bench.phone("d1", ANSWERS)
        call = bench.call()
        await bench.make(call)
        await bench.answered(call, "a2")
        assert phone.invites == 1  # the second leg's, although the first was there before

    async def test_a_phone_that_answers_at_once_never_rang(self, bench: Bench) -> None:
        await bench.phone("d1", Script(answer_after=0.0))
        leg = await bench.answered(bench.call())
        assert bench.heard_of(leg) == [LegCreated(leg), LegInvited(leg), LegAnswered(leg)]

    async def test_early_media_comes_before_the_answer(self, bench: Bench) -> None:
        bench.carrier(Script(progress_after=0.0, answer_after=0.1))
        leg = await bench.answered(bench.call(), "b1", CARRIER)
        assert bench.heard_of(leg) == [LegCreated(leg), LegInvited(leg), LegProgressed(leg), LegAnswered(leg)]

    async def test_a_phone_that_says_nothing_has_been_invited_all_the_same(self, bench: Bench) -> None:
        await bench.phone("d1", SILENT)
        call = bench.call()
        leg = await bench.make(call)
        await bench.ask(call, DialLeg(leg, None, 30))
        await bench.hears(LegInvited(leg))

    async def test_a_leg_is_dialled_for_a_caller_that_has_just_gone(self, bench: Bench) -> None:
        await bench.phone("d1", ANSWERS)
        call = bench.call()
        leg = await bench.make(call)
        await bench.ask(call, DialLeg(leg, LegId(f"{call.id}.a9"), 30))
        await bench.hears(LegAnswered(leg))

    # --- how legs end ---

    @pytest.mark.parametrize(
        ("status", "cause"),
        [(486, 17), (600, 17), (603, 21), (403, 21), (404, 1), (484, 28), (480, 19), (408, 18), (500, 38), (503, 34)],
    )
    async def test_a_refusal_ends_a_leg_with_its_cause_and_status(self, bench: Bench, status: int, cause: int) -> None:
        await bench.phone("d1", Script(ring_after=0.0, reject=status, reject_after=0.02))
        call = bench.call()
        leg = await bench.make(call)
        await bench.ask(call, DialLeg(leg, None, 30))
        assert await bench.hears_end(leg) == LegEnded(leg, cause, status)

    async def test_a_redirect_is_not_followed(self, bench: Bench) -> None:
        elsewhere = await bench.phone("d2", ANSWERS)
        await bench.phone("d1", Script(redirect_to="sip:d2@127.0.0.1", reject_after=0.0))
        call = bench.call()
        leg = await bench.make(call)
        await bench.ask(call, DialLeg(leg, None, 30))
        assert await bench.hears_end(leg) == LegEnded(leg, 23, 302)
        assert elsewhere.invites == 0

    @pytest.mark.parametrize("script", [RINGS, SILENT, Script()], ids=["rings", "silent", "trying"])
    async def test_a_leg_that_is_not_answered_is_given_up(self, bench: Bench, script: Script) -> None:
        await bench.phone("d1", script)
        call = bench.call()
        leg = await bench.make(call)
        await bench.ask(call, DialLeg(leg, None, 1))
        assert await bench.hears_end(leg) == LegEnded(leg, 19, 480)

    async def test_the_far_end_hangs_up(self, bench: Bench) -> None:
        await bench.phone("d1", Script(ring_after=0.0, answer_after=0.0, hang_up_after=0.05))
        leg = await bench.answered(bench.call())
        assert await bench.hears_end(leg) == LegEnded(leg, 16, None)
        assert bench.heard_of(leg)[-2] == LegHangingUp(leg)

    async def test_who_hangs_up_is_reported_before_he_leaves_the_bridge(self, bench: Bench) -> None:
        """An answer of the destination that is read after the BYE is reported after it as well."""
        await bench.phone("d1", Script(ring_after=0.0, answer_after=0.0, hang_up_after=0.2))
        call = bench.call()
        leg = await bench.answered(call)
        await bench.joined(call, leg)
        await bench.hears_end(leg)
        assert bench.heard_of(leg)[-3:] == [LegHangingUp(leg), LegLeft(leg), LegEnded(leg, 16, None)]

    @pytest.mark.parametrize(
        ("cause", "status"),
        [
            (26, None),
            (16, None),
            (19, 480),
            (17, 486),
            (21, 403),
            (1, 404),
            (34, 503),
            (38, 500),
            (41, None),
            (27, 502),
        ],
    )
    async def test_a_ringing_leg_that_we_end_ends_with_our_cause(
        self, bench: Bench, cause: int, status: int | None
    ) -> None:
        await bench.phone("d1", RINGS)
        call = bench.call()
        leg = await bench.make(call)
        await bench.ask(call, DialLeg(leg, None, 30))
        await bench.hears(LegRinging(leg))
        await bench.ask(call, HangUpLeg(leg, cause))
        assert await bench.hears_end(leg) == LegEnded(leg, cause, status)

    async def test_an_answered_leg_that_we_end_ends_with_our_cause(self, bench: Bench) -> None:
        await bench.phone("d1", ANSWERS)
        call = bench.call()
        leg = await bench.answered(call)
        await bench.ask(call, HangUpLeg(leg, 26))
        assert await bench.hears_end(leg) == LegEnded(leg, 26, None)

    async def test_a_leg_that_was_never_dialled_can_be_ended(self, bench: Bench) -> None:
        phone = await bench.phone("d1", RINGS)
        call = bench.call()
        leg = await bench.make(call)
        await bench.ask(call, HangUpLeg(leg, 26))
        assert await bench.hears_end(leg) == LegEnded(leg, 26, 603)
        assert phone.invites == 0

    async def test_ending_a_leg_twice_or_one_that_never_was_is_done_already(self, bench: Bench) -> None:
        await bench.phone("d1", RINGS)
        call = bench.call()
        leg = await bench.make(call)
        await bench.ask(call, HangUpLeg(leg, 16), HangUpLeg(leg, 16))
        await bench.hears_end(leg)
        await bench.ask(call, HangUpLeg(leg, 16), HangUpLeg(LegId(f"{call.id}.a9"), 16))
        assert sum(isinstance(signal, LegEnded) for signal in bench.ear.heard) == 1

    @pytest.mark.parametrize(
        ("script", "end"), [(ANSWERS, (16, None)), (RINGS, (16, None))], ids=["answered", "ringing"]
    )
    async def test_a_leg_does_not_outlive_its_lifetime(
        self, bench: Bench, script: Script, end: tuple[int, int | None]
    ) -> None:
        await bench.phone("d1", script)
        call = bench.call()
        leg = LegId(f"{call.id}.a1")
        await bench.ask(call, create(leg, lifetime=1))
        await bench.hears(LegCreated(leg))
        await bench.ask(call, DialLeg(leg, None, 30))
        assert await bench.hears_end(leg) == LegEnded(leg, *end)

    # --- what is refused, and what has been done already ---

    @pytest.mark.parametrize("endpoint", ["PJSIP/d3", "PJSIP/nobody", "PJSIP/+15551234567@nobody"])
    async def test_a_leg_to_where_nobody_is_registered_is_refused(self, bench: Bench, endpoint: str) -> None:
        call = bench.call()
        with pytest.raises(SwitchRefused) as refused:
            await bench.ask(call, create(LegId(f"{call.id}.a1"), endpoint))
        assert (refused.value.status, refused.value.message) == (500, "Allocation failed")

    async def test_creating_a_leg_again_is_done_already(self, bench: Bench) -> None:
        await bench.phone("d1", ANSWERS)
        call = bench.call()
        leg = await bench.make(call)
        await bench.ask(call, create(leg))
        await bench.ask(call, DialLeg(leg, None, 30))
        await bench.hears(LegAnswered(leg))
        assert bench.ear.heard.count(LegCreated(leg)) == 1

    async def test_a_leg_is_not_dialled_before_it_is_created(self, bench: Bench) -> None:
        phone = await bench.phone("d1", RINGS)
        call, refused, tries = bench.call(), 0, 40
        for number in range(1, tries + 1):
            leg = LegId(f"{call.id}.a{number}")
            await bench.ask(call, create(leg))
            refused += await _refused_with(409, bench.ask(call, DialLeg(leg, None, 30)))
        assert refused > 0  # Asterisk is sometimes quick enough, hence the many tries
        await bench.until(lambda: phone.invites == tries - refused, "the INVITEs that were not refused")

    async def test_dialling_a_leg_that_is_gone_is_refused(self, bench: Bench) -> None:
        call = bench.call()
        with pytest.raises(SwitchRefused) as refused:
            await bench.ask(call, DialLeg(LegId(f"{call.id}.a1"), None, 30))
        assert refused.value.status == 404

    @pytest.mark.parametrize("script", [RINGS, ANSWERS], ids=["ringing", "answered"])
    async def test_a_leg_that_rings_or_talks_is_not_dialled_again(self, bench: Bench, script: Script) -> None:
        phone = await bench.phone("d1", script)
        call = bench.call()
        leg = await bench.make(call)
        await bench.ask(call, DialLeg(leg, None, 30))
        await bench.hears(LegRinging(leg))
        with pytest.raises(SwitchRefused) as refused:
            await bench.ask(call, DialLeg(leg, None, 30))
        assert refused.value.status == 409
        assert phone.invites == 1

    async def test_a_second_dial_cancels_a_leg_that_does_not_ring_yet(self, bench: Bench) -> None:
        """Hence no leg is ever dialled twice."""
        await bench.phone("d1", SILENT)
        call = bench.call()
        leg = await bench.make(call)
        await bench.ask(call, DialLeg(leg, None, 30))
        await bench.hears(LegInvited(leg))
        await bench.ask(call, DialLeg(leg, None, 30))
        assert await bench.hears_end(leg) == LegEnded(leg, 16, None)

    # --- the bridge ---

    async def test_a_leg_joins_before_it_is_dialled_and_leaves_when_it_ends(self, bench: Bench) -> None:
        bench.carrier(ANSWERS)
        call = bench.call()
        leg = await bench.make(call, "b1", CARRIER)
        await bench.joined(call, leg)
        await bench.ask(call, DialLeg(leg, None, 30))
        await bench.hears(LegAnswered(leg))
        await bench.ask(call, HangUpLeg(leg, 16))
        await bench.hears_end(leg)
        assert bench.heard_of(leg)[-3:] == [LegAnswered(leg), LegLeft(leg), LegEnded(leg, 16, None)]

    async def test_whoever_stays_in_the_bridge_stays_alone(self, bench: Bench) -> None:
        """Asterisk ends nobody because another one left."""
        await bench.phone("d1", ANSWERS)
        bench.carrier(ANSWERS)
        call = bench.call()
        mine, theirs = await bench.answered(call), await bench.answered(call, "b1", CARRIER)
        await bench.joined(call, mine)
        await bench.joined(call, theirs)
        await bench.ask(call, HangUpLeg(theirs, 16))
        await bench.hears_end(theirs)
        stock = await bench.switch.look()
        assert stock.legs[mine] is LegState.UP
        assert stock.bridges[call.id] == {mine}

    async def test_joining_a_leg_that_is_gone_is_refused(self, bench: Bench) -> None:
        call = bench.call()
        await bench.ask(call, CreateBridge())
        with pytest.raises(SwitchRefused) as refused:
            await bench.ask(call, JoinLeg(LegId(f"{call.id}.a1")))
        assert refused.value.status in (400, 422)

    async def test_joining_a_bridge_that_is_gone_is_refused(self, bench: Bench) -> None:
        await bench.phone("d1", RINGS)
        call = bench.call()
        leg = await bench.make(call)
        with pytest.raises(SwitchRefused) as refused:
            await bench.ask(call, JoinLeg(leg))
        assert refused.value.status == 404

    async def test_joining_twice_is_leaving_and_joining(self, bench: Bench) -> None:
        await bench.phone("d1", RINGS)
        call = bench.call()
        leg = await bench.make(call)
        await bench.joined(call, leg)
        await bench.ask(call, JoinLeg(leg))
        await bench.until(lambda: bench.ear.heard.count(LegJoined(leg)) == 2, "the second joining")
        assert bench.ear.heard[-3:] == [LegJoined(leg), LegLeft(leg), LegJoined(leg)]

    async def test_making_a_bridge_again_changes_nothing(self, bench: Bench) -> None:
        await bench.phone("d1", RINGS)
        call = bench.call()
        leg = await bench.make(call)
        await bench.joined(call, leg)
        await bench.ask(call, CreateBridge())
        assert (await bench.switch.look()).bridges[call.id] == {leg}

    async def test_a_bridge_that_is_removed_lets_its_legs_live(self, bench: Bench) -> None:
        await bench.phone("d1", RINGS)
        call = bench.call()
        leg = await bench.make(call)
        await bench.joined(call, leg)
        await bench.ask(call, DestroyBridge())
        await bench.hears(LegLeft(leg))
        await bench.ask(call, DestroyBridge())  # and removing it again has been done already
        stock = await bench.switch.look()
        assert leg in stock.legs
        assert call.id not in stock.bridges

    # --- sounds ---

    async def test_an_answered_leg_hears_ringback_and_tones(self, bench: Bench) -> None:
        await bench.phone("d1", ANSWERS)
        call = bench.call()
        leg = await bench.answered(call)
        await bench.joined(call, leg)
        await bench.ask(call, StartRingback(leg), StopRingback(leg), PlayTone(leg, Tone.BUSY, "GB"))
        assert (await bench.switch.look()).legs == {leg: LegState.UP}

    async def test_a_region_whose_tones_are_not_known_is_no_obstacle(self, bench: Bench) -> None:
        await bench.phone("d1", ANSWERS)
        call = bench.call()
        leg = LegId(f"{call.id}.a1")
        await bench.ask(call, replace(create(leg), region="ZW"))
        await bench.hears(LegCreated(leg))
        await bench.ask(call, DialLeg(leg, None, 30))
        await bench.hears(LegAnswered(leg))
        await bench.ask(call, PlayTone(leg, Tone.BUSY, "ZW"))
        assert (await bench.switch.look()).legs == {leg: LegState.UP}

    async def test_a_leg_that_is_not_answered_hears_nothing(self, bench: Bench) -> None:
        await bench.phone("d1", RINGS)
        call = bench.call()
        leg = await bench.make(call)
        for command in (StartRingback(leg), StopRingback(leg), PlayTone(leg, Tone.BUSY, "US")):
            with pytest.raises(SwitchRefused) as refused:
                await bench.ask(call, command)
            assert refused.value.status == 412

    async def test_a_leg_that_is_gone_hears_nothing(self, bench: Bench) -> None:
        call = bench.call()
        leg = LegId(f"{call.id}.a1")
        for command in (StartRingback(leg), StopRingback(leg), PlayTone(leg, Tone.CONGESTION, "US")):
            with pytest.raises(SwitchRefused) as refused:
                await bench.ask(call, command)
            assert refused.value.status == 404

    # --- looking and sweeping ---

    async def test_a_look_shows_every_leg_with_its_state_and_every_bridge_with_its_members(self, bench: Bench) -> None:
        await bench.phone("d1", RINGS)
        await bench.phone("d2", ANSWERS)
        bench.carrier(Script(progress_after=0.0))
        call = bench.call()
        waiting, ringing = await bench.make(call, "a1"), await bench.make(call, "a2")
        up, early = await bench.answered(call, "a3", "PJSIP/d2"), await bench.make(call, "b1", CARRIER)
        await bench.joined(call, up)
        await bench.joined(call, early)
        await bench.ask(call, DialLeg(ringing, None, 30), DialLeg(early, up, 30))
        await bench.hears(LegRinging(ringing))
        await bench.hears(LegProgressed(early))
        stock = await bench.switch.look()
        assert stock.legs == {
            waiting: LegState.READY,
            ringing: LegState.RINGING,
            up: LegState.UP,
            early: LegState.READY,  # Asterisk knows no state between made and ringing
        }
        assert stock.bridges[call.id] == {up, early}

    async def test_of_a_silent_leg_it_can_be_told_whether_it_was_dialled_on_behalf_of_another(
        self, bench: Bench
    ) -> None:
        await bench.phone("d1", ANSWERS)
        bench.carrier(Script(silent=True))
        call = bench.call()
        up, silent, waiting = (
            await bench.answered(call, "a1"),
            await bench.make(call, "b1", CARRIER),
            await bench.make(call, "b2", CARRIER),
        )
        await bench.ask(call, DialLeg(silent, up, 30))
        await bench.hears(LegInvited(silent))
        asked = [await bench.switch.was_dialled(leg) for leg in (silent, waiting, LegId(f"{call.id}.b3"))]
        assert asked == [True, False, None]

    async def test_a_sweep_ends_legs_and_removes_bridges_also_those_that_are_gone(self, bench: Bench) -> None:
        await bench.phone("d1", RINGS)
        call = bench.call()
        leg = await bench.make(call)
        await bench.joined(call, leg)
        await bench.switch.sweep([leg, LegId(f"{call.id}.a9")], [call.id, bench.call().id])
        assert await bench.hears_end(leg) == LegEnded(leg, 31, 480)
        assert not (await bench.switch.look()).legs

        async def bridges() -> Set[CallId]:  # Asterisk lists one for some moments after it was removed
            return (await bench.switch.look()).bridges.keys()

        await eventually(bridges, lambda left: call.id not in left, "the bridge to be gone")

    # --- contacts ---

    async def test_contacts_come_and_go(self, bench: Bench) -> None:
        assert bench.switch.contacts("d1") == ()
        phone = await bench.phone("d1", RINGS, contacts=2)
        first, second = bench.switch.contacts("d1")
        assert first.reachable
        assert second.reachable
        assert first.uri != second.uri
        await phone.unregister()
        uris = [first.uri]  # what the phone calls itself may become known meanwhile
        await bench.until(lambda: [one.uri for one in bench.switch.contacts("d1")] == uris, "one contact")

    async def test_a_contact_that_does_not_answer_is_known_as_unreachable(self, bench: Bench) -> None:
        phone = await bench.phone("d1", RINGS)
        await phone.vanish()
        await bench.until(lambda: not bench.switch.contacts("d1")[0].reachable, "an unreachable contact")

    async def test_each_of_two_contacts_is_dialled_by_its_own_address(self, bench: Bench) -> None:
        phone = await bench.phone("d1", RINGS, contacts=2)
        call = bench.call()
        for number, contact in enumerate(bench.switch.contacts("d1"), 1):
            leg = await bench.make(call, f"a{number}", f"PJSIP/d1/{contact.uri}")
            await bench.ask(call, DialLeg(leg, None, 30))
            await bench.hears(LegRinging(leg))
        assert phone.invites == 2

    async def test_what_nobody_watches_has_no_contacts(self, bench: Bench) -> None:
        assert bench.switch.contacts("stranger") == ()

    async def test_an_endpoint_that_the_switch_does_not_know_is_no_obstacle(self, bench: Bench) -> None:
        await bench.switch.watch((*DEVICES, "nobody"))
        assert bench.switch.contacts("nobody") == ()
        await bench.cut()
        await bench.until(lambda: bench.ear.connects == 2, "a second connection")

    # --- the connection ---

    async def test_legs_live_on_when_the_connection_is_cut_and_are_heard_again(self, bench: Bench) -> None:
        await bench.phone("d1", ANSWERS)
        call = bench.call()
        leg = await bench.answered(call)
        await bench.joined(call, leg)
        await bench.cut()
        await bench.until(lambda: bench.ear.connects == 2 and bench.switch.connected, "a second connection")
        stock = await bench.switch.look()
        assert stock.legs == {leg: LegState.UP}
        assert stock.bridges[call.id] == {leg}
        await bench.ask(call, HangUpLeg(leg, 16))
        assert await bench.hears_end(leg) == LegEnded(leg, 16, None)

    async def test_contacts_are_known_again_after_the_connection_was_cut(self, bench: Bench) -> None:
        await bench.phone("d1", RINGS)
        before = [contact.uri for contact in bench.switch.contacts("d1")]
        await bench.cut()
        await bench.until(lambda: bench.ear.connects == 2, "a second connection")
        assert [contact.uri for contact in bench.switch.contacts("d1")] == before

    async def test_a_switch_that_restarted_has_nothing_and_says_since_when(self, bench: Bench) -> None:
        await bench.phone("d1", ANSWERS)
        call = bench.call()
        await bench.joined(call, await bench.answered(call))
        before = await bench.switch.look()
        await bench.restart()
        await bench.until(lambda: bench.ear.connects == 2 and bench.switch.connected, "a second connection")
        after = await bench.switch.look()
        assert (after.legs, after.bridges) == ({}, {})
        assert after.started_at > before.started_at

    async def test_who_is_displaced_by_another_service_says_so_and_ends(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("c2c_stasis.ari.connection.STANDS_BY", 0.0)
        await bench.take_over()
        await bench.until(bench.running.done, "the end")
        assert isinstance(bench.running.exception(), AppTaken)
        assert not bench.switch.connected


async def _refused_with(status: int, request: Awaitable[None]) -> bool:
    """Whether a request is refused; with another status it fails."""
    try:
        await request
    except SwitchRefused as refusal:
        if refusal.status == status:
            return True
        raise
    return False


@pytest.mark.asyncio(loop_scope="function")
class TestFake(SwitchContract):
    """The switch of the tests."""

    @pytest_asyncio.fixture(loop_scope="function")
    async def bench(self) -> AsyncIterator[Bench]:
        async with FakeBench.set_up() as bench:
            yield bench


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def asterisk() -> AsyncIterator[tuple[Asterisk, Phone]]:
    devices = [DeviceAccount(name, name) for name in DEVICES]
    installation = await obtain()
    async with (
        await Phone.start("carrier") as carrier,
        await Asterisk.start(installation, devices, carrier.address) as asterisk,
    ):
        yield asterisk, carrier


@pytest.mark.live
class TestAsterisk(SwitchContract):
    """A real Asterisk."""

    @pytest_asyncio.fixture(loop_scope="session")
    async def bench(self, asterisk: tuple[Asterisk, Phone]) -> AsyncIterator[Bench]:
        async with RealBench.set_up(*asterisk) as bench:
            yield bench
