"""RTP, RTCP and G.711: what is written can be read, and receivers count as RFC 3550 says."""

import random

import pytest

from c2c_stasis.lab.rtp import (
    ReceptionCounter,
    ReceptionReport,
    RtpPacket,
    SenderState,
    build_dtmf,
    build_rtcp,
    build_rtp,
    decoding,
    encode,
    parse_dtmf,
    parse_rtcp,
    parse_rtp,
)


def packet(sequence: int, *, ssrc: int = 1, timestamp: int | None = None) -> RtpPacket:
    return RtpPacket(
        0, sequence & 0xFFFF, 160 * sequence if timestamp is None else timestamp, ssrc, False, b"\xff" * 160
    )


def test_a_packet_survives_the_wire_and_its_numbers_wrap() -> None:
    data = build_rtp(8, 0x1FFFF, 0x1_0000_0002, 7, b"abc", marker=True)

    assert parse_rtp(data) == RtpPacket(8, 0xFFFF, 2, 7, True, b"abc")


def test_extensions_sources_and_padding_are_no_sound() -> None:
    head = bytes([0x80 | 0x20 | 0x10 | 1, 0]) + b"\0\1" + bytes(8)
    body = bytes(4) + b"\xbe\xde\0\1" + bytes(4) + b"sound" + b"\0\0\3"

    parsed = parse_rtp(head + body)

    assert parsed is not None
    assert parsed.payload == b"sound"


@pytest.mark.parametrize("data", [b"", b"\x80" * 11, b"\x00" * 20, b"\x80\xc8" + bytes(20), b"\x90\x00" + bytes(10)])
def test_what_is_no_packet_is_none(data: bytes) -> None:
    assert parse_rtp(data) is None


def test_loss_is_what_the_sequence_numbers_miss() -> None:
    counter = ReceptionCounter()
    for sequence in range(65_500, 65_600):  # over the wrap
        if sequence % 10:
            counter.count(packet(sequence), sequence * 0.02)
    report = counter.report()

    assert (report.lost, counter.expected, counter.received) == (9, 99, 90)
    assert report.fraction_lost == pytest.approx(9 / 99)
    assert counter.report().fraction_lost == 0.0  # nothing was expected since


def test_late_and_doubled_packets_do_not_count_as_lost() -> None:
    counter = ReceptionCounter()
    for sequence in (10, 12, 11, 13, 13):
        counter.count(packet(sequence), 0.0)

    assert (counter.expected, counter.lost) == (4, -1)


def test_jitter_is_smoothed_by_a_sixteenth() -> None:
    """Packets that come 10 ms early and late in turn differ by 20 ms = 160 units each time; RFC 3550 A.8 nears that."""
    counter = ReceptionCounter()
    for sequence in range(200):
        counter.count(packet(sequence), sequence * 0.02 + (0.02 if sequence % 2 else 0.0))

    assert counter.jitter == pytest.approx(160, rel=0.01)
    assert counter.report().jitter_seconds == pytest.approx(0.02, rel=0.02)


def test_a_new_source_starts_the_count_again() -> None:
    counter = ReceptionCounter()
    counter.count(packet(5, ssrc=1), 0.0)
    counter.count(packet(900, ssrc=2), 0.0)

    assert (counter.ssrc, counter.expected, counter.lost) == (2, 1, 0)


def test_a_sender_report_carries_what_was_sent_and_received() -> None:
    sender = SenderState(ssrc=11, timestamp=0x1_0000_0005, packets=50, octets=8000)
    block = ReceptionReport(22, 26 / 256, -3, 70_000, 12, last_sender_report=99, delay_since=65_536)

    (report,) = parse_rtcp(build_rtcp(sender, block, wall=1_700_000_000.5))

    assert (report.source, report.packets, report.octets, report.blocks) == (11, 50, 8000, (block,))
    assert report.middle_ntp == ((1_700_000_000 + 2_208_988_800) % 65_536) << 16 | 0x8000


def test_who_has_not_sent_yet_writes_a_receiver_report() -> None:
    data = build_rtcp(SenderState(ssrc=11), None, wall=0.0)

    assert data[1] == 201
    assert len(data) % 4 == 0
    assert [(report.packets, report.blocks) for report in parse_rtcp(data)] == [(None, ())]


def test_cut_and_foreign_rtcp_is_passed_over() -> None:
    whole = build_rtcp(SenderState(ssrc=11, packets=1), ReceptionReport(1, 0.0, 0, 0, 0), wall=0.0)

    assert parse_rtcp(whole[:20]) == []
    assert parse_rtcp(b"\x81\xcb\x00\x01\x00\x00\x00\x0b" + whole)[0].source == 11


def test_a_digit_survives_the_wire() -> None:
    event = parse_dtmf(build_dtmf("#", 800, end=True))

    assert event is not None
    assert (event.digit, event.end, event.duration) == ("#", True, 800)
    assert parse_dtmf(b"\x0b") is None
    assert parse_dtmf(bytes([16, 0, 0, 0])) is None
    with pytest.raises(ValueError):
        build_dtmf("x", 1, end=False)


# Bytes and their samples after the tables of ITU-T G.711 (in 16-bit units).
@pytest.mark.parametrize(
    ("codec", "values"),
    [
        ("PCMU", {0xFF: 0, 0x7F: 0, 0x80: 32124, 0x00: -32124, 0xF0: 120, 0x8F: 16764}),
        ("PCMA", {0xD5: 8, 0x55: -8, 0xAA: 32256, 0x2A: -32256, 0xC5: 264}),
    ],
)
def test_g711_decodes_as_its_tables_say(codec: str, values: dict[int, int]) -> None:
    table = decoding(codec)

    assert {byte: table[byte] for byte in values} == values


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_g711_encodes_to_the_nearest_step(codec: str) -> None:
    table = decoding(codec)
    again = encode(codec, [int(value) for value in table])

    assert [table[byte] for byte in again] == list(table)
    dice = random.Random(1)
    for sample in (dice.randint(-32_000, 32_000) for _ in range(2000)):
        decoded = table[encode(codec, [sample])[0]]
        assert abs(decoded - sample) <= max(abs(sample) / 16, 16)
