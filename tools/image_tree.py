"""Carries out a Dockerfile without a container engine, and runs a command as a container of it would: on Linux, as root.

    python tools/image_tree.py docker/Dockerfile FOLDER                     # build
    python tools/image_tree.py docker/Dockerfile FOLDER -- c2c-stasis --help  # build, and run a command in it

It knows the instructions that our Dockerfiles use and refuses any other. The base images are not the published ones, which
cannot be had without a registry, but what those are made of: the minimal set of packages of the same release of Debian.
What a build needs of the machine's network is lent to it (name servers, proxies, pip's settings) and is not in the result.
"""

import argparse
import ast
import asyncio
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from dockerfile_parse import DockerfileParser

from c2c_stasis.lab.apt import find_keyring, machine_mirror
from c2c_stasis.lab.obtain import default_cache

ROOT = Path(__file__).parents[1]
BASE_IMAGE = re.compile(r"debian:([a-z]+)-slim")
# What the slim images leave out.
SLIM = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHELL = ("/bin/sh", "-c")
LENT_FILES = (Path("/etc/resolv.conf"), Path("/etc/hosts"))
LENT = "/run/lent"
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
# Seen by a process of the image, and made anew for each.
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


class NotCarriedOut(Exception):
    """An instruction failed, or is none that this program knows."""


@dataclass(slots=True)
class Image:
    """One stage of a Dockerfile: its tree, and how a container of it is started."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": DEFAULT_PATH})
    workdir: str = "/"
    user: str = "0"
    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)

    def default_command(self) -> list[str]:
        """What a container runs when nothing is said."""
        return [*self.entrypoint, *self.cmd]


@dataclass(frozen=True, slots=True)
class Mount:
    """One folder or file of the machine inside a container."""

    source: Path
    target: str
    writable: bool = False


def container(
    image: Image,
    command: Iterable[str],
    *,
    mounts: Iterable[Mount] = (),
    tmpfs: Iterable[str] = (),
    env: Mapping[str, str] | None = None,
    read_only: bool = False,
    network_of: int | None = None,
    own_network: bool = False,
    nofile: int | None = None,
) -> list[str]:
    """The command line that runs `command` in the image's tree, as its user, in namespaces that end with it.

    A read-only tree may be written in its mounts and in `tmpfs` only. The network is the machine's, a new one with nothing
    but loopback, or that of the process `network_of`.
    """
    flags = ["--mount", "--pid", "--fork", "--kill-child", "--ipc", "--uts"]
    if own_network:
        flags.append("--net")
    network = ["nsenter", "--net", f"--target={network_of}"] if network_of is not None else []
    limit = ["prlimit", f"--nofile={nofile}:{nofile}"] if nofile is not None else []
    script = "\n".join(_setup(image, mounts, tmpfs, read_only=read_only, own_network=own_network))
    inner = _as_user(image, command, env or {})
    return [*limit, *network, "unshare", *flags, "sh", "-euc", f'{script}\nexec "$@"\n', "sh", *inner]


def inside(image: Image, pid: int, command: Iterable[str], *, env: Mapping[str, str] | None = None) -> list[str]:
    """The command line that runs `command` in the container whose first process is `pid`, as an engine's exec does."""
    namespaces = ["--mount", "--pid", "--net", "--ipc", "--uts"]
    return ["nsenter", f"--target={pid}", *namespaces, "--", *_as_user(image, command, env or {})]


def first_process(unshare: int) -> int:
    """The first process of a container, whose command line `container` gave, by the number of what was started."""
    return int(Path(f"/proc/{unshare}/task/{unshare}/children").read_text())


def _as_user(image: Image, command: Iterable[str], env: Mapping[str, str]) -> list[str]:
    (uid, gid), groups = _ids(image.root, image.user)
    assignments = [f"{name}={value}" for name, value in {"HOME": "/", **image.env, **env}.items()]
    drop = ["setpriv", f"--reuid={uid}", f"--regid={gid}", f"--groups={groups}"]
    if uid != 0:
        drop += ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    go = ["sh", "-c", 'cd "$0" && exec "$@"', image.workdir, *drop, *command]
    return ["chroot", str(image.root), "/usr/bin/env", "--ignore-environment", *assignments, *go]


