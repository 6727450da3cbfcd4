"""What one laboratory adds to the shipped configuration and changes in it."""

import asyncio
import math
import shutil
import struct
from pathlib import Path

from c2c_stasis.lab import child
from c2c_stasis.lab.configuration import Override
from c2c_stasis.lab.errors import LaboratoryError
from c2c_stasis.lab.installation import Installation
from c2c_stasis.lab.ports import Ports
from c2c_stasis.lab.rundir import HOLD_FOLDER

HOST = "127.0.0.1"
DISCARD = 9  # a port on which nobody listens


def overrides(
    run: Path,
    ports: Ports,
    installation: Installation,
    *,
    marker: str,
    certificate: Path | None,
    trunk_address: tuple[str, int] | None,
    ipv6: bool,
) -> list[Override]:
    """All settings that differ from what an operator deploys: ports, paths and addresses.

    `marker` is what Asterisk calls itself over SIP. Without a certificate there is no TLS transport, without IPv6
    none for that.
    """
    data = installation.data_dir
    directories = {
        "astcachedir": run / "cache",
        "astetcdir": run / "etc",
        "astmoddir": installation.module_dir,
        "astvarlibdir": run / "var",
        "astdbdir": run / "var",
        "astkeydir": run / "var",
        "astdatadir": data,
        "astagidir": data / "agi-bin",
        "astspooldir": run / "spool",
        "astrundir": run / "run",
        "astlogdir": run / "log",
    }
    # Without a carrier the trunk leads to a port on which nobody listens: nothing may leave this machine.
    trunk_host, trunk_port = trunk_address or (HOST, DISCARD)
    differences = [
        *(Override("asterisk.conf", "directories", key, str(path)) for key, path in directories.items()),
        Override("asterisk.conf", "options", "maxfiles", str(child.most_files())),
        Override("asterisk.conf", "options", "runuser"),
        Override("asterisk.conf", "options", "rungroup"),
        Override("http.conf", "general", "bindport", str(ports.http)),
        Override("rtp.conf", "general", "rtpstart", str(ports.rtp[0])),
        Override("rtp.conf", "general", "rtpend", str(ports.rtp[1])),
        Override("musiconhold.conf", "default", "directory", str(run / HOLD_FOLDER)),
        Override("pjsip.conf", "global", "user_agent", marker),
        Override("pjsip.conf", "transport-udp", "bind", f"{HOST}:{ports.sip}"),
        Override("pjsip.conf", "transport-tcp", "bind", f"{HOST}:{ports.sip}"),
        Override("pjsip.conf", "carrier", "contact", f"sip:{trunk_host}:{trunk_port}"),
        Override("pjsip.conf", "carrier", "match", trunk_host),
    ]
    for transport in ("transport-udp6", "transport-tcp6"):
        if ipv6:
            differences.append(Override("pjsip.conf", transport, "bind", f"[::1]:{ports.sip}"))
        else:
            differences.append(Override("pjsip.conf", transport, None))
    if certificate is None:
        differences.append(Override("pjsip.conf", "transport-tls", None))
    else:
        differences += [
            Override("pjsip.conf", "transport-tls", "bind", f"{HOST}:{ports.sips}"),
            Override("pjsip.conf", "transport-tls", "cert_file", str(certificate)),
            Override("pjsip.conf", "transport-tls", "priv_key_file", str(certificate.with_suffix(".key"))),
        ]
    return differences


async def make_certificate(folder: Path) -> Path | None:
    """A certificate for loopback, with its key beside it (.key); None without openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    certificate = folder / "sip.crt"
    process = await asyncio.create_subprocess_exec(
        *(
            openssl,
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "825",
        ),
        *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"),
        *("-keyout", str(certificate.with_suffix(".key")), "-out", str(certificate)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaints = await process.communicate()
    if process.returncode != 0:
        raise LaboratoryError(f"openssl made no certificate: {complaints.decode(errors='replace').strip()}")
    return certificate


def hold_tone() -> bytes:
    """What a held side hears: one second of 350 Hz, signed 16 bits at 8000 a second, seamless when repeated."""
    return b"".join(struct.pack("<h", int(8000 * math.sin(2 * math.pi * 350 * n / 8000))) for n in range(8000))
