"""The ear: which tones it tells from which, through loss and jitter, and how long they were."""

import random
from collections.abc import Iterator

import pytest

from c2c_stasis.lab.rtp import PACKET_SAMPLES, RtpPacket
from c2c_stasis.lab.tones import (
    KNOWN_PATTERNS,
    UK_BUSY,
    UK_RINGBACK,
    US_BUSY,
    US_DIAL,
    US_RINGBACK,
    Ear,
    TonePattern,
    tone_payloads,
)

TEST_TONES = (600.0, 700.0, 850.0, 1000.0, 1004.0, 1300.0)


def packets(
    hz: tuple[float, ...], seconds: float, *, codec: str = "PCMU", cadence: tuple[float, ...] = (), first: int = 0
) -> Iterator[tuple[float, RtpPacket]]:
    """The packets of a tone with the moments at which they come."""
    payloads = tone_payloads(codec, hz, cadence)
    for n in range(round(seconds * 50)):
        yield n * 0.02, RtpPacket(0, first + n, (first + n) * PACKET_SAMPLES, 1, False, payloads[n % len(payloads)])


def ear_for(hz: tuple[float, ...], seconds: float, *, codec: str = "PCMU", cadence: tuple[float, ...] = ()) -> Ear:
    ear = Ear()
    for at, packet in packets(hz, seconds, codec=codec, cadence=cadence):
        ear.hear(packet, codec, at)
    return ear


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
@pytest.mark.parametrize("hz", TEST_TONES)
def test_a_tone_is_heard_and_no_other(hz: float, codec: str) -> None:
    ear = ear_for((hz,), 1.0, codec=codec)

    assert ear.heard((hz,)) == pytest.approx(1.0)
    assert {other: ear.heard((other,)) for other in TEST_TONES if abs(other - hz) > 5} == {
        other: 0.0 for other in TEST_TONES if abs(other - hz) > 5
    }
    assert ear.dominant() == pytest.approx((hz,), abs=2.0)


def test_two_tones_at_once_are_both_heard_and_told_from_their_neighbours() -> None:
    ear = ear_for((440.0, 480.0), 1.0)

    assert ear.heard((440.0, 480.0)) == pytest.approx(1.0)
    assert ear.heard((400.0, 450.0)) == ear.heard((480.0, 620.0)) == ear.heard((350.0, 440.0)) == 0.0
    assert ear.dominant() == pytest.approx((440, 480), abs=4)


def test_silence_holds_no_tone() -> None:
    for codec in ("PCMU", "PCMA"):
        ear = ear_for((), 1.0, codec=codec)
        assert (ear.packets, ear.heard((440.0,)), ear.audible(), ear.dominant()) == (50, 0.0, [], ())


def test_noise_holds_no_tone() -> None:
    dice, ear = random.Random(3), Ear()
    for at, packet in packets((), 2.0):
        ear.hear(packet._replace(payload=dice.randbytes(160)), "PCMU", at)

    assert all(ear.heard((hz,)) == 0.0 for hz in TEST_TONES)


def test_a_tone_lasts_as_long_as_it_was_sent() -> None:
    ear = ear_for((700.0,), 3.0, cadence=(0.5, 0.5))

    assert [round(stretch.start, 2) for stretch in ear.stretches((700.0,))] == [0.0, 1.0, 2.0]
    assert [stretch.seconds for stretch in ear.stretches((700.0,))] == pytest.approx([0.5, 0.5, 0.5])
    assert ear.heard((700.0,), since=1.2) == pytest.approx(0.8)


def test_one_tone_right_after_another_is_told_within_a_block() -> None:
    ear = Ear()
    for at, packet in [*packets((440.0, 480.0), 1.05), *((at + 1.05, p) for at, p in packets((600.0,), 1.0, first=53))]:
        ear.hear(packet, "PCMU", at)

    assert ear.heard((440.0, 480.0)) == pytest.approx(1.05, abs=0.1)
    assert ear.heard((600.0,)) == pytest.approx(1.0, abs=0.1)


