"""The service as a process that tells about itself: `python -m bench.service CONFIG`; SIGUSR1 prints one line of JSON."""

import asyncio
import gc
import json
import os
import signal
import sys
import threading
from pathlib import Path

from c2c_stasis import app
from c2c_stasis.config import load


def report() -> None:
    """Print what this process holds: resident memory in bytes, descriptors, tasks and threads."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    held = {
        "rss": pages * os.sysconf("SC_PAGE_SIZE"),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "cpu": sum(os.times()[:2]),
    }
    print(json.dumps(held), flush=True)


async def main(path: Path) -> None:
    """Serve until SIGTERM."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, report)
    await app.serve(load(path, os.environ))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
