"""Tells systemd how far the service is, if systemd started it and wants to know (sd_notify(3), `Type=notify`)."""

import logging
import os
import socket
import time

logger = logging.getLogger(__name__)

WITHIN = 1.0  # second; systemd takes datagrams at once, unless the whole machine stands still


def ready() -> None:
    """We serve, and every signal is understood; also: what was read again counts."""
    _tell("READY=1")


def reloading() -> None:
    """The configuration is read again; `ready` ends it."""
    _tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


def stopping(within: float) -> None:
    """We end on purpose, and need so many seconds at most: more, perhaps, than `TimeoutStopSec` allows."""
    _tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={round(within * 1_000_000)}")


def _tell(*lines: str) -> None:
    """Send one datagram to the socket that systemd has named, if any; what goes wrong is logged and ends nothing."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # in Linux' abstract namespace
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(WITHIN)
            sender.sendto("\n".join(lines).encode(), address)
    except OSError as error:
        logger.warning("systemd not told", extra={"state": lines[0], "error": str(error)})
