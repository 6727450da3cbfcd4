"""The service as `c2c-stasis serve` runs it, in a process that tells about itself: SIGUSR1 prints what it holds as JSON.

SIGUSR2 lets it record nothing of calls from then on, or everything again; so it can be told what to record costs.
"""

import asyncio
import gc
import json
import os
import signal
import threading
from pathlib import Path

from bench.child import memory_of
from bench.orders import settings
from c2c_stasis import app
from c2c_stasis.config import Config, load
from c2c_stasis.store.records import CallWrite
from c2c_stasis.store.writer import Writer


def report() -> None:
    """Print resident memory in bytes, and how many descriptors, tasks and threads there are."""
    gc.collect()
    held = {
        "memory": memory_of(os.getpid()),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
    }
    print(json.dumps(held), flush=True)


class Memory:
    """What is recorded of calls, or nothing of it."""

    def __init__(self) -> None:
        self.kept = True
        self._write = Writer.write

    def install(self) -> None:
        """Come between the service and its writer."""
        memory, write = self, self._write

        def writing(self: Writer, work: CallWrite, *, kept: bool, within: float = 0.0) -> asyncio.Future[None]:
            if memory.kept:
                return write(self, work, kept=kept, within=within)
            done = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done

        Writer.write = writing  # type: ignore[method-assign]

    def turn(self) -> None:
        """Record from now on what was not recorded, or the other way round, and say which."""
        self.kept = not self.kept
        print(json.dumps({"kept": self.kept}), flush=True)


def main() -> None:
    """Serve until SIGTERM."""
    file = Path(settings()["config"])
    memory = Memory()
    memory.install()

    def read() -> Config:
        return load(file, os.environ)

    def ready() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, report)
        loop.add_signal_handler(signal.SIGUSR2, memory.turn)

    app.run(read(), read, ready=ready)


if __name__ == "__main__":
    main()
