"""Tones: the payloads that make one, and the ear that tells which were heard when, without any audio library."""

import cmath
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import cycle, pairwise
from typing import NamedTuple

from c2c_stasis.lab.rtp import PACKET_SAMPLES, PACKET_SECONDS, SAMPLE_RATE, RtpPacket, decoding, encode

Hz = float | tuple[float, ...]

# 100 ms: its bins are 10 Hz apart, so that 440 is told from 450 and 600 from 620, and it fits into the shortest tone
# of the world's indications (200 ms) at least once wholly.
BLOCK_SAMPLES = 800
BLOCK_SECONDS = BLOCK_SAMPLES / SAMPLE_RATE
SILENCE_RMS = 40.0  # of 32768: -58 dBFS, above the ±8 of A-law's quietest codes and far below any tone
PRESENT_SHARE = 0.12  # of a block's energy: one of two equal tones that fill a quarter of it
PURE_SHARE = 0.7  # of the loud part's energy: one of two equal tones has a half
HEARING_SECONDS = 120.0  # how much sound an ear keeps
_RESTART_SAMPLES = 1200  # a timestamp that is 150 ms off the clock begins a new run
_DETECTION_SPAN = (80.0, 3600.0)  # Hz, what a telephone carries


def frequencies(hz: Hz | None) -> tuple[float, ...]:
    """The frequencies of a tone, one or several, as a tuple; none for None."""
    if hz is None:
        return ()
    return tuple(hz) if isinstance(hz, tuple) else (hz,)


