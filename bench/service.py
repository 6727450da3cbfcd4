"""The service as `c2c-stasis serve` runs it, in a process that tells about itself: SIGUSR1 prints what it holds as JSON."""

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


def main() -> None:
    """Serve until SIGTERM."""
    file = Path(settings()["config"])

    def read() -> Config:
        return load(file, os.environ)

    app.run(read(), read, ready=lambda: asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, report))


if __name__ == "__main__":
    main()
