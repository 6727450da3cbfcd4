"""The sound of one call: its two sockets, the packets sent every 20 ms by one shared clock, and the ear."""

import asyncio
import contextlib
import random
import socket
import time
from collections import deque
from collections.abc import Callable

from c2c_stasis.lab.addresses import Address
from c2c_stasis.lab.rtp import (
    PACKET_SAMPLES,
    PACKET_SECONDS,
    ReceptionCounter,
    ReceptionReport,
    SenderState,
    build_dtmf,
    build_rtcp,
    build_rtp,
    parse_dtmf,
    parse_rtcp,
    parse_rtp,
)
from c2c_stasis.lab.sdp import Codec
from c2c_stasis.lab.tones import Ear, tone_payloads

_FIRST_REPORT = 5  # packets: 100 ms after the start, so that even a short call has a report with a block
_REPORT_EVERY = 50  # packets: 1 s; RFC 3550 §6.2 allows less than its 5 s minimum on fast links
_MAX_BURST = 10  # packets: a clock that is later than 200 ms leaves packets out instead of flooding
_READ_BURST = 64  # datagrams taken from one socket before the others have their turn
_DTMF_PACKETS = 5  # 100 ms a digit
_DTMF_END_REPEATS = 3  # RFC 4733 §2.5.1.4


class MediaClock:
    """One timer that lets every stream of an event loop send its next packet, 50 times a second.

    `ticks` counts the packets each stream was due, `skipped` those left out because the process was too late.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ticks = 0
        self.skipped = 0
        self.worst_delay = 0.0  # seconds
        self._loop = loop
        self._streams: dict[AudioStream, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0

    def add(self, stream: "AudioStream") -> None:
        """Begin to tick for a stream; its first packet goes out with the next tick."""
        self._streams[stream] = None
        if self._timer is None:
            self._next = self._loop.time()
            self._timer = self._loop.call_at(self._next, self._tick)

    def remove(self, stream: "AudioStream") -> None:
        """Tick no more for a stream; the timer rests when none is left."""
        self._streams.pop(stream, None)
        if not self._streams and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            if _clocks.get(self._loop) is self:
                del _clocks[self._loop]

    def _tick(self) -> None:
        late = self._loop.time() - self._next
        due = 1 + max(int(late / PACKET_SECONDS), 0)
        missed = max(due - _MAX_BURST, 0)
        self.ticks += due
        self.skipped += missed
        self.worst_delay = max(self.worst_delay, late)
        self._next += due * PACKET_SECONDS
        self._timer = self._loop.call_at(self._next, self._tick)
        for stream in tuple(self._streams):
            stream.tick(due - missed, missed)


_clocks: dict[asyncio.AbstractEventLoop, MediaClock] = {}


def media_clock() -> MediaClock:
    """The clock of the running event loop; there is one while anything is sent."""
    loop = asyncio.get_running_loop()
    clock = _clocks.get(loop)
    if clock is None:
        clock = _clocks[loop] = MediaClock(loop)
    return clock


def bind_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Two UDP sockets on an even port and the odd one above it (RFC 3550 §11); raises `OSError` when none is free."""
    for _ in range(200):
        first = _bind(host, 0)
        port = first.getsockname()[1]
        wanted = port + 1 if port % 2 == 0 else port - 1
        try:
            second = _bind(host, wanted)
        except OSError:
            first.close()
            continue
        return (first, second) if port % 2 == 0 else (second, first)
    raise OSError("no free pair of UDP ports")


