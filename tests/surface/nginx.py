"""Debian's nginx with the recipe of docs/operations.md, in front of whoever listens on a port."""

import asyncio
import fcntl
import os
import re
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from c2c_stasis.lab import child
from c2c_stasis.lab.apt import PrivateApt, find_keyring, machine_mirror, run
from c2c_stasis.lab.obtain import default_cache, silent
from c2c_stasis.lab.ports import free_ports
from tests.live.waiting import eventually

SUITE = "trixie"  # Debian 13
RECIPE = Path(__file__).parents[2] / "docs/operations.md"
_MAIN = """\
{user}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{recipe}
}}
"""


async def obtain() -> tuple[str, ...]:
    """The command that runs nginx: the machine's own, or Debian's package unpacked into the cache of the laboratory (once)."""
    if own := shutil.which("nginx"):
        return (own,)
    folder = default_cache() / "nginx"
    folder.mkdir(parents=True, exist_ok=True)
    tree = folder / SUITE
    with (folder / "lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        if not tree.is_dir():
            await _fetch(folder, tree)
    loader = next(iter(sorted(tree.glob("usr/lib/*/ld-linux*.so.*"))))
    return (str(loader), "--library-path", str(loader.parent), str(tree / "usr/sbin/nginx"))


async def _fetch(folder: Path, tree: Path) -> None:
    apt, unfinished = PrivateApt(folder / "apt"), folder / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    await apt.update(await machine_mirror(), SUITE, find_keyring())
    files = await apt.files_for(("nginx",))
    await apt.download(("nginx",), files, silent)
    for file in files:
        await run("dpkg-deb", "--extract", str(apt.archives / file.name), str(unfinished))
    unfinished.rename(tree)
    shutil.rmtree(apt.folder)


def recipe(port: int, service: int, certificate: Path, key: Path) -> str:
    """The recipe as the document has it, but for names that an operator puts in."""
    found = re.search(r"^```nginx\n(.*?)^```$", RECIPE.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    text = found[1]
    for said, instead in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("/etc/ssl/calls.example.com.crt", str(certificate)),
        ("/etc/ssl/calls.example.com.key", str(key)),
        ("server 127.0.0.1:8080;", f"server 127.0.0.1:{service};"),
    ):
        assert text.count(said) == 1, said
        text = text.replace(said, instead)
    return text


def _configured(folder: Path, recipe: str) -> Path:
    folder.mkdir()
    user = "user root;\n" if os.geteuid() == 0 else ""
    file = folder / "nginx.conf"
    file.write_text(_MAIN.format(user=user, folder=folder, recipe=recipe))
    return file


@asynccontextmanager
async def before(
    service: int, folder: Path, certificate: Path, key: Path, *, more: str = "", port: int = 0
) -> AsyncIterator[int]:
    """nginx in front of that port, with more locations; gives its own."""
    port = port or free_ports().http
    text = recipe(port, service, certificate, key)
    file = _configured(folder, text.replace("    location @too_large {", f"{more}    location @too_large {{", 1))
    process = await asyncio.create_subprocess_exec(
        *(*await obtain(), "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(file)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=child.preparation(rename=False),
    )

    async def there() -> bool:
        assert process.returncode is None, (await process.communicate())[1].decode()
        try:
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=ssl.create_default_context(cafile=str(certificate)), server_hostname="localhost"
            )
        except OSError:
            return False
        writer.close()
        return True

    try:
        await eventually(there, bool, "nginx to listen")
        yield port
    finally:
        process.terminate()
        await process.wait()
