"""The images: their Dockerfiles are carried out in a tree, and containers of them run as compose.yaml describes it."""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from c2c_stasis.lab.deployment import make_certificate
from tests.compose import DOCKER, composed
from tests.images.composed import Container, Project, connect, load_tool

# A first run makes two trees of Debian: a minute more.
pytestmark = pytest.mark.timeout(900)

SERVICE_UID, ASTERISK_UID = "10001", "10002"
SERVICE_BYTES = 250_000_000  # unpacked; a forgotten cache adds 100
READY_WITHIN = 30.0  # seconds; 2 are usual
PHONES = """
[alice-desk](phone)
auth = alice-desk
aors = alice-desk
[alice-desk](phone-auth)
username = alice-desk
password = of-the-test
[alice-desk](phone-aor)
"""
ASK = """
import json, sys, urllib.error, urllib.request
request = urllib.request.Request({url!r}, headers={headers!r}, data={data!r})
try:
    answer = urllib.request.urlopen(request, timeout=5)
except urllib.error.HTTPError as refused:
    answer = refused
print(json.dumps([answer.status, dict(answer.headers), answer.read().decode()]))
"""


@pytest.fixture(scope="session")
def tool() -> ModuleType:
    return load_tool()


@pytest.fixture(scope="session")
def images(tool: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Both images, by the names that their services have in compose.yaml."""
    services = composed()["services"]

    def made(name: str) -> Any:
        dockerfile = DOCKER.parent / services[name]["build"]["dockerfile"]
        return tool.build(dockerfile, folder / name)

    folder = tmp_path_factory.mktemp("images")
    with ThreadPoolExecutor() as threads:
        return dict(zip(services, threads.map(made, services), strict=True))


@pytest.fixture
def project(tool: ModuleType, images: dict[str, Any], tmp_path: Path) -> Project:
    return Project(tool, images, tmp_path)


@pytest.fixture
def asterisk(project: Project) -> Iterator[Container]:
    with (project.site / "pjsip-devices.conf").open("a") as file:
        file.write(PHONES)
    one = project.start("asterisk", own_network=True)
    yield one
    one.kill()


def ask(container: Container, path: str, headers: dict[str, str] | None = None, body: Any = None) -> Any:
    """Status, headers and body of one request from inside a container to its own API."""
    data = json.dumps(body).encode() if body is not None else None
    program = ASK.format(url=f"http://127.0.0.1:8080{path}", headers=headers or {}, data=data)
    return json.loads(container.python(program))


def test_service_and_asterisk_start_as_compose_says_and_place_a_call(project: Project, asterisk: Container) -> None:
    options = ("--account", "Acme", "--user", "Alice", "--device", "alice-desk", "--trunk", "provider")
    made = json.loads(project.run("service", "init", "--json", *options, beside=asterisk))
    service = project.start("service", network_of=asterisk.pid)
    try:
        status, _, text = ask(service, "/readyz")
        assert (status, json.loads(text)["status"]) == (200, "ok")
        login = {"Authorization": f"Bearer {made['key']}", "DialStack-Account": made["account_id"]}
        body = {"user_id": made["user_id"], "dial_string": "+12025550123"}
        status, headers, text = ask(service, "/v1/calls", {**login, "Content-Type": "application/json"}, body)
        assert (status, text) == (202, "")
        record = json.loads(ask(service, headers["Location"], login)[2])
        assert [record["outcome"], record["reason"]] == ["failed", "no_device"]  # its phone is not there
        assert service.uid() == [SERVICE_UID] * 4
        assert service.exec("touch", "/usr/of-nobody").stderr.endswith("Read-only file system\n")
    finally:
        status = service.stop()
    assert status == 0


def test_the_asterisk_of_the_image_runs_as_its_user_with_the_shipped_configuration(asterisk: Container) -> None:
    assert re.search(r"Asterisk (22\.1[0-9]|2[3-9]\.)", asterisk.exec("asterisk", "-rx", "core show version").stdout)
    assert asterisk.uid() == [ASTERISK_UID] * 4
    assert "alice-desk" in asterisk.exec("asterisk", "-rx", "pjsip show endpoint alice-desk").stdout
    assert "ulaw" in asterisk.exec("asterisk", "-rx", "core show codecs").stdout
    assert asterisk.exec("touch", "/etc/asterisk/of-nobody").stderr.endswith("Read-only file system\n")
    alarms = [line for line in asterisk.log.read_text().splitlines() if re.search(r"(ERROR|WARNING)\[", line)]
    assert [line for line in alarms if "keys/sip" not in line and "TLS" not in line] == []


def test_the_password_is_made_once_and_is_in_no_image(project: Project, asterisk: Container) -> None:
    login = project.folder / "volumes/ari-login/ari-password.conf"
    first = login.read_text()
    assert re.fullmatch(r"password = [A-Za-z0-9_-]{32}\n", first)
    assert (login.stat().st_mode & 0o777, login.stat().st_uid, login.stat().st_gid) == (0o640, 10002, 10001)
    for image in project.images.values():
        assert not list(image.root.glob("var/lib/asterisk-login/*"))
    asterisk.stop()

    again = project.start("asterisk", own_network=True)
    try:
        assert login.read_text() == first
    finally:
        again.kill()


def test_a_backup_leaves_the_volume_and_comes_back_as_the_document_says(project: Project, asterisk: Container) -> None:
    document = (DOCKER.parent / "docs/operations.md").read_text()
    saves = re.search(r"exec -T service sh -c '(.+)' > c2c-", document)
    restores = re.search(r"run --rm -T --no-deps --entrypoint sh service \\\n +-c '(.+)' < backup\.db", document)
    assert saves is not None
    assert restores is not None
    made = json.loads(project.run("service", "init", "--json", "--account", "Acme", "--user", "Alice", beside=asterisk))
    login = {"Authorization": f"Bearer {made['key']}", "DialStack-Account": made["account_id"]}
    service = project.start("service", network_of=asterisk.pid)
    try:
        saved = service.copy_out(saves[1])
        assert service.copy_out(saves[1]).startswith(b"SQLite format 3\0")  # nothing of the first is in the way
        later = {**login, "Content-Type": "application/json"}
        assert ask(service, "/v1/users", later, {"name": "Bob"})[0] == 201
        assert users(service, login) == {"Alice", "Bob"}
    finally:
        service.stop()
    assert "restored" in project.run_shell("service", restores[1], saved)

    service = project.start("service", network_of=asterisk.pid)
    try:
        assert users(service, login) == {"Alice"}
        left = service.copy_out("ls").decode().split()
        assert not {"in.db", "out.db"} & set(left)
    finally:
        service.stop()


def users(service: Container, login: dict[str, str]) -> set[str]:
    """The names of all users."""
    return {user["name"] for user in json.loads(ask(service, "/v1/users", login)[2])["data"]}


ASTERISK, SERVICE = "10.88.17.1", "10.88.17.2"  # of the cable that stands for the project's own network


@pytest.fixture
def published(tool: ModuleType, images: dict[str, Any], tmp_path: Path) -> Project:
    """The project with its ports published."""
    names, variables = {"asterisk": ASTERISK}, {"PUBLIC_ADDRESS": "203.0.113.10"}
    return Project(tool, images, tmp_path, "compose.ports.yaml", variables=variables, names=names)


def test_with_published_ports_asterisk_tells_the_public_address(published: Project) -> None:
    asterisk = published.start("asterisk", own_network=True)
    try:
        for transport in ("transport-udp", "transport-tcp"):
            shown = asterisk.exec("asterisk", "-rx", f"pjsip show transport {transport}").stdout
            assert re.search(r"external_media_address +: 203\.0\.113\.10", shown)
            assert re.search(r"local_net +: 127\.0\.0\.0", shown)
        assert "10199" in asterisk.exec("asterisk", "-rx", "rtp show settings").stdout
    finally:
        asterisk.kill()


def test_with_published_ports_the_service_lives_through_an_asterisk_that_is_replaced(published: Project) -> None:
    asterisk = published.start("asterisk", own_network=True)
    published.run("service", "init", "--json", beside=asterisk)
    service = published.start("service", own_network=True)
    try:
        connect(service, SERVICE, asterisk, ASTERISK)
        wait_until_ready(service)
        asterisk.kill()
        wait_until_ready(service, 503)
        asterisk = published.start("asterisk", own_network=True)
        connect(service, SERVICE, asterisk, ASTERISK)
        wait_until_ready(service)
    finally:
        service.kill()
        asterisk.kill()


def wait_until_ready(service: Container, status: int = 200) -> None:
    """Wait for what /readyz says."""
    give_up = time.monotonic() + READY_WITHIN
    while (answer := ask(service, "/readyz"))[0] != status:
        assert time.monotonic() < give_up, answer
        time.sleep(0.1)


def test_the_image_is_small_and_no_tool_of_the_build_is_in_it(images: dict[str, Any]) -> None:
    root = images["service"].root
    sizes = (path.lstat().st_size for path in root.rglob("*") if not path.is_symlink() and path.is_file())
    assert sum(sizes) < SERVICE_BYTES
    for name in ("usr/bin/gcc", "usr/bin/make", "usr/bin/pip*", "opt/c2c-stasis/bin/pip*", "src", "pip"):
        assert not list(root.glob(name))


def test_systemd_takes_the_unit_and_finds_it_well_confined(tmp_path: Path) -> None:
    unit = tmp_path / "c2c-stasis.service"
    program = Path(sys.executable).with_name("c2c-stasis")
    unit.write_text(
        (DOCKER / "systemd" / unit.name).read_text().replace("/opt/c2c-stasis/bin/c2c-stasis", str(program))
    )

    verified = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")

    # 0 is confined, 10 is not; 1.2 was measured with systemd 252.
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)]
    assert subprocess.run(command, capture_output=True).returncode == 0


NGINX = """\
FROM debian:trixie-slim
RUN apt-get update && apt-get install --yes --no-install-recommends nginx-light \\
    && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-enabled/default
CMD ["nginx", "-g", "daemon off;"]
"""
ASK_OVER_TLS = """
import ssl, urllib.error, urllib.request
for path in ("/v1/calls/call_01h2xcejqtf2nbrexx3vqjhp41", "/readyz"):
    try:
        urllib.request.urlopen(f"https://127.0.0.1{path}", context=ssl._create_unverified_context(), timeout=5)
    except urllib.error.HTTPError as refused:
        print(refused.status, refused.read().decode().partition("\\n")[0])
"""


def test_the_proxy_of_the_document_ends_tls_and_passes_on_the_api_alone(
    tool: ModuleType, project: Project, asterisk: Container, tmp_path: Path
) -> None:
    recipe = re.search(r"^```nginx\n(.*?)^```$", (DOCKER.parent / "docs/operations.md").read_text(), re.M | re.S)
    assert recipe is not None
    (tmp_path / "nginx.conf").write_text(recipe[1])
    (tmp_path / "Dockerfile").write_text(NGINX)
    certificate = asyncio.run(make_certificate(tmp_path))
    assert certificate is not None
    image = tool.build(tmp_path / "Dockerfile", tmp_path / "nginx")
    mounts = [
        tool.Mount(tmp_path / "nginx.conf", "/etc/nginx/sites-enabled/c2c-stasis"),
        tool.Mount(certificate, "/etc/ssl/calls.example.com.crt"),
        tool.Mount(certificate.with_suffix(".key"), "/etc/ssl/calls.example.com.key"),
    ]
    project.run("service", "init", "--json", beside=asterisk)
    service = project.start("service", network_of=asterisk.pid)
    line = tool.container(image, image.default_command(), mounts=mounts, network_of=asterisk.pid)
    nginx = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + 10
        while not (said := service.exec("python3", "-c", ASK_OVER_TLS)).stdout and time.monotonic() < give_up:
            time.sleep(0.1)
        api, health = said.stdout.splitlines()
        assert api == '401 {"error":"Unauthorized","code":"unauthorized"}'
        assert health.startswith("404 <html>")
    finally:
        nginx.kill()
        nginx.wait()
        service.stop()