def _bind(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


class AudioStream:
    """One G.711 stream each way, with RTCP, loss and jitter as asked.

    It is bound at once, so that its port can be offered, and hears from then on; it sends between `send_to` and
    `pause` or `close`. The far address follows the packets that come in (symmetric RTP, RFC 4961).
    """

    def __init__(self, host: str, *, rng: random.Random, on_error: Callable[[Exception], None]) -> None:
        self.ear = Ear()
        self.reports: list[tuple[float, ReceptionReport]] = []
        """What the other side reported about our packets: monotonic time and block."""
        self.dtmf = ""
        """The digits received as telephone-events."""
        self.received = ReceptionCounter()
        self.sent = SenderState(rng.getrandbits(32), name=f"phone@{host}")
        self.dropped = 0  # packets not sent because of `loss`
        self._loop = asyncio.get_running_loop()
        self._clock: MediaClock | None = None
        self._rng = rng
        self._on_error = on_error
        self._rtp, self._rtcp = bind_pair(host)
        self._codec = Codec("PCMU", 0)
        self._dtmf_type: int | None = None
        self._remote: Address | None = None
        self._remote_control: Address | None = None
        self._sequence = rng.getrandbits(16)
        self._timestamp = rng.getrandbits(32)
        self._payloads = tone_payloads("PCMU", ())
        self._position = 0
        self._talking = False
        self._loss = self._jitter = 0.0
        self._to_lose = rng.random()  # of a packet: when it is a whole one, one is lost
        self._delayed: set[asyncio.TimerHandle] = set()
        self._digits: deque[tuple[bytes, int, bool]] = deque()  # payload, timestamp offset, marker
        self._last_report: tuple[int, float] | None = None  # middle NTP of their report, when it came
        self._last_digit: tuple[int, int] | None = None
        self._closed = False
        self._loop.add_reader(self._rtp, self._read, self._rtp, self._take_rtp)
        self._loop.add_reader(self._rtcp, self._read, self._rtcp, self._take_rtcp)

    @property
    def address(self) -> Address:
        """The address to put into a session description."""
        host, port = self._rtp.getsockname()
        return host, port

    @property
    def sending(self) -> bool:
        """True between `send_to` and `pause` or `close`."""
        return self._talking

    def use(self, codec: Codec, dtmf_type: int | None) -> None:
        """Take the codec that was agreed; received packets of other payload types are not heard."""
        self._codec, self._dtmf_type = codec, dtmf_type

    def send_to(
        self,
        rtp: Address,
        rtcp: Address,
        *,
        tone: tuple[float, ...] = (),
        cadence: tuple[float, ...] = (),
        loss: float = 0.0,
        jitter: float = 0.0,
    ) -> None:
        """Send a tone, or silence, to that address until told otherwise; may be called again to change it."""
        if self._closed:
            return
        self._remote, self._remote_control = rtp, rtcp
        self._payloads = tone_payloads(self._codec.name, tone, cadence)
        self._position = 0
        self._loss, self._jitter = loss, jitter
        if not self._talking:
            self._talking = True
            self._clock = media_clock()
            self._clock.add(self)

    def pause(self) -> None:
        """Send nothing more, but go on hearing."""
        self._talking = False
        if self._clock is not None:
            self._clock.remove(self)
            self._clock = None

    def close(self) -> None:
        """Give the sockets back; what was heard stays."""
        if self._closed:
            return
        self._closed = True
        self.pause()
        for handle in self._delayed:
            handle.cancel()
        self._delayed.clear()
        for sock in (self._rtp, self._rtcp):
            self._loop.remove_reader(sock)
            sock.close()

    def send_dtmf(self, digits: str) -> None:
        """Press keys, 100 ms each with 100 ms between them (RFC 4733); raises `ValueError` for no DTMF digit."""
        gap = [(b"", 0, False)] * _DTMF_PACKETS
        for digit in digits:
            events = [
                (build_dtmf(digit, (n + 1) * PACKET_SAMPLES, end=n >= _DTMF_PACKETS), n, n == 0)
                for n in range(_DTMF_PACKETS + _DTMF_END_REPEATS)
            ]
            self._digits.extend([*events, *gap])

    def tick(self, due: int, missed: int) -> None:
        """Send the packets that are due; those missed only move the timestamp on."""
        try:
            self._timestamp += missed * PACKET_SAMPLES
            for _ in range(due):
                self._send_next()
        except Exception as exc:
            self.pause()  # one stream's fault must not stop the clock of the others
            self._on_error(exc)

    def _send_next(self) -> None:
        payload = self._payloads[self._position % len(self._payloads)]
        payload_type, timestamp = self._codec.payload_type, self._timestamp
        marker = self.sent.packets == 0 and self.dropped == 0
        if self._digits:
            event, steps, starts = self._digits.popleft()
            if event and self._dtmf_type is not None:
                payload, payload_type, marker = event, self._dtmf_type, starts
                timestamp -= steps * PACKET_SAMPLES  # an event keeps the timestamp of its beginning
        packet = build_rtp(payload_type, self._sequence, timestamp, self.sent.ssrc, payload, marker=marker)
        self._position += 1
        self._sequence += 1
        self._timestamp += PACKET_SAMPLES
        self._to_lose += self._loss
        if self._to_lose >= 1.0:
            self._to_lose -= 1.0
            self.dropped += 1
        else:
            self.sent.packets += 1
            self.sent.octets += len(payload)
            self._send_after_jitter(packet)
        self.sent.timestamp = self._timestamp
        if (self._position - _FIRST_REPORT) % _REPORT_EVERY == 0:
            self._send_report()

    def _send_after_jitter(self, packet: bytes) -> None:
        if not self._jitter:
            self._send(self._rtp, packet, self._remote)
            return

        def send() -> None:
            self._delayed.discard(handle)
            self._send(self._rtp, packet, self._remote)

        handle = self._loop.call_later(self._rng.random() * self._jitter, send)
        self._delayed.add(handle)

    def _send_report(self) -> None:
        block = None
        if self.received.received:
            middle, came = self._last_report or (0, 0.0)
            delay = int((time.monotonic() - came) * 65536) if middle else 0
            block = self.received.report(middle, delay)
        self._send(self._rtcp, build_rtcp(self.sent, block, time.time()), self._remote_control)

    def _send(self, sock: socket.socket, data: bytes, to: Address | None) -> None:
        if to is None or self._closed:
            return
        # A full buffer or a closed far port loses a packet, as any network may.
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            sock.sendto(data, to)

    def _read(self, sock: socket.socket, take: Callable[[bytes, Address], None]) -> None:
        for _ in range(_READ_BURST):
            try:
                data, peer = sock.recvfrom(2048)
            except (BlockingIOError, ConnectionRefusedError):
                return
            try:
                take(data, peer)
            except Exception as exc:
                self._on_error(exc)
            if self._closed:
                return

    def _take_rtp(self, data: bytes, peer: Address) -> None:
        packet = parse_rtp(data)
        if packet is None:
            self._take_rtcp(data, self._remote_control or peer)
            return
        now = time.monotonic()
        self._remote = peer if self._remote is not None else None
        self.received.count(packet, now)
        if packet.payload_type == self._codec.payload_type:
            self.ear.hear(packet, self._codec.name, now)
        elif packet.payload_type == self._dtmf_type:
            self._take_digit(packet.ssrc, packet.timestamp, packet.payload)

    def _take_digit(self, ssrc: int, timestamp: int, payload: bytes) -> None:
        event = parse_dtmf(payload)
        if event is not None and self._last_digit != (ssrc, timestamp):
            self._last_digit = (ssrc, timestamp)
            self.dtmf += event.digit

    def _take_rtcp(self, data: bytes, peer: Address) -> None:
        now = time.monotonic()
        if self._remote_control is not None:
            self._remote_control = peer
        for report in parse_rtcp(data):
            if report.packets is not None:
                self._last_report = (report.middle_ntp, now)
            self.reports += [(now, block) for block in report.blocks if block.source == self.sent.ssrc]