def _setup(
    image: Image, mounts: Iterable[Mount], tmpfs: Iterable[str], *, read_only: bool, own_network: bool
) -> Iterator[str]:
    """The lines of shell that make the tree a container's root."""
    root = shlex.quote(str(image.root))
    yield "mount --make-rprivate /"
    if own_network:
        yield "ip link set lo up"
    yield f"mount --bind {root} {root}"
    yield f"mkdir -p {root}/proc {root}/dev {root}/tmp"  # noqa: S108 # inside the tree
    for text in tmpfs:
        target, _, options = text.partition(":")
        point = shlex.quote(str(_inside(image.root, target)))
        yield f"mkdir -p {point}; mount -t tmpfs -o {shlex.quote(options or 'mode=1777')} tmpfs {point}"
    for mount in mounts:
        yield from _bind(mount, _inside(image.root, mount.target))
    yield f"mount -t tmpfs -o mode=0755 tmpfs {root}/dev"
    for device in DEVICES:
        yield f"touch {root}/dev/{device}; mount --bind /dev/{device} {root}/dev/{device}"
    yield f"mount -t proc proc {root}/proc"
    if read_only:
        yield f"mount -o remount,bind,ro {root}"


def _bind(mount: Mount, place: Path) -> Iterator[str]:
    point = shlex.quote(str(place))
    if mount.source.is_file():
        yield f"mkdir -p {shlex.quote(str(place.parent))}; [ -e {point} ] || touch {point}"
    else:
        yield f"mkdir -p {point}"
    yield f"mount --bind {shlex.quote(str(mount.source))} {point}"
    if not mount.writable:
        yield f"mount -o remount,bind,ro {point}"


def _inside(root: Path, path: str) -> Path:
    return root / PurePosixPath("/", path).relative_to("/")


def _ids(root: Path, user: str) -> tuple[tuple[int, int], str]:
    """The numbers of a user, and of all groups it is in, as the tree's own lists have them."""
    users = [line.split(":") for line in (root / "etc/passwd").read_text().splitlines()]
    name, _, _, group, *_ = next(row for row in users if user in (row[0], row[2]))
    uid = next(row[2] for row in users if row[0] == name)
    rows = [line.split(":") for line in (root / "etc/group").read_text().splitlines()]
    more = [row[2] for row in rows if name in row[3].split(",")]
    return (int(uid), int(group)), ",".join([group, *more])


class Builder:
    """Carries out one Dockerfile, stage by stage; `folder` holds the trees."""

    def __init__(self, dockerfile: Path, context: Path, folder: Path) -> None:
        self._dockerfile = dockerfile
        self._context = context
        self._folder = folder
        self._stages: dict[str, Image] = {}
        self._image: Image | None = None

    def build(self) -> Image:
        """Give the last stage. Raises `NotCarriedOut`."""
        parser = DockerfileParser(fileobj=io.BytesIO(self._dockerfile.read_bytes()))
        for step in parser.structure:
            if step["instruction"] != "COMMENT":
                self._carry_out(step["instruction"], step["value"])
        return self.image

    @property
    def image(self) -> Image:
        """The stage that is being made."""
        if self._image is None:
            raise NotCarriedOut("the first instruction must be FROM")
        return self._image

    def _carry_out(self, instruction: str, value: str) -> None:
        print(f"{instruction} {value[:150]}", flush=True)
        match instruction:
            case "FROM":
                self._from(value.split())
            case "RUN":
                self._run([*SHELL, value])
            case "COPY":
                self._copy(shlex.split(value))
            case "ENV":
                self.image.env |= dict(pair.split("=", 1) for pair in shlex.split(value))
            case "WORKDIR":
                self.image.workdir = value
                _inside(self.image.root, value).mkdir(parents=True, exist_ok=True)
            case "USER":
                self.image.user = value
            case "VOLUME":
                self.image.volumes += _words(value)
            case "ENTRYPOINT":
                self.image.entrypoint = _words(value)
            case "CMD":
                self.image.cmd = _words(value)
            case "HEALTHCHECK":
                self.image.healthcheck = _words(value.partition("CMD ")[2])
            case "STOPSIGNAL" if value == "SIGTERM":
                pass
            case _:
                raise NotCarriedOut(f"{instruction} {value}: not known here")

    def _from(self, words: list[str]) -> None:
        found = BASE_IMAGE.fullmatch(words[0])
        if found is None:
            raise NotCarriedOut(f"{words[0]}: only Debian's slim images can be made here")
        name = words[2] if len(words) == 3 else str(len(self._stages))
        root = self._folder / name
        root.mkdir(parents=True)
        subprocess.run(["tar", "--extract", "--file", base(found[1]), "--directory", root], check=True)
        self._image = self._stages[name] = Image(root)

    def _run(self, command: list[str]) -> None:
        with lent() as (mounts, env):
            points = [_inside(self.image.root, mount.target) for mount in mounts]
            new = [point for point in points if not point.exists()]
            line = container(self.image, command, mounts=mounts, tmpfs=[LENT], env=env)
            done = subprocess.run(line, check=False)
            for point in new:
                if point.is_dir():
                    point.rmdir()
        if done.returncode != 0:
            raise NotCarriedOut(f"status {done.returncode}: {command[-1]}")

    def _copy(self, words: list[str]) -> None:
        options = dict(word.removeprefix("--").split("=", 1) for word in words if word.startswith("--"))
        *sources, target = [word for word in words if not word.startswith("--")]
        if unknown := options.keys() - {"from", "chmod"}:
            raise NotCarriedOut(f"COPY --{unknown.pop()}: not known here")
        origin = self._stages[options["from"]].root if "from" in options else self._context
        place = _inside(self.image.root, str(PurePosixPath(self.image.workdir, target)))
        for source in sources:
            _put(_inside(origin, source), place, into_folder=target.endswith("/") or len(sources) > 1)
        if "chmod" in options:
            place.chmod(int(options["chmod"], 8))


