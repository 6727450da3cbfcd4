"""The caller: a process of its own that asks for calls, at a steady rate or so many at a time, and notes when.

At a steady rate it does not wait for anybody (open loop): a service that falls behind is asked all the same, as by people. It
learns from the phones that a call is over, and asks the service nothing.
"""

import asyncio
import itertools
import json
import sys
import time
from collections import deque
from typing import Any

END_WITHIN = 5.0  # seconds after the last order until what has not ended counts as failed
CONNECTIONS = 64  # to the service, kept open


class Caller:
    """Places orders with one way of making calls: by HTTP with the service, by a datagram with the others."""

    def __init__(self, pairs: int) -> None:
        self._pairs = pairs
        self._orders: asyncio.DatagramTransport | None = None
        self._pool: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self._ended: dict[str, asyncio.Future[None]] = {}
        self.moments: dict[str, list[float]] = {}
        self.refused = 0

    def hear_end(self, number: str) -> None:
        """A call is over, say the phones."""
        future = self._ended.get(number)
        if future is not None and not future.done():
            future.set_result(None)

    async def work(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do one job and give the moments of each call: asked for, and accepted where that is told."""
        self.moments, self._ended, self.refused = {}, {}, 0
        loop = asyncio.get_running_loop()
        if "order_port" in job:
            self._orders, _ = await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=("127.0.0.1", job["order_port"])
            )
        began = time.monotonic()
        if "rate" in job:
            await self._at_a_rate(job)
        else:
            await self._in_parallel(job)
        took = time.monotonic() - began
        if self._orders is not None:
            self._orders.close()
            self._orders = None
        while self._pool:
            self._pool.pop()[1].close()
        ended = sum(future.done() for future in self._ended.values())
        return {"took": took, "moments": self.moments, "ended": ended, "refused": self.refused}

    async def _at_a_rate(self, job: dict[str, Any]) -> None:
        began = time.monotonic()
        tasks = []
        for i in range(job["calls"]):
            await asyncio.sleep(max(0.0, began + i / job["rate"] - time.monotonic()))
            tasks.append(asyncio.create_task(self._call(job, i, i)))
        await asyncio.gather(*tasks)
        if job.get("until_ended", True):
            await asyncio.wait(self._ended.values(), timeout=END_WITHIN)

    async def _in_parallel(self, job: dict[str, Any]) -> None:
        numbers = itertools.count()

        async def one(pair: int) -> None:
            while (i := next(numbers)) < job["calls"]:
                ended = await self._call(job, i, pair)
                try:
                    async with asyncio.timeout(END_WITHIN):
                        await ended
                except TimeoutError:
                    return

        await asyncio.gather(*(one(pair) for pair in range(job["parallel"])))

    async def _call(self, job: dict[str, Any], i: int, pair: int) -> asyncio.Future[None]:
        number = f"+1{job['first'] + i}"
        if "dial" in job:  # always the same number: what tells the calls apart is whose they are
            number = f"{job['dial']}-{job['devices'][i]}"
        ended = self._ended[number] = asyncio.get_running_loop().create_future()
        moments = self.moments[number] = [time.monotonic()]
        if self._orders is not None:
            self._orders.sendto(f"{number} {pair % self._pairs}".encode())
        elif await self._post(job, job.get("dial", number), job["users"][pair % len(job["users"])]):
            moments.append(time.monotonic())
        else:
            self.refused += 1
        return ended

    async def _post(self, job: dict[str, Any], number: str, user: str) -> bool:
        """Whether the service accepts the call. Bytes, because a client library costs as much as half the service."""
        host, port, head = job["host"], job["port"], job["head"]
        if self._pool:
            reader, writer = self._pool.pop()
        else:
            reader, writer = await asyncio.open_connection(host, port)
        body = json.dumps({"user_id": user, "dial_string": number})
        writer.write(f"POST /v1/calls HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        if answer.startswith(b"HTTP/1.1 202") and b"onnection: close" not in answer and len(self._pool) < CONNECTIONS:
            self._pool.append((reader, writer))
            return True
        writer.close()
        return answer.startswith(b"HTTP/1.1 202")


class _Ends(asyncio.DatagramProtocol):
    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr
        self._caller.hear_end(data.decode())


async def main() -> None:
    """Say the port for the phones' news, then do one job a line."""
    caller = Caller(json.loads(sys.argv[1])["pairs"])
    loop = asyncio.get_running_loop()
    news, _ = await loop.create_datagram_endpoint(lambda: _Ends(caller), local_addr=("127.0.0.1", 0))
    print(json.dumps(news.get_extra_info("sockname")[1]), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await caller.work(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
