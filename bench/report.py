"""What was measured, as a document and a picture: bench/RESULTS.md and bench/RESULTS.svg."""

import os
import platform
import sqlite3
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import course
from bench.course import Results
from bench.measure import Measured, quantile
from bench.plot import plot
from bench.town import Town

HERE = Path(__file__).parent
PACKAGES = ("aiohttp", "asyncari", "msgspec", "SQLAlchemy", "uvloop")
SHARES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Target:
    """One figure that is aimed at."""

    what: str
    wanted: str
    got: str
    met: bool


def write(town: Town, results: Results, *, asterisk: str, load: float) -> Path:
    """Write both, and say where."""
    titles = {name: way.title for name, way in town.ways.items()}
    curves = [
        (titles[name], [(rate, quantile(m.invited, 0.99)) for rate, m in steps])
        for name, steps in results.climbs.items()
    ]
    (HERE / "RESULTS.svg").write_text(plot(curves, "order to first INVITE, p99, by rate"))
    file = HERE / "RESULTS.md"
    file.write_text("\n".join(_lines(titles, results, asterisk, load)) + "\n")
    return file


def targets(results: Results) -> list[Target]:
    """The figures that the service is to reach, and whether it does."""
    rates = {name: _rate(rounds) for name, rounds in results.rounds.items()}
    cpu = _cpu(results.rounds["service"], "app")
    invited = [quantile(results.steady["service"].invited, share) for share in (0.5, 0.99)]
    joined = quantile(results.steady["service"].joined, 0.99)
    at_rate = f"at {course.STEADY_RATE:g}/s"
    return [
        _least("the floor, calls/s", 100, rates["floor"]),
        _least("the service, share of the floor", 0.75, _times(results, "floor")),
        _least("the service, times stock asyncari", 3, _times(results, "stock")),
        _most(f"CPU of the service, ms a call, {course.AT_A_TIME} parallel", 6, cpu),
        _most(f"POST → first INVITE, p50, ms, {at_rate}", 8, invited[0]),
        _most(f"POST → first INVITE, p99, ms, {at_rate}", 30, invited[1]),
        _most(f"answer → destination INVITE, p99, ms, {at_rate}", 20, joined),
    ]


def _least(what: str, wanted: float, got: float) -> Target:
    return Target(what, f"≥ {wanted:g}", f"{got:.3g}", got >= wanted)


def _most(what: str, wanted: float, got: float) -> Target:
    return Target(what, f"≤ {wanted:g}", f"{got:.3g}", got <= wanted)


def _lines(titles: dict[str, str], results: Results, asterisk: str, load: float) -> Iterable[str]:
    yield from _head(asterisk, load)
    yield from _table(
        ("target", "wanted", "measured", ""),
        [(t.what, t.wanted, t.got, "met" if t.met else "**missed**") for t in targets(results)],
    )
    yield from _throughput(titles, results)
    yield from _latencies(titles, results)
    yield from _knee(titles, results)
    yield from _memory(results)
    notes = HERE / "notes.md"
    if notes.exists():
        yield from ("", notes.read_text().rstrip())


def _head(asterisk: str, load: float) -> Iterable[str]:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    linux = platform.release().partition("-")[0]
    yield f"""# Results

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, in one run on one machine that also ran Asterisk, the
phones and the caller. Compare within the run: on a shared machine all figures move together. The ways take turns,
{course.ROUNDS} rounds of each; how two of them compare is the median of what the rounds say.

- Machine: {_processor()}, {os.cpu_count()} processors, Linux {linux}; load before: {load:.1f}
- Asterisk {asterisk}; Python {platform.python_version()}; SQLite {sqlite3.sqlite_version} (`synchronous = FULL`)
- {packages}
- One call: two phones ring, one answers as soon as both do, the other is cancelled; the carrier rings and answers at once,
  and hangs up 50 ms later; no media; every number is another. Counted is a call of which the phones saw all that, and for
  the service its record must say `completed`.
- CPU is that of all threads of a process: event loop, writer, log. The order is a `POST` for the service and a datagram for
  the others, which have neither API nor store nor events.
"""


