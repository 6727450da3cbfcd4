"""RTP and RTCP packets, what a receiver counts about them, and G.711 (RFC 3550, 3551, 4733; ITU-T G.711)."""

import struct
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

SAMPLE_RATE = 8000  # Hz
PACKET_SAMPLES = 160  # 20 ms, the default packet time of RFC 3551 §4.5
PACKET_SECONDS = PACKET_SAMPLES / SAMPLE_RATE

_RTP_HEADER = struct.Struct("!BBHII")
_REPORT_BLOCK = struct.Struct("!IIIIII")
_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
_SR, _RR, _SDES, _BYE = 200, 201, 202, 203


class RtpPacket(NamedTuple):
    """One RTP packet without its extensions and padding."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    marker: bool
    payload: bytes


def build_rtp(payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, *, marker: bool) -> bytes:
    """Write one RTP packet (RFC 3550 §5.1); numbers wrap as the header does."""
    second = payload_type | 0x80 if marker else payload_type
    return _RTP_HEADER.pack(0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


def parse_rtp(data: bytes) -> RtpPacket | None:
    """Read one RTP packet; None when it is not one, or is RTCP that came on the same port (RFC 5761 §4)."""
    if len(data) < 12 or data[0] >> 6 != 2 or 192 <= data[1] <= 223:
        return None
    first, second, sequence, timestamp, ssrc = _RTP_HEADER.unpack_from(data)
    start = 12 + 4 * (first & 0x0F)
    if first & 0x10:  # header extension (§5.3.1)
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    end = len(data) - (data[-1] if first & 0x20 else 0)
    if start > end:
        return None
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, bool(second & 0x80), data[start:end])


@dataclass(frozen=True, slots=True)
class ReceptionReport:
    """What one side says about the packets it received from the other (RFC 3550 §6.4.1).

    `fraction_lost` is since the report before, `lost` since the start; `jitter` is in timestamp units (1/8000 s).
    """

    source: int
    fraction_lost: float
    lost: int
    highest_sequence: int
    jitter: int
    last_sender_report: int = 0
    delay_since: int = 0

    @property
    def jitter_seconds(self) -> float:
        """The interarrival jitter in seconds."""
        return self.jitter / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class RtcpReport:
    """A sender or receiver report; `packets` and `octets` are None when the other side sent no RTP."""

    source: int
    packets: int | None
    octets: int | None
    middle_ntp: int
    blocks: tuple[ReceptionReport, ...]


class ReceptionCounter:
    """Counts one incoming RTP source the way RFC 3550 appendix A.3 and A.8 say.

    A new SSRC, as after a re-INVITE, starts the count again.
    """

    def __init__(self) -> None:
        self.ssrc = 0
        self.received = 0
        self.jitter = 0.0  # timestamp units
        self._base = self._highest = -1
        self._transit = 0.0
        self._expected_before = self._received_before = 0

    def count(self, packet: RtpPacket, arrival: float) -> None:
        """Take one packet in; `arrival` is in seconds of any steady clock."""
        if self._base < 0 or packet.ssrc != self.ssrc:
            self.__init__()  # type: ignore[misc]  # a new source starts from nothing
            self.ssrc = packet.ssrc
            self._base = self._highest = packet.sequence
            self._transit = arrival * SAMPLE_RATE - packet.timestamp
            self.received = 1
            return
        self.received += 1
        step = (packet.sequence - self._highest + 0x8000 & 0xFFFF) - 0x8000
        if step > 0:
            self._highest += step
        transit = arrival * SAMPLE_RATE - packet.timestamp
        self.jitter += (abs(transit - self._transit) - self.jitter) / 16
        self._transit = transit

    @property
    def expected(self) -> int:
        """How many packets the sequence numbers say there were."""
        return self._highest - self._base + 1 if self._base >= 0 else 0

    @property
    def lost(self) -> int:
        """How many never came; negative when some came twice."""
        return self.expected - self.received

    def report(self, last_sender_report: int = 0, delay_since: int = 0) -> ReceptionReport:
        """The block for the next RTCP packet; closes the interval that `fraction_lost` speaks about."""
        expected = self.expected - self._expected_before
        lost = expected - (self.received - self._received_before)
        self._expected_before, self._received_before = self.expected, self.received
        fraction = max(lost, 0) / expected if expected > 0 else 0.0
        return ReceptionReport(
            self.ssrc, fraction, self.lost, self._highest, int(self.jitter), last_sender_report, delay_since
        )


@dataclass(slots=True)
class SenderState:
    """What a sender report says about our own stream."""

    ssrc: int
    timestamp: int = 0
    packets: int = 0
    octets: int = 0
    name: str = field(default="phone@127.0.0.1")


def ntp_time(wall: float) -> int:
    """Unix seconds as the 64-bit NTP time of a sender report."""
    return int((wall + _NTP_EPOCH) * 2**32)


def build_rtcp(sender: SenderState, block: ReceptionReport | None, wall: float) -> bytes:
    """Write one compound RTCP packet: a sender report, or a receiver report before we sent, and SDES (§6.1)."""
    count = 0x80 | (1 if block else 0)
    body = struct.pack("!I", sender.ssrc)
    if sender.packets:
        ntp = ntp_time(wall)
        stamp = sender.timestamp & 0xFFFFFFFF
        body += struct.pack("!QIII", ntp, stamp, sender.packets, sender.octets)
    if block:
        lost = max(-0x800000, min(block.lost, 0x7FFFFF)) & 0xFFFFFF
        worst = min(int(block.fraction_lost * 256), 255) << 24 | lost
        body += _REPORT_BLOCK.pack(
            block.source, worst, block.highest_sequence & 0xFFFFFFFF, block.jitter & 0xFFFFFFFF,
            block.last_sender_report, block.delay_since,
        )  # fmt: skip
    kind = _SR if sender.packets else _RR
    return struct.pack("!BBH", count, kind, len(body) // 4) + body + _description(sender)


def _description(sender: SenderState) -> bytes:
    name = sender.name.encode()
    chunk = struct.pack("!IBB", sender.ssrc, 1, len(name)) + name + b"\0"
    chunk += b"\0" * (-len(chunk) % 4)
    return struct.pack("!BBH", 0x81, _SDES, len(chunk) // 4) + chunk


def parse_rtcp(data: bytes) -> list[RtcpReport]:
    """Read the reports of a compound packet; other RTCP kinds are passed over, a cut packet ends the reading."""
    reports, at = [], 0
    while at + 8 <= len(data) and data[at] >> 6 == 2:
        kind, length = data[at + 1], 4 * (int.from_bytes(data[at + 2 : at + 4], "big") + 1)
        part = data[at : at + length]
        if len(part) == length and kind in (_SR, _RR):
            reports.append(_parse_report(part, kind))
        at += length
    return reports


def _parse_report(part: bytes, kind: int) -> RtcpReport:
    (source,) = struct.unpack_from("!I", part, 4)
    at, middle, packets, octets = 8, 0, None, None
    if kind == _SR:
        ntp, _, packets, octets = struct.unpack_from("!QIII", part, 8)
        middle, at = ntp >> 16 & 0xFFFFFFFF, 28
    blocks = []
    for _ in range(part[0] & 0x1F):
        if at + 24 > len(part):
            break
        about, worst, highest, jitter, last, delay = _REPORT_BLOCK.unpack_from(part, at)
        lost = (worst & 0xFFFFFF ^ 0x800000) - 0x800000
        blocks.append(ReceptionReport(about, (worst >> 24) / 256, lost, highest, jitter, last, delay))
        at += 24
    return RtcpReport(source, packets, octets, middle, tuple(blocks))


class DtmfPacket(NamedTuple):
    """One telephone-event payload (RFC 4733 §2.3)."""

    digit: str
    end: bool
    duration: int  # timestamp units


_DIGITS = "0123456789*#ABCD"


def build_dtmf(digit: str, duration: int, *, end: bool) -> bytes:
    """Write the payload of one telephone-event packet at -10 dBm0; raises `ValueError` for no DTMF digit."""
    return struct.pack("!BBH", _DIGITS.index(digit.upper()), 0x80 | 10 if end else 10, duration)


def parse_dtmf(payload: bytes) -> DtmfPacket | None:
    """Read a telephone-event payload; None when it is not a digit."""
    if len(payload) < 4 or payload[0] >= len(_DIGITS):
        return None
    return DtmfPacket(_DIGITS[payload[0]], bool(payload[1] & 0x80), int.from_bytes(payload[2:4], "big"))


def encode_ulaw(sample: int) -> int:
    """One 16-bit sample as a G.711 mu-law byte."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32635) + 132
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | magnitude >> exponent + 3 & 0x0F) & 0xFF


