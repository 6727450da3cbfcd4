"""How the laboratory starts a process that must not outlive it, nor wait for a name server.

Linux only: the kernel ends the child when the thread that started it ends, so start it from one that lives as long.
"""

import asyncio
import ctypes
import os
import resource
import shutil
import signal
import socket
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
CLONE_NEWUTS = 0x04000000
CLONE_NEWUSER = 0x10000000

# Seconds. Names in /etc/hosts take 1 ms; a name server that does not answer takes 5 s and more.
PATIENCE = 0.5
MOST_FILES = 65536
# For a machine whose name server is silent and that does not allow a name of our own: one try, one second (the least).
IMPATIENT = {"RES_OPTIONS": "timeout:1 attempts:1"}

# Loaded once, here: between fork and exec nothing may be loaded.
_libc = ctypes.CDLL(None, use_errno=True)


def most_files() -> int:
    """How many files a child may open: the hard limit, within reason."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)


async def own_name_is_slow() -> bool:
    """Tell whether looking up the machine's own name takes long: not in /etc/hosts, and a name server that is silent.

    Asterisk asks for that name four times as it starts and once for every leg (ast_find_ourip, 22.10.1): with a silent
    name server it starts in 25 s, and an INVITE leaves after 12 s.
    """
    getent = shutil.which("getent")
    if getent is None:
        return False
    process = await asyncio.create_subprocess_exec(
        getent,
        "ahosts",
        socket.gethostname(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            await process.wait()
    except TimeoutError:
        return True
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return False


def preparation(*, rename: bool) -> Callable[[], None]:
    """What a child does before it becomes the program: tie its life to ours, and raise its limit of open files.

    With `rename` it gets a machine name of its own that needs no looking up; where the kernel does not allow that to this
    user, the start fails with subprocess.SubprocessError.
    """
    owner, user, files = os.getpid(), os.getuid(), most_files()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
        if rename:
            # An address: /etc/hosts often has `localhost` without ::1, and then asking for IPv6 goes to the name server.
            _take_name(b"127.0.0.1", user)
        # After the change of namespace, which clears it.
        if _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
        if os.getppid() != owner:  # we died between the fork and the line above
            os._exit(1)

    return prepare


def _take_name(name: bytes, user: int) -> None:
    if _libc.unshare(CLONE_NEWUTS if user == 0 else CLONE_NEWUTS | CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    if user != 0:
        with open("/proc/self/uid_map", "w") as uid_map:
            uid_map.write(f"{user} {user} 1")
    if _libc.sethostname(name, len(name)) != 0:
        raise OSError(ctypes.get_errno(), "sethostname")
