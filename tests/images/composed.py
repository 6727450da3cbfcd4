"""Containers as docker/compose.yaml describes them, made without an engine from the trees of their images."""

import contextlib
import importlib.util
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
ENDS_WITHIN = 10.0  # seconds after SIGTERM
HEALTHY_WITHIN = 30.0  # seconds; 2 are usual
POLL = 0.1  # seconds


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    """One compose file, with what it says by reference put in place."""
    read: dict[str, Any] = YAML(typ="safe").load((DOCKER / name).read_text())
    return read


class Project:
    """The volumes of one project, and the containers that use them."""

    def __init__(self, tool: ModuleType, images: dict[str, Any], folder: Path) -> None:
        self.tool = tool
        self.images = images
        self.folder = folder
        self.services = compose()["services"]
        self.site = folder / "site"
        shutil.copytree(DOCKER / "site", self.site)

    def mounts(self, service: str) -> list[Any]:
        """What compose.yaml mounts into a service, and the machine's list of names, which an engine lends too."""
        found = [self.tool.Mount(Path("/etc/hosts"), "/etc/hosts")]
        for text in self.services[service]["volumes"]:
            source, target, *options = text.split(":")
            folder = self.site if source == "./site" else self._volume(source, service, target)
            found.append(self.tool.Mount(folder, target, writable="ro" not in options))
        return found

    def _volume(self, name: str, service: str, target: str) -> Path:
        """A named volume; a new one gets what the image has there, with its owners."""
        folder = self.folder / "volumes" / name
        if not folder.exists():
            folder.parent.mkdir(exist_ok=True)
            subprocess.run(["cp", "--archive", self.images[service].root / target.lstrip("/"), folder], check=True)
        return folder

    def line(self, service: str, command: Iterable[str] | None = None, **options: Any) -> list[str]:
        """The command line of a container of this service; without a command, of the one that is its image's."""
        described, image = self.services[service], self.images[service]
        words = image.default_command() if command is None else [*image.entrypoint, *command]
        found: list[str] = self.tool.container(
            image,
            words,
            mounts=[*self.mounts(service), *options.pop("more_mounts", ())],
            tmpfs=described["tmpfs"],
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
        self._check = project.services[service]["healthcheck"]["test"]
        self._process = process

    @property
    def pid(self) -> int:
        """Its first process."""
        return int(self._tool.first_process(self._process.pid))

    def exec(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one more command in it."""
        return subprocess.run(self._tool.inside(self.image, self.pid, command), capture_output=True, text=True)

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


def load_tool() -> ModuleType:
    """tools/image_tree.py as a module; it is a program, and no package has it."""
    spec = importlib.util.spec_from_file_location("image_tree", ROOT / "tools/image_tree.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["image_tree"] = module
    spec.loader.exec_module(module)
    return module