def _put(source: Path, place: Path, *, into_folder: bool) -> None:
    """Copy as COPY does: of a folder its content, owned by root unless it comes out of another stage."""
    if source.is_dir():
        shutil.copytree(source, place, symlinks=True, dirs_exist_ok=True)
    else:
        place = place / source.name if into_folder else place
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, place)


def _words(value: str) -> list[str]:
    """The words of an instruction in either form; a command in the shell form is refused, since it would hide signals."""
    if value.startswith("["):
        words: list[str] = json.loads(value)
        return words
    if " " in value:
        raise NotCarriedOut(f"{value}: write it as a JSON list")
    return [value]


def base(release: str) -> Path:
    """The archive of the minimal tree of one release of Debian; made once, and kept in the cache. Takes half a minute."""
    kept = default_cache() / f"debian-{release}-slim.tar"
    if kept.exists():
        return kept
    if shutil.which("mmdebstrap") is None:
        raise NotCarriedOut("mmdebstrap is missing: apt-get install mmdebstrap")
    kept.parent.mkdir(parents=True, exist_ok=True)
    unfinished = kept.with_name(f".{os.getpid()}-{kept.name}")
    exclude = [f"--dpkgopt=path-exclude={pattern}" for pattern in SLIM]
    # A suite that is being made has lists that expire within a week, and mirrors that lag.
    lag = '--aptopt=Acquire::Check-Valid-Until "false"'
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--mode=root", "--components=main"]
    mirror = asyncio.run(machine_mirror())
    subprocess.run(
        [*command, f"--keyring={find_keyring()}", lag, *exclude, release, unfinished, mirror],
        check=True,
    )
    return unfinished.replace(kept)


@contextmanager
def lent() -> Iterator[tuple[list[Mount], dict[str, str]]]:
    """What a build needs of this machine to reach its mirrors, as mounts and environment."""
    env = {name: os.environ[name] for name in PROXIES if name in os.environ}
    env["DEBIAN_FRONTEND"] = "noninteractive"
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        env[f"PIP_{name.rpartition('.')[2].upper().replace('-', '_')}"] = str(ast.literal_eval(value))
    with tempfile.TemporaryDirectory() as folder:
        # An engine lends these as copies too: the machine's own may be links into what the tree does not have.
        copies = [Mount(Path(shutil.copy(path, folder)), str(path)) for path in LENT_FILES]
        yield [*copies, *_lend_paths(env)], env


def _lend_paths(env: dict[str, str]) -> Iterator[Mount]:
    """Mount what pip's settings name; what is in `/etc` here goes elsewhere there, and the settings say so."""
    for name, value in env.items():
        if not name.startswith("PIP_"):
            continue
        words = value.split()
        for at, word in enumerate(words):
            path = Path(word.removeprefix("file://"))
            if not path.is_absolute() or not path.exists():
                continue
            if path.is_relative_to("/etc"):  # the tree has one of its own
                words[at] = f"{LENT}{path}"
                yield Mount(path.resolve(), words[at])
            else:  # an index names its files by whole path, and they are beside it
                folder = path.parent if word.startswith("file://") else path
                yield Mount(folder, str(folder))
        env[name] = " ".join(words)


def clean_context(folder: Path) -> Path:
    """A copy of what git knows of the checkout, and of new files that it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def build(dockerfile: Path, folder: Path) -> Image:
    """Carry out a Dockerfile of the checkout into this folder. Raises `NotCarriedOut`."""
    if os.getuid() != 0:
        raise NotCarriedOut("only root can do this: it makes namespaces and files of other users")
    with tempfile.TemporaryDirectory() as context:
        return Builder(dockerfile, clean_context(Path(context)), folder).build()


def main() -> int:
    """Build, and run a command if there is one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dockerfile", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("command", nargs="*")
    said = parser.parse_args()
    try:
        image = build(said.dockerfile, said.folder)
    except NotCarriedOut as exc:
        print(exc, file=sys.stderr)
        return 1
    return subprocess.run(container(image, said.command), check=False).returncode if said.command else 0


if __name__ == "__main__":
    sys.exit(main())
