"""Containers as docker/compose.yaml describes them, made without an engine from the trees of their images."""

import contextlib
import importlib.util
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from tests.compose import DOCKER, composed

ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r"\$\{(\w+)[^}]*\}")
ENDS_WITHIN = 10.0  # seconds after SIGTERM
HEALTHY_WITHIN = 30.0  # seconds; 2 are usual
POLL = 0.1  # seconds


class Project:
    """The volumes of one project, and the containers that use them.

    `variables` are those that the compose files ask for, `names` what an engine's name server would tell.
    """

    def __init__(
        self,
        tool: ModuleType,
        images: dict[str, Any],
        folder: Path,
        *overlays: str,
        variables: Mapping[str, str] = MappingProxyType({}),
        names: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.tool = tool
        self.images = images
        self.folder = folder
        self.services = composed(*overlays)["services"]
        self._variables = variables
        self._hosts = folder / "hosts"
        own = "".join(f"{address} {name}\n" for name, address in names.items())
        self._hosts.write_text(Path("/etc/hosts").read_text() + own)
        self.site = folder / "site"
        shutil.copytree(DOCKER / "site", self.site)

    def mounts(self, service: str) -> list[Any]:
        """What the compose files mount into a service, and a list of names, which an engine lends too."""
        found = [self.tool.Mount(self._hosts, "/etc/hosts")]
        for text in self.services[service]["volumes"]:
            source, target, *options = text.split(":")
            found.append(self.tool.Mount(self._source(source, service, target), target, writable="ro" not in options))
        return found

    def _source(self, source: str, service: str, target: str) -> Path:
        if source == "./site":
            return self.site
        return DOCKER / source if source.startswith("./") else self._volume(source, service, target)

    def environment(self, service: str) -> dict[str, str]:
        """The variables that a service has besides those of its image."""
        given = self.services[service].get("environment", {})
        return {name: VARIABLE.sub(lambda found: self._variables[found[1]], text) for name, text in given.items()}

    def _volume(self, name: str, service: str, target: str) -> Path:
        """A named volume; a new one gets what the image has there, with its owners."""
        folder = self.folder / "volumes" / name
        if not folder.exists():
            folder.parent.mkdir(exist_ok=True)
            subprocess.run(["cp", "--archive", self.images[service].root / target.lstrip("/"), folder], check=True)
        return folder

    def line(
        self, service: str, command: Iterable[str] | None = None, *, words: list[str] | None = None, **options: Any
    ) -> list[str]:
        """The command line of a container of this service; without a command, of the one that is its image's.

        `words` are in the place of the entrypoint as well.
        """
        described, image = self.services[service], self.images[service]
        words = words or (image.default_command() if command is None else [*image.entrypoint, *command])
        found: list[str] = self.tool.container(
            image,
            words,
            mounts=[*self.mounts(service), *options.pop("more_mounts", ())],
            tmpfs=described["tmpfs"],
            env=self.environment(service),
            read_only=described["read_only"],
            # An engine may raise the limit; this process, in some sandboxes, may not.
            nofile=min(described["ulimits"]["nofile"]["hard"], resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
            **options,
        )
        return found

    def run(self, service: str, *command: str, beside: "Container") -> str:
        """What `docker compose run --rm` gives."""
        done = subprocess.run(self.line(service, command, network_of=beside.pid), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run_shell(self, service: str, script: str, given: bytes) -> str:
        """What `docker compose run --rm -T --entrypoint sh SERVICE -c SCRIPT` gives for this on standard input."""
        line = self.line(service, words=["sh", "-c", script], own_network=True)
        done = subprocess.run(line, input=given, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    def start(self, service: str, **options: Any) -> "Container":
        """Start a service, and wait until the check of its image says that it is well."""
        path = self.folder / f"{service}.log"
        with path.open("ab") as log:
            process = subprocess.Popen(self.line(service, **options), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        one = Container(self, service, process, path)
        try:
            one.wait_until_healthy()
        except BaseException:
            one.kill()
            raise
        return one


class Container:
    """One that runs."""

    def __init__(self, project: Project, service: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.image = project.images[service]
        self.log = log
        self._tool = project.tool
        self._environment = project.environment(service)
        self._check = project.services[service]["healthcheck"]["test"]
        self._process = process

    @property
    def pid(self) -> int:
        """Its first process."""
        return int(self._tool.first_process(self._process.pid))

    def exec(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one more command in it."""
        line = self._tool.inside(self.image, self.pid, command, env=self._environment)
        return subprocess.run(line, capture_output=True, text=True)

    def copy_out(self, script: str) -> bytes:
        """What `docker compose exec -T SERVICE sh -c SCRIPT` writes to its standard output."""
        line = self._tool.inside(self.image, self.pid, ["sh", "-c", script], env=self._environment)
        done = subprocess.run(line, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def python(self, program: str) -> str:
        """What a program in its Python prints."""
        done = self.exec("python3", "-c", program)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def healthy(self) -> bool:
        """What its check says; compose.yaml and the image must have the same."""
        kind, *command = self._check
        assert (kind, command) == ("CMD", self.image.healthcheck)
        return self.exec(*command).returncode == 0

    def wait_until_healthy(self) -> None:
        """Wait for it; raises `AssertionError` with its log."""
        give_up = time.monotonic() + HEALTHY_WITHIN
        while time.monotonic() < give_up:
            assert self._process.poll() is None, self.log.read_text()
            try:
                if self.healthy():
                    return
            except ValueError:  # its first process is not there yet
                pass
            time.sleep(POLL)
        raise AssertionError(self.log.read_text())

    def uid(self) -> list[str]:
        """Real, effective, saved and file user of its first process."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(line.split()[1:] for line in lines if line.startswith("Uid:"))

    def stop(self) -> int:
        """SIGTERM to its first process, as an engine does; gives the status with which that ended."""
        if self._process.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
        return self._process.wait(ENDS_WITHIN)

    def kill(self) -> None:
        """End it at once. Twice is once.

        Its first process is ended, and with it all others: `unshare --kill-child` loses sight of one that changed its user.
        """
        if self._process.poll() is None:
            with contextlib.suppress(ValueError, ProcessLookupError):  # it is not there yet, or not any more
                os.kill(self.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()


def connect(one: Container, address: str, other: Container, its_address: str) -> None:
    """Lay a cable between two containers with networks of their own; it is gone when either of them is."""
    ends = {one.pid: f"{address}/30", other.pid: f"{its_address}/30"}
    (first, second) = ends
    cable = ["ip", "link", "add", "c2c0", "netns", str(first), "type", "veth", "peer", "name", "c2c0"]
    subprocess.run([*cable, "netns", str(second)], check=True)
    for pid, its in ends.items():
        at = ["nsenter", "--net", f"--target={pid}", "ip"]
        subprocess.run([*at, "address", "add", its, "dev", "c2c0"], check=True)
        subprocess.run([*at, "link", "set", "c2c0", "up"], check=True)


def load_tool() -> ModuleType:
    """tools/image_tree.py as a module; it is a program, and no package has it."""
    spec = importlib.util.spec_from_file_location("image_tree", ROOT / "tools/image_tree.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["image_tree"] = module
    spec.loader.exec_module(module)
    return module