@lru_cache(maxsize=256)
def tone_payloads(codec: str, hz: tuple[float, ...], cadence: tuple[float, ...] = ()) -> tuple[bytes, ...]:
    """One whole cycle of a tone as 20 ms G.711 payloads, to be sent in a ring; frequencies are rounded to 1 Hz.

    The level is -9 dBFS for one frequency and is shared between several. No frequency gives silence.
    """
    silence = encode(codec, [0]) * PACKET_SAMPLES
    if not hz:
        return (silence,)
    # A whole number of hertz fits a whole number of times into one second, so the ring has no click; and only the
    # part that repeats itself is worked out, for a phone makes its tone in the moment in which it answers.
    turn, level = 2 * math.pi / SAMPLE_RATE, 11600.0 / len(hz)
    whole = [round(f) for f in hz]
    repeats = math.gcd(SAMPLE_RATE, *whole)
    samples = [round(sum(level * math.sin(turn * f * n) for f in whole)) for n in range(SAMPLE_RATE // repeats)]
    second = encode(codec, samples) * repeats
    steady = tuple(second[at : at + PACKET_SAMPLES] for at in range(0, SAMPLE_RATE, PACKET_SAMPLES))
    cycle: list[bytes] = []
    for index, seconds in enumerate(cadence):
        for _ in range(round(seconds / PACKET_SECONDS)):
            cycle.append(silence if index % 2 else steady[len(cycle) % len(steady)])
    return tuple(cycle) or steady


def goertzel(samples: Sequence[float], hz: float) -> float:
    """The squared magnitude of one frequency in the samples (Goertzel's algorithm)."""
    turn = 2 * math.pi * hz / SAMPLE_RATE
    turning, last, before = 2 * math.cos(turn), 0.0, 0.0
    for sample in samples:
        last, before = sample + turning * last - before, last
    return last * last + before * before - turning * last * before


def spectrum(samples: Sequence[float]) -> list[float]:
    """The power of the samples per bin of 8000/2048 Hz, windowed and padded to 2048."""
    size = 2048
    count = len(samples)
    windowed = [x * (0.5 - 0.5 * math.cos(2 * math.pi * n / count)) for n, x in enumerate(samples[:size])]
    bins = _transform([complex(x) for x in windowed] + [0j] * (size - len(windowed)))
    return [abs(value) ** 2 for value in bins[: size // 2]]


def _transform(values: list[complex]) -> list[complex]:
    size = len(values)
    if size == 1:
        return values
    even, odd = _transform(values[::2]), _transform(values[1::2])
    turned = [twist * value for twist, value in zip(_twists(size), odd, strict=True)]
    return [a + b for a, b in zip(even, turned, strict=True)] + [a - b for a, b in zip(even, turned, strict=True)]


@lru_cache(maxsize=16)
def _twists(size: int) -> tuple[complex, ...]:
    return tuple(cmath.exp(-2j * math.pi * k / size) for k in range(size // 2))


def strongest(samples: Sequence[float], most: int = 2) -> list[float]:
    """The frequencies in Hz that stand out, strongest first, to about 2 Hz; those 15 dB below the first are left out.

    Two frequencies must be 40 Hz apart to be told from each other.
    """
    powers = spectrum(samples)
    width = SAMPLE_RATE / 2048
    low, high = (int(edge / width) for edge in _DETECTION_SPAN)
    peaks = [k for k in range(low, high) if powers[k - 1] < powers[k] >= powers[k + 1]]
    peaks.sort(key=lambda k: -powers[k])
    if not peaks or powers[peaks[0]] == 0:
        return []
    kept: list[float] = []
    for k in peaks:
        if len(kept) == most or powers[k] < powers[peaks[0]] / 32:
            break
        left, mid, right = (math.log(powers[at] + 1e-9) for at in (k - 1, k, k + 1))
        kept.append((k + 0.5 * (left - right) / (left - 2 * mid + right or 1.0)) * width)
    return kept


@dataclass(slots=True, eq=False)
class Block:
    """Up to 100 ms of received sound, kept as G.711 until someone asks what it was."""

    start: float  # monotonic seconds
    codec: str
    chunks: list[tuple[int, bytes]] = field(default_factory=list)  # offset in samples, payload
    _shares: dict[float, float] = field(default_factory=dict)
    _levels: list[tuple[float, float]] = field(default_factory=list)

    def add(self, offset: int, payload: bytes) -> None:
        """Take in a payload; what was worked out before is forgotten."""
        self.chunks.append((offset, payload))
        if self._shares or self._levels:
            self._shares, self._levels = {}, []

    @property
    def end(self) -> float:
        """When its last sample was heard."""
        return self.start + max(offset + len(payload) for offset, payload in self.chunks) / SAMPLE_RATE

    def samples(self) -> list[float]:
        """The decoded sound; lost packets are zeros, so that what is there keeps its phase."""
        table = decoding(self.codec)
        length = max(BLOCK_SAMPLES, max(offset + len(payload) for offset, payload in self.chunks))
        samples = [0.0] * length
        for offset, payload in self.chunks:
            samples[offset : offset + len(payload)] = [table[byte] for byte in payload]
        return samples

    def levels(self) -> list[tuple[float, float]]:
        """Start time and energy of each payload, in the order of time."""
        if not self._levels:
            table = [value * value for value in decoding(self.codec)]
            self._levels = [
                (self.start + offset / SAMPLE_RATE, sum(table[byte] for byte in payload))
                for offset, payload in sorted(self.chunks)
            ]
        return self._levels

    def audible(self) -> list[float]:
        """The start times of its payloads that are louder than silence."""
        floor = SILENCE_RMS * SILENCE_RMS
        sizes = [len(payload) or 1 for _, payload in sorted(self.chunks)]
        return [at for (at, energy), size in zip(self.levels(), sizes, strict=True) if energy / size > floor]

    def share(self, hz: float) -> float:
        """How much of the energy is at that frequency: about 1 for a pure tone, 0.5 for one of two."""
        known = self._shares.get(hz)
        if known is None:
            samples = self.samples()
            energy = sum(level for _, level in self.levels())
            present = sum(len(payload) for _, payload in self.chunks)
            known = 2 * goertzel(samples, hz) / (present * energy) if energy else 0.0
            self._shares[hz] = known
        return known

    def holds(self, hz: tuple[float, ...], *, alone: bool = False) -> bool:
        """True when every one of the frequencies sounds in it, and nothing else besides if `alone`."""
        loud = len(self.audible())
        if not loud or any(self.share(one) < PRESENT_SHARE for one in hz):
            return False
        # Where the tone fills only a part of the block, its share is that part.
        return not alone or sum(self.share(one) for one in hz) > PURE_SHARE * loud / len(self.chunks)


class Stretch(NamedTuple):
    """One unbroken time of a tone, in monotonic seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class TonePattern:
    """A call progress tone: frequencies that sound together, and seconds on, off, on, off (empty: steady)."""

    name: str
    hz: tuple[float, ...]
    cadence: tuple[float, ...] = ()


# ITU-T E.180 Supplement 2, as Asterisk's indications.conf has them.
US_RINGBACK = TonePattern("US ringback", (440.0, 480.0), (2.0, 4.0))
US_BUSY = TonePattern("US busy", (480.0, 620.0), (0.5, 0.5))
US_CONGESTION = TonePattern("US congestion", (480.0, 620.0), (0.25, 0.25))
US_DIAL = TonePattern("US dial tone", (350.0, 440.0))
UK_RINGBACK = TonePattern("UK ringback", (400.0, 450.0), (0.4, 0.2, 0.4, 2.0))
UK_BUSY = TonePattern("UK busy", (400.0,), (0.375, 0.375))
UK_CONGESTION = TonePattern("UK congestion", (400.0,), (0.4, 0.35, 0.225, 0.525))
KNOWN_PATTERNS = (US_RINGBACK, US_BUSY, US_CONGESTION, US_DIAL, UK_RINGBACK, UK_BUSY, UK_CONGESTION)


class Ear:
    """Keeps the last two minutes of received sound and tells what was in it.

    Packets are put in their place by RTP timestamp, so that loss, jitter and reordering do not blur a tone; the
    moment of a run of packets is that at which its first one came.
    """

    def __init__(self, keep: float = HEARING_SECONDS) -> None:
        self.packets = 0
        self._blocks: deque[Block] = deque(maxlen=max(round(keep / BLOCK_SECONDS), 1))
        self._run: dict[int, Block] = {}
        self._run_start = 0.0
        self._run_timestamp = 0
        self._source: tuple[int, str] | None = None

    def hear(self, packet: RtpPacket, codec: str, arrival: float) -> None:
        """Take in one packet that arrived at that monotonic time."""
        self.packets += 1
        offset = (packet.timestamp - self._run_timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        drift = offset - (arrival - self._run_start) * SAMPLE_RATE
        if self._source != (packet.ssrc, codec) or abs(drift) > _RESTART_SAMPLES or offset < 0:
            self._source, self._run = (packet.ssrc, codec), {}
            self._run_start, self._run_timestamp, offset = arrival, packet.timestamp, 0
        number, place = divmod(offset, BLOCK_SAMPLES)
        block = self._run.get(number)
        if block is None:
            block = self._run[number] = Block(self._run_start + number * BLOCK_SECONDS, codec)
            self._blocks.append(block)
            while len(self._run) > 8:
                del self._run[next(iter(self._run))]
        block.add(place, packet.payload)

    def blocks(self, since: float | None = None) -> list[Block]:
        """The blocks that end after `since`, oldest first."""
        return [block for block in self._blocks if since is None or block.end > since]

    def stretches(self, hz: tuple[float, ...], since: float | None = None, *, alone: bool = False) -> list[Stretch]:
        """When all these frequencies sounded together; breaks below 50 ms are not seen."""
        spans = self._spans(block for block in self.blocks(since) if block.holds(hz, alone=alone))
        return _joined(spans, since)

    def audible(self, since: float | None = None) -> list[Stretch]:
        """When there was any sound."""
        return _joined(self._spans(self.blocks(since)), since)

    def _spans(self, blocks: Iterable[Block]) -> Iterator[Stretch]:
        for block in blocks:
            sizes = dict(zip([at for at, _ in block.levels()], [len(p) for _, p in sorted(block.chunks)], strict=True))
            for at in block.audible():
                yield Stretch(at, at + sizes[at] / SAMPLE_RATE)

    def heard(self, hz: tuple[float, ...], since: float | None = None) -> float:
        """For how many seconds all these frequencies sounded together."""
        return sum(stretch.seconds for stretch in self.stretches(hz, since))

    def dominant(self, since: float | None = None, most: int = 2) -> tuple[float, ...]:
        """The frequencies that stood out in the last loud block, rising, to about 2 Hz; empty when all was silent."""
        for block in reversed(self.blocks(since)):
            if len(block.chunks) >= 3 and len(block.audible()) == len(block.chunks):
                return tuple(sorted(strongest(block.samples(), most)))
        return ()

    def heard_pattern(self, pattern: TonePattern, since: float | None = None, tolerance: float = 0.1) -> bool:
        """True when the pattern was heard at least once: its frequencies for its times, in seconds ± tolerance.

        A cadence needs all its "on" times and the beginning of the pause after them, in its order but beginning
        anywhere; its first and last "on" may be cut. What sounds after more than twice its longest pause is heard
        as anew. A steady tone needs one second.
        """
        stretches = self.stretches(pattern.hz, since, alone=True)
        if not pattern.cadence:
            return any(stretch.seconds >= 1.0 for stretch in stretches)
        latest = max((block.end for block in self._blocks), default=0.0)
        if stretches and stretches[-1].end > latest - 0.05:
            stretches.pop()  # it still sounds: who knows how long
        return any(_fits(episode, pattern.cadence, tolerance) for episode in _episodes(stretches, pattern.cadence))


def _episodes(stretches: list[Stretch], cadence: tuple[float, ...]) -> Iterator[list[Stretch]]:
    episode: list[Stretch] = []
    for stretch in stretches:
        if episode and stretch.start - episode[-1].end > 2 * max(cadence[1::2]):
            yield episode
            episode = []
        episode.append(stretch)
    yield episode


def _fits(stretches: list[Stretch], cadence: tuple[float, ...], tolerance: float) -> bool:
    times = [stretch.seconds for stretch in stretches]
    for position, (before, after) in enumerate(pairwise(stretches)):
        times.insert(2 * position + 1, after.start - before.end)
    whole = max(cadence[::2]) - tolerance
    cuts = [times, times[2:] if times and times[0] < whole else times]
    cuts += [cut[:-1] for cut in cuts if cut and cut[-1] < whole]
    turns = [cadence[at:] + cadence[:at] for at in range(0, len(cadence), 2)]
    return any(
        len(cut) >= len(cadence) - 1
        and all(abs(time - wanted) <= tolerance for time, wanted in zip(cut, cycle(turn), strict=False))
        for cut in cuts
        for turn in turns
    )


def _joined(spans: Iterable[Stretch], since: float | None) -> list[Stretch]:
    joined: list[Stretch] = []
    for span in sorted(spans):
        start = span.start if since is None else max(span.start, since)
        if span.end <= start:
            continue
        if joined and start <= joined[-1].end + 0.05:
            joined[-1] = Stretch(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(Stretch(start, span.end))
    return joined
