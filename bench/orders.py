"""How the three scripts are told to place a call: a datagram `<number> <pair of phones>`, the least that can be."""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

CALLER = "<+12025550142>"  # what the destination is shown


class _Orders(asyncio.DatagramProtocol):
    def __init__(self, place: Callable[[str, int], None]) -> None:
        self._place = place

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr
        number, pair = data.decode().split()
        self._place(number, int(pair))


async def take_orders(place: Callable[[str, int], None]) -> None:
    """Take orders from now on, and say on standard output on which port."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Orders(place), local_addr=("127.0.0.1", 0))
    print(json.dumps(transport.get_extra_info("sockname")[1]), flush=True)


def settings() -> dict[str, Any]:
    """What the bench gave this process."""
    return dict(json.loads(sys.argv[1]))


def devices_of(pair: int) -> tuple[str, str]:
    """The endpoints of a pair of phones."""
    return f"d{2 * pair}", f"d{2 * pair + 1}"
