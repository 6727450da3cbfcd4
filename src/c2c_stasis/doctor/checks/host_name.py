"""Is this machine's own name found at once?"""

import asyncio
import contextlib
import socket
import threading
import time

from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, unseen, well
from c2c_stasis.doctor.patient import Patient

SLOW = Fault(
    "host_name_slow",
    Status.CONFIG,
    "The machine's own name takes long to look up. Asterisk asks for it once for every leg (22.10.1): each INVITE leaves 5,"
    " 10 or 15 seconds late.",
    'Put the name into /etc/hosts: echo "127.0.1.1 $(hostname)" >> /etc/hosts',
)
UNKNOWN = Fault(
    "host_name_unknown",
    Status.WARNING,
    "The machine's own name is not known. It is answered at once today, and every call waits for seconds when the name server"
    " does not answer.",
    SLOW.fix,
)

SLOW_FROM = 0.5  # seconds; a name in /etc/hosts takes 1 ms, a silent name server 5 s and more
GIVE_UP = 2.0  # seconds


async def look(patient: Patient) -> list[Finding]:
    """Look the name up as Asterisk does, and take the time."""
    name = socket.gethostname()
    if not patient.beside_asterisk:
        return [unseen("Asterisk is on another machine, whose own name must be in its /etc/hosts", "Run doctor there.")]
    known, seconds = await _look_up(name)
    if known is None or seconds > SLOW_FROM:
        how = f"{seconds:.1f} s" if known is not None else f"more than {GIVE_UP:g} s"
        return [SLOW.found(f"looking up this machine's own name, {name}, takes {how}")]
    if not known:
        return [UNKNOWN.found(f"this machine's own name, {name}, is not known")]
    return [well(f"{name} is found in {seconds * 1000:.0f} ms")]


async def _look_up(name: str) -> tuple[bool | None, float]:
    """Whether the name is known, and after how many seconds; None when there was no answer until we gave up.

    In a thread of its own that nobody waits for: a look-up cannot be called off.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bool] = loop.create_future()

    def tell(known: bool) -> None:
        if not answer.done():
            answer.set_result(known)

    def ask() -> None:
        try:
            known = bool(socket.getaddrinfo(name, None))
        except OSError:
            known = False
        with contextlib.suppress(RuntimeError):  # the loop has ended long ago
            loop.call_soon_threadsafe(tell, known)

    begun = time.monotonic()
    threading.Thread(target=ask, name="own name", daemon=True).start()
    try:
        async with asyncio.timeout(GIVE_UP):
            return await answer, time.monotonic() - begun
    except TimeoutError:
        return None, time.monotonic() - begun


CHECK = Check("host name", "Is this machine's own name found at once?", (SLOW, UNKNOWN), look)