def _throughput(titles: dict[str, str], results: Results) -> Iterable[str]:
    yield from ("", f"## {course.AT_A_TIME} calls at a time", "")
    rows = []
    for name, rounds in results.rounds.items():
        done = f"{sum(m.completed for m in rounds)}/{sum(m.calls for m in rounds)}"
        each = " ".join(f"{m.rate:.0f}" for m in rounds)
        cpu = [f"{_cpu(rounds, process):.1f}" for process in ("app", "asterisk", "phones", "caller")]
        rows.append((titles[name], done, f"{_rate(rounds):.0f}", each, *cpu))
    yield from _table(
        ("", "completed", "calls/s, median", "each round", "its CPU, ms/call", "Asterisk's", "phones'", "caller's"),
        rows,
    )


def _latencies(titles: dict[str, str], results: Results) -> Iterable[str]:
    yield from ("", f"## {course.STEADY_RATE:g} calls a second", "", "Milliseconds: p50 / p95 / p99.", "")
    rows = []
    for name, m in results.steady.items():
        spans = [_spans(values) for values in (m.accepted, m.invited, m.joined)]
        rows.append((titles[name], f"{m.completed}/{m.calls}", *spans, f"{m.cpu['app'] * 1000:.1f}"))
    yield from _table(
        ("", "completed", "POST → 202", "order → first INVITE", "answer → destination INVITE", "its CPU, ms/call"), rows
    )


def _knee(titles: dict[str, str], results: Results) -> Iterable[str]:
    yield from ("", "## The knee", "")
    yield f"""The rate is raised until a call fails, or one in a hundred waits more than {course.TOO_LATE:g} ms for its first
INVITE; {course.CLIMB_FOR:g} s at each rate. In brackets: p99 of order → first INVITE, in milliseconds.
"""
    rows = []
    for name, steps in results.climbs.items():
        good = [rate for rate, m in steps if not course.beyond_the_knee(m)]
        knee = f"{max(good):g}/s" + ("" if course.beyond_the_knee(steps[-1][1]) else " or more") if good else "none"
        rows.append((titles[name], knee, ", ".join(_step(rate, m) for rate, m in steps)))
    yield from _table(("", "last good rate", "all rates"), rows)
    yield from ("", "![p99 by rate](RESULTS.svg)")


def _step(rate: float, m: Measured) -> str:
    failed = f", {m.calls - m.completed} failed" if m.completed < m.calls else ""
    return f"{rate:g} ({quantile(m.invited, 0.99):.0f}{failed})"


def _memory(results: Results) -> Iterable[str]:
    first, last = results.held[0], results.held[-1]
    yield from ("", "## What it holds", "")
    live = results.live
    yield f"- {course.LIVE} live calls ({live.channels} channels): {live.service / 1000:.0f} kB a call in the service,"
    yield f"  {live.asterisk / 1000:.0f} kB in Asterisk."
    grown = (last["memory"] - first["memory"]) / 1e6
    rest = ", ".join(f"{last[what] - first[what]:+d} {what}" for what in ("descriptors", "tasks", "threads"))
    calls = (course.ROUNDS - 1) * course.ROUND["service"]
    yield f"- All rounds but the first, {calls} calls, left behind in the service: {grown:+.2f} MB, {rest}."
    yield f"- Left in Asterisk at the end: {results.left[0]} channels, {results.left[1]} bridges."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _spans(values: list[float]) -> str:
    return " / ".join(f"{quantile(values, share):.1f}" for share in SHARES) if values else ""


def _rate(rounds: Sequence[Measured]) -> float:
    return statistics.median(m.rate for m in rounds)


def _times(results: Results, other: str) -> float:
    """How many times as many calls the service makes as another way: the median of what each round says."""
    pairs = zip(results.rounds["service"], results.rounds[other], strict=True)
    return statistics.median(service.rate / way.rate for service, way in pairs)


def _cpu(rounds: Sequence[Measured], process: str) -> float:
    return statistics.mean(m.cpu[process] for m in rounds) * 1000


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