def encode_alaw(sample: int) -> int:
    """One 16-bit sample as a G.711 A-law byte."""
    sign = 0x80 if sample >= 0 else 0
    magnitude = (sample if sample >= 0 else ~sample) >> 3
    exponent = max(magnitude.bit_length() - 5, 0)
    return (sign | exponent << 4 | magnitude >> max(exponent, 1) & 0x0F) ^ 0x55


def _decode_ulaw(byte: int) -> float:
    byte = ~byte & 0xFF
    magnitude = ((byte & 0x0F) << 3) + 132 << (byte >> 4 & 7)
    return float(132 - magnitude if byte & 0x80 else magnitude - 132)


def _decode_alaw(byte: int) -> float:
    byte ^= 0x55
    exponent, magnitude = byte >> 4 & 7, (byte & 0x0F) << 4
    magnitude = magnitude + 8 if exponent == 0 else magnitude + 0x108 << exponent - 1
    return float(magnitude if byte & 0x80 else -magnitude)


@cache
def decoding(codec: str) -> tuple[float, ...]:
    """The 256 sample values, in 16-bit units, of a codec's bytes: "PCMU" or "PCMA"."""
    decode = {"PCMU": _decode_ulaw, "PCMA": _decode_alaw}[codec]
    return tuple(decode(byte) for byte in range(256))


def encode(codec: str, samples: list[int]) -> bytes:
    """G.711 bytes of 16-bit samples."""
    one = {"PCMU": encode_ulaw, "PCMA": encode_alaw}[codec]
    return bytes(one(sample) for sample in samples)
