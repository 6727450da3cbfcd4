"""Can the service listen where it should, or does it already?"""

import asyncio
import errno
import socket

from c2c_stasis.config import Address
from c2c_stasis.doctor.check import Check
from c2c_stasis.doctor.findings import Fault, Finding, Status, well
from c2c_stasis.doctor.patient import Patient

TAKEN = Fault(
    "port_taken",
    Status.UNAVAILABLE,
    "Another program listens where the service should. The service does not start.",
    "End that program (`ss -ltnp` shows it), or name another port in the setting that the fact names.",
)
NOT_OURS = Fault(
    "listen_impossible",
    Status.CONFIG,
    "The service cannot listen at this address: it is no address of this machine, or only root may have the port.",
    "Name an address of this machine in that setting, such as 127.0.0.1:8080, and a port from 1024 on.",
)


async def look(patient: Patient) -> list[Finding]:
    """Ask whoever is there; if nobody is, try to have the port for a moment, and that of the figures too."""
    address, figures = patient.config.http.listen, patient.config.metrics.address
    ours = await patient.service() is not None and not await patient.another_service()
    found = await _of_calls(patient, address)
    if figures is not None and figures.port and not ours:  # our own service has both
        found.append(await _tried(figures, "[metrics] listen"))
    return found


async def _of_calls(patient: Patient, address: Address) -> list[Finding]:
    if address.port == 0:
        return [well("any free port will do")]
    if await patient.another_service():
        return [
            TAKEN.found(f"another c2c-stasis listens at {address} ([http] listen), with another database than ours")
        ]
    if (parts := await patient.service()) is not None:
        unwell = [f"{part}: {state}" for part, state in parts.items() if state != "ok"]
        return [
            well(f"the service itself is running at {address}{', not ready: ' if unwell else ''}{', '.join(unwell)}")
        ]
    return [await _tried(address, "[http] listen")]


async def _tried(address: Address, setting: str) -> Finding:
    trouble = await asyncio.get_running_loop().run_in_executor(None, _try, address)
    if trouble is None:
        return well(f"{address} is free")
    if trouble.errno == errno.EADDRINUSE:
        return TAKEN.found(f"another program listens at {address} ({setting})")
    return NOT_OURS.found(f"{address} ({setting}): {trouble.strerror}")


def _try(address: Address) -> OSError | None:
    """What keeps the service from having this address; as asyncio does, with SO_REUSEADDR."""
    try:
        places = socket.getaddrinfo(
            address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, place in places:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
                probe.listen(1)  # two may be bound, and one of them listen
    except OSError as error:
        return error
    return None


CHECK = Check("port", "Can the service listen where it should, or does it already?", (TAKEN, NOT_OURS), look)