def test_loss_jitter_and_disorder_do_not_blur_a_tone() -> None:
    dice, ear = random.Random(5), Ear()
    arrivals = [(at + dice.random() * 0.05, packet) for at, packet in packets((700.0,), 4.0) if dice.random() > 0.1]
    for at, packet in sorted(arrivals, key=lambda pair: pair[0]):
        ear.hear(packet, "PCMU", at)

    assert ear.heard((700.0,)) == pytest.approx(4.0, abs=0.15)
    assert ear.heard((600.0,)) == ear.heard((850.0,)) == 0.0


def test_a_sender_that_rests_between_its_tones_is_heard_in_the_right_moments() -> None:
    """Some senders stop sending in the pause and do not count the timestamp on."""
    ear, first = Ear(), 0
    for turn in range(3):
        for at, packet in packets((480.0, 620.0), 0.5, first=first):
            ear.hear(packet, "PCMU", turn + at)
        first += 25

    assert ear.heard_pattern(US_BUSY)


def test_a_new_source_is_heard_on() -> None:
    ear = Ear()
    for n, ssrc in enumerate((1, 2)):
        for at, packet in packets((600.0,), 0.5):
            ear.hear(packet._replace(ssrc=ssrc, timestamp=packet.timestamp + 77 * ssrc), "PCMU", at + n * 0.5)

    assert ear.heard((600.0,)) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("pattern", KNOWN_PATTERNS, ids=lambda pattern: pattern.name)
def test_every_progress_tone_is_told_from_every_other(pattern: TonePattern) -> None:
    ear = ear_for(pattern.hz, 6.5, cadence=pattern.cadence)

    assert [known.name for known in KNOWN_PATTERNS if ear.heard_pattern(known)] == [pattern.name]


def test_a_progress_tone_is_known_after_its_first_turn_and_also_from_its_middle() -> None:
    assert not ear_for(US_RINGBACK.hz, 1.9, cadence=US_RINGBACK.cadence).heard_pattern(US_RINGBACK)
    assert ear_for(US_RINGBACK.hz, 2.2, cadence=US_RINGBACK.cadence).heard_pattern(US_RINGBACK)
    assert ear_for(UK_RINGBACK.hz, 4.3, cadence=UK_RINGBACK.cadence).heard_pattern(UK_RINGBACK, since=0.2)
    assert not ear_for(US_DIAL.hz, 0.8).heard_pattern(US_DIAL)
    assert not ear_for(UK_BUSY.hz, 3.0).heard_pattern(UK_BUSY)


def test_a_progress_tone_that_the_answer_cuts_was_heard_and_so_was_one_after_a_long_talk() -> None:
    ear, gaps = Ear(), ((0.0, US_RINGBACK.hz, 6.5), (6.5, (700.0,), 12.0), (18.5, US_RINGBACK.hz, 2.3), (20.8, (), 1.0))
    for begin, hz, seconds in gaps:
        for at, packet in packets(
            hz, seconds, cadence=US_RINGBACK.cadence if len(hz) > 1 else (), first=round(50 * begin)
        ):
            ear.hear(packet, "PCMU", begin + at)

    assert [known.name for known in KNOWN_PATTERNS if ear.heard_pattern(known)] == ["US ringback"]
    assert ear.heard_pattern(US_RINGBACK, since=18.0)
    assert not ear_for(US_RINGBACK.hz, 1.3, cadence=(1.2, 1.0)).heard_pattern(US_RINGBACK)


def test_an_ear_forgets_what_is_too_old() -> None:
    ear = Ear(keep=1.0)
    for at, packet in packets((600.0,), 3.0):
        ear.hear(packet, "PCMU", at)

    assert ear.heard((600.0,)) == pytest.approx(1.0, abs=0.1)
    assert ear.packets == 150
