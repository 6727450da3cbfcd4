"""The command line: what `init` makes, what it makes when run again, what it refuses, and how each command ends."""

import asyncio
import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import c2c_stasis
from c2c_stasis.ari.connection import AppTaken
from c2c_stasis.cli import main
from c2c_stasis.cli.program import program
from c2c_stasis.cli.reporting import EX_CONFIG, EX_TAKEN, EX_UNAVAILABLE
from c2c_stasis.config import Config, load
from c2c_stasis.directory import keys
from c2c_stasis.directory.model import DirectoryRows
from c2c_stasis.store.ownership import served
from c2c_stasis.store.sql_store import open_store

USAGE = 2
ARI = ("--ari-password", "of-asterisk")
ALICE = ("--account", "Acme", "--user", "Alice", "--device", "desk", "--device", "mobile", "--extension", "1001")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and an environment that configures nothing."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("C2C_"):
            monkeypatch.delenv(name)
    return tmp_path


def run(*arguments: str, typed: str | None = None) -> Result:
    result = CliRunner().invoke(main, arguments, input=typed)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def init(*arguments: str, typed: str | None = None) -> Result:
    return run("init", "--asterisk-etc", "no-asterisk-here", *arguments, typed=typed)


def facts(*arguments: str) -> dict[str, Any]:
    result = init("--json", *arguments)
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.output)
    return answer


def rows() -> DirectoryRows:
    async def read() -> DirectoryRows:
        store = await open_store(f"sqlite+aiosqlite:///{Path.cwd()}/c2c.db")
        try:
            return await store.directory()
        finally:
            await store.close()

    return asyncio.run(read())


def config() -> Config:
    return load(Path("c2c.toml"), {})


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- a first run ---


def test_init_makes_configuration_database_platform_and_a_key_that_is_kept_as_a_digest_only(folder: Path) -> None:
    made = facts(*ARI)

    assert left_behind(folder) == ["c2c.db", "c2c.toml"]
    assert keys.well_formed(made["key"])
    there = rows()
    assert [platform.id for platform in there.platforms] == [made["platform_id"]]
    assert [key.digest for key in there.keys] == [keys.digest(made["key"])]
    assert made["created"] == ["platform", "key"]
    assert made["key"].encode() not in Path("c2c.db").read_bytes()


def test_the_written_file_is_the_owners_alone_and_says_what_the_options_said() -> None:
    facts(*ARI, "--listen", "127.0.0.1:9", "--ari-url", "http://pbx:8089/", "--ari-username", "u", "--trunk", "carrier")

    assert stat.S_IMODE(Path("c2c.toml").stat().st_mode) == 0o600
    written = config()
    assert (str(written.http.listen), written.ari.url, written.ari.username) == ("127.0.0.1:9", "http://pbx:8089", "u")
    assert written.ari.password == "of-asterisk"
    assert [trunk.endpoint for trunk in written.trunks] == ["PJSIP/{number}@carrier"]


def test_without_options_the_file_fits_the_shipped_configuration_of_asterisk() -> None:
    facts(*ARI)

    assert config().ari.username == "c2c-stasis"
    assert "[c2c-stasis]" in (Path(__file__).parents[1] / "asterisk/etc/ari.conf").read_text()
    assert config().trunks == ()


def test_the_database_is_beside_the_configuration_wherever_the_service_is_started(folder: Path) -> None:
    Path("sub").mkdir()
    made = facts(*ARI, "-c", "sub/other.toml")

    assert made["database_url"] == f"sqlite+aiosqlite:///{folder}/sub/c2c.db"
    assert left_behind(folder / "sub") == ["c2c.db", "other.toml"]


def test_one_run_goes_from_nothing_to_a_user_who_can_be_called() -> None:
    made = facts(*ARI, *ALICE, "--region", "GB", "--caller-number", "+442079460018")

    there = rows()
    (account,), (user,), (number,) = there.accounts, there.users, there.numbers
    assert (account.id, account.name, account.region, account.caller_number_id) == (
        made["account_id"],
        "Acme",
        "GB",
        number.id,
    )
    assert (user.id, user.name, user.account_id) == (made["user_id"], "Alice", account.id)
    assert {device.endpoint: device.id for device in there.devices} == made["device_ids"]
    assert list(made["device_ids"]) == ["desk", "mobile"]
    assert [(extension.number, extension.user_id) for extension in there.extensions] == [("1001", user.id)]


def test_what_is_printed_can_be_pasted_and_holds_every_id() -> None:
    result = init(*ARI, *ALICE)

    there = rows()
    _, _, curl = result.output.partition("The same over HTTP:\n")
    words = subprocess.run(
        ["bash", "-c", f"curl() {{ printf '%s\\n' \"$@\"; }}; {curl}"], capture_output=True, text=True
    )
    assert words.stdout.splitlines()[:4] == ["-i", "-X", "POST", "http://127.0.0.1:8080/v1/calls"]
    assert f"DialStack-Account: {there.accounts[0].id}" in words.stdout
    body = json.loads(words.stdout.partition("-d\n")[2])
    assert body == {"user_id": there.users[0].id, "dial_string": "+15551234567"}
    key = words.stdout.partition("Bearer ")[2].split()[0]
    assert [one.digest for one in there.keys] == [keys.digest(key)]


def test_a_printed_command_calls_the_program_as_it_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    for package, named in ((c2c_stasis, f"{shlex.quote(sys.executable)} -m c2c_stasis"), (pytest, "c2c-stasis")):
        monkeypatch.setattr(sys, "argv", [str(Path(package.__file__ or "").with_name("__main__.py"))])
        assert program() == named


def test_the_call_by_command_line_is_printed_with_the_key_and_whoever_it_is_for() -> None:
    result = init(*ARI, *ALICE)

    call = result.output.partition("Then place a call, in another terminal:\n")[2].splitlines()[:2]
    key = call[0].removeprefix("  export C2C_API_KEY=")
    assert [one.digest for one in rows().keys] == [keys.digest(key)]
    assert call[1] == "  c2c-stasis call -c c2c.toml Alice +15551234567"
    again = init("--account", "Other", "--user", "Al O'Hara", "--device", "third")
    other = next(account for account in rows().accounts if account.name == "Other")
    call = again.output.partition("Then place a call, in another terminal:\n")[2].splitlines()[:2]
    assert call == [
        "  export C2C_API_KEY=sk_live_YOUR_SECRET_KEY",
        f"  c2c-stasis call -c c2c.toml --account {other.id} 'Al O'\"'\"'Hara' +15551234567",
    ]


def test_that_calls_will_show_no_number_is_said_until_there_is_one() -> None:
    told = "number    none: calls go out anonymous, emergency calls too; --caller-number +NUMBER changes that"
    assert told in init(*ARI, *ALICE, "--trunk", "carrier").output
    assert told not in init("--caller-number", "+12025550142").output
    assert told not in init("--user", "Alice").output


def test_what_is_printed_to_be_run_next_runs_from_where_init_was_called(folder: Path) -> None:
    (folder / "venv/bin").mkdir(parents=True)
    program = folder / "venv/bin/c2c-stasis"
    program.symlink_to(Path(sys.executable).with_name("c2c-stasis"))

    def story(called: str, path: str = "/usr/bin:/bin") -> str:
        environment = {"PATH": path, "HOME": str(folder), "C2C_ARI__PASSWORD": "x"}
        done = subprocess.run([called, "init"], capture_output=True, text=True, check=True, env=environment)
        return done.stdout

    assert "  venv/bin/c2c-stasis doctor -c c2c.toml\n" in story("venv/bin/c2c-stasis")
    assert "  venv/bin/c2c-stasis serve -c c2c.toml\n" in story("venv/bin/c2c-stasis")
    assert "\n  c2c-stasis serve -c c2c.toml\n" in story("c2c-stasis", f"{program.parent}:/usr/bin:/bin")


def test_a_user_without_devices_is_told_of_in_place_of_a_call_that_cannot_ring() -> None:
    result = init(*ARI, "--account", "Acme", "--user", "Eve")

    assert "Eve has no device yet: add --device ENDPOINT" in result.output
    assert "curl" not in result.output
    assert "curl" in init("--user", "Eve", "--device", "eve").output
    assert "curl" in init("--user", "Eve").output


def test_the_only_account_and_its_only_user_are_in_the_curl_whatever_was_asked_for() -> None:
    made = facts(*ARI, *ALICE)

    again = facts("--new-key")

    assert (again["account_id"], again["user_id"]) == (made["account_id"], made["user_id"])
    assert made["account_id"] in again["curl"]
    assert made["user_id"] in again["curl"]
    assert again["key"] in again["curl"]
    assert again["created"] == ["key"]


def test_a_caller_number_that_replaces_another_says_so() -> None:
    facts(*ARI, *ALICE, "--caller-number", "+12025550142")

    result = init("--caller-number", "+12025550143")

    assert "+12025550143  shown to those called by Acme, replaces +12025550142, new" in result.output


def test_the_example_of_the_help_works() -> None:
    shown = run("init", "--help").output
    example = shown.partition("A first run beside your own Asterisk:")[2].partition("\n\n")[0]
    words = example.replace("\\", " ").split()

    assert words[:2] == ["c2c-stasis", "init"]
    facts(*ARI, *words[2:])


def test_a_configuration_that_the_environment_names_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2C_CONFIG", "other.toml")

    assert "using other.toml (C2C_CONFIG)" in init(*ARI).stderr
    assert "using" not in init(*ARI, "-c", "c2c.toml").stderr
    Path("other.toml").write_text("[ari]\n")
    assert "using other.toml (C2C_CONFIG)" in run("serve").stderr


# --- the password ---


def test_the_password_may_be_that_of_asterisk_itself(folder: Path) -> None:
    (folder / "ari-password.conf").write_text("; made once\npassword = from-asterisk\n")

    assert run("init", "--asterisk-etc", str(folder)).exit_code == 0
    assert config().ari.password == "from-asterisk"


def test_the_password_may_come_on_standard_input() -> None:
    assert init("--ari-password", "-", typed="piped\n").exit_code == 0
    assert config().ari.password == "piped"


def test_a_password_of_the_environment_is_used_and_not_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2C_ARI__PASSWORD", "from-environment")

    result = init()
    assert result.exit_code == 0
    assert config_under_the_environment().ari.password == "from-environment"
    assert "from-environment" not in Path("c2c.toml").read_text()
    assert result.output.splitlines()[0] == (
        "c2c.toml: written; the ARI password is not in it, but in C2C_ARI__PASSWORD: the service needs that too"
    )
    assert "count before the file" not in result.output


def test_what_the_environment_configures_is_written_down_and_named_but_for_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("C2C_ARI__PASSWORD", "x")
    monkeypatch.setenv("C2C_ARI__URL", "http://127.0.0.1:18088")
    monkeypatch.setenv("C2C_ARI__APP", "mine")
    monkeypatch.setenv("C2C_TRUNKS__0__ENDPOINT", "PJSIP/{number}@lab")

    result = init()

    written = load(Path("c2c.toml"), {"C2C_ARI__PASSWORD": "x"})
    assert (written.ari.url, written.ari.app) == ("http://127.0.0.1:18088", "mine")
    assert [trunk.endpoint for trunk in written.trunks] == ["PJSIP/{number}@lab"]
    named = "count before the file: C2C_ARI__APP, C2C_ARI__URL, C2C_TRUNKS__0__ENDPOINT\n"
    assert named in result.output
    assert named in init("--user", "Eve", "--account", "Acme").output.replace("C2C_ARI__PASSWORD, ", "", 1)


def test_an_option_is_what_is_written_and_the_variable_that_beats_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C2C_ARI__PASSWORD", "of-the-environment")

    result = init(*ARI)

    assert "written; it holds the ARI password" in result.output
    assert "while they are set, these count before the file: C2C_ARI__PASSWORD\n" in result.output
    assert config().ari.password == "of-asterisk"


def config_under_the_environment() -> Config:
    return load(Path("c2c.toml"), os.environ)


def test_without_a_password_and_nobody_to_ask_nothing_is_made(folder: Path) -> None:
    result = init()

    assert result.exit_code == USAGE
    assert "--ari-password" in result.output
    assert left_behind(folder) == []


# --- a second run ---


def test_the_same_command_again_changes_nothing_and_makes_no_second_key() -> None:
    first = facts(*ARI, *ALICE, "--caller-number", "+12025550142")
    before = rows(), Path("c2c.toml").read_bytes()

    again = facts(*ARI, *ALICE, "--caller-number", "+12025550142")

    assert (rows(), Path("c2c.toml").read_bytes()) == before
    assert (again["key"], again["created"], again["config_written"]) == (None, [], False)
    same = ("platform_id", "account_id", "user_id", "device_ids", "extension", "caller_number")
    assert [again[name] for name in same] == [first[name] for name in same]


def test_another_user_is_added_to_the_only_account() -> None:
    first = facts(*ARI, *ALICE)

    second = facts("--user", "Bob", "--device", "bob", "--extension", "1002")

    assert second["account_id"] == first["account_id"]
    assert second["created"] == ["user", "device bob", "extension"]
    assert [user.name for user in rows().users] == ["Alice", "Bob"]


def test_a_lost_key_is_replaced_by_one_more() -> None:
    first = facts(*ARI)

    second = facts("--new-key")

    assert second["created"] == ["key"]
    assert {key.digest for key in rows().keys} == {keys.digest(first["key"]), keys.digest(second["key"])}


def test_a_run_that_was_interrupted_before_the_key_is_completed_by_the_same_command() -> None:
    async def interrupted() -> None:
        store = await open_store(f"sqlite+aiosqlite:///{Path.cwd()}/c2c.db", migrate=True)
        await store.create_platform("default")
        await store.close()

    asyncio.run(interrupted())

    made = facts(*ARI, *ALICE)

    assert len(rows().platforms) == 1
    assert keys.well_formed(made["key"])


def test_the_file_is_not_overwritten_unless_told() -> None:
    facts(*ARI)
    before = Path("c2c.toml").read_bytes()

    refused = init("--ari-password", "another", "--listen", "127.0.0.1:9")
    assert refused.exit_code == USAGE
    assert "--listen, --ari-password" in refused.output
    assert "--force" in refused.output
    assert Path("c2c.toml").read_bytes() == before

    facts("--force", "--ari-password", "another")
    assert config().ari.password == "another"
    assert len(rows().platforms) == 1


def test_a_file_that_is_wrong_is_not_worked_with() -> None:
    Path("c2c.toml").write_text("[ari]\npasword = 'x'\n")

    result = init("--user", "Alice")

    assert result.exit_code == EX_CONFIG
    assert "pasword" in result.output
    assert not Path("c2c.db").exists()


# --- what is refused ---


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--user", "Alice"), "--account"),
        (("--account", "Acme", "--device", "desk"), "--user"),
        (("--region", "GB"), "--account"),
        (("--account", "Acme", "--region", "uk"), "--region"),
        (("--account", "Acme", "--timezone", "Mars/Base"), "--timezone"),
        (("--account", "Acme", "--extension-length", "9"), "--extension-length"),
        (("--account", "acct_01h2xcejqtf2nbrexx3vqjhp41"), "there is no acct_01h2xcejqtf2nbrexx3vqjhp41"),
        (("--account", "Acme", "--user", "A", "--device", "a/b"), "--device"),
        (("--account", "Acme", "--user", "A", "--extension", "12"), "--extension"),
        (("--account", "Acme", "--user", "A", "--extension-length", "3", "--extension", "911"), "emergency number"),
        (("--account", "Acme", "--user", "A", "--region", "GB", "--extension", "9999"), "outside line and 999"),
        (("--account", "Acme", "--caller-number", "5551234567"), "--caller-number"),
        (("--account", "Acme", "--caller-number", "+15550100"), "--caller-number is no possible telephone number"),
        (("--listen", "nowhere"), "--listen"),
        (("--trunk", "PJSIP/carrier"), "--trunk"),
        (("--ari-url", "localhost"), "--ari-url"),
        (("-c", "no-folder/c2c.toml"), "no-folder"),
    ],
)
def test_what_is_refused_is_named_and_leaves_nothing_behind(
    folder: Path, arguments: tuple[str, ...], told: str
) -> None:
    result = init(*ARI, *arguments)

    assert result.exit_code == USAGE
    assert told in result.output
    assert left_behind(folder) == []


def test_everything_that_is_wrong_is_said_at_once() -> None:
    result = init(
        *ARI, "--account", "Acme", "--region", "xx", "--user", "A", "--device", "a b", "--caller-number", "12"
    )

    for option in ("--region", "--device", "--caller-number"):
        assert option in result.output


@pytest.mark.parametrize("there", [False, True], ids=["new", "again"])
def test_the_endpoint_of_a_trunk_is_nobodys_device(folder: Path, there: bool) -> None:
    if there:
        facts(*ARI, "--trunk", "carrier")

    result = init(*(() if there else (*ARI, "--trunk", "carrier")), *ALICE[:-4], "--device", "carrier")

    assert result.exit_code == USAGE
    assert "--device: carrier is the endpoint of a trunk" in result.output
    assert (folder / "c2c.toml").exists() is there
    assert not there or rows().devices == ()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--account", "Acme", "--region", "GB"), "has US already"),
        (("--user", "Bob", "--device", "desk"), "desk rings for Alice (user_"),
        (("--user", "Bob", "--extension", "1001"), "1001 leads to Alice (user_"),
        (("--account", "Other", "--caller-number", "+12025550142"), "belongs to account Acme (acct_"),
        (("--platform", "second"), "the first platform only"),
    ],
)
def test_what_contradicts_the_directory_is_refused_and_changes_nothing(arguments: tuple[str, ...], told: str) -> None:
    facts(*ARI, *ALICE, "--caller-number", "+12025550142")
    before = rows()

    result = init(*arguments)

    assert result.exit_code == USAGE
    assert told in result.output
    assert rows() == before


def test_of_two_with_the_same_name_the_id_is_asked_for() -> None:
    made = facts(*ARI, *ALICE)

    async def namesake() -> None:
        store = await open_store(made["database_url"])
        await store.create_user(made["account_id"], "Alice")
        await store.close()

    asyncio.run(namesake())

    assert "Give the id" in init("--user", "Alice", "--device", "third").output
    assert facts("--user", made["user_id"], "--device", "third")["created"] == ["device third"]


# --- how commands end ---


def test_help_is_shown_whole_and_nothing_heavy_is_read_for_it() -> None:
    for group in ((), ("lab",), ("trunks",), ("devices",)):
        assert "..." not in run(*group, "--help").output.partition("Commands:")[2]
    loaded = "import sys, c2c_stasis.cli; print([name for name in ('sqlalchemy', 'alembic', 'aiohttp') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_taken_port_is_told_with_what_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        facts(*ARI, "--listen", address)

        result = run("serve")

    assert result.exit_code == EX_UNAVAILABLE
    assert f"{address} is taken by another program: change [http] listen in c2c.toml" in result.stderr


def test_of_two_listeners_the_one_whose_port_is_taken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    facts(*ARI, "--listen", "127.0.0.1:0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("C2C_METRICS__LISTEN", address)

        result = run("serve")

    assert result.exit_code == EX_UNAVAILABLE
    assert f"{address} is taken by another program: change [metrics] listen in c2c.toml" in result.stderr


@pytest.mark.parametrize(
    "interrupted",
    [
        "sys.meta_path.insert(0, type('Importer', (), {'find_spec': interrupt}))",  # as the program reads its parts
        "import c2c_stasis.cli.reporting as parts; parts.load = interrupt",  # as it works
    ],
)
def test_an_interrupted_command_ends_silently(interrupted: str) -> None:
    program = f"""
import sys
import time
from c2c_stasis.__main__ import run

def interrupt(*_args, **_kwargs):
    raise KeyboardInterrupt

{interrupted}
sys.argv = ["c2c-stasis", "serve"]
run()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_wrong_configuration_ends_with_its_own_status_and_all_that_is_wrong() -> None:
    Path("c2c.toml").write_text("[http]\nlisten = 5\n[calls]\nring_timeout = 0\n")

    result = run("serve")

    assert result.exit_code == EX_CONFIG
    assert {line.partition(" ")[0] for line in result.output.splitlines()} == {
        "c2c.toml:",  # the password is missing
        "c2c.toml:2:",
        "c2c.toml:4:",
    }


def test_a_missing_database_is_something_unavailable_and_init_is_named() -> None:
    facts(*ARI)
    Path("c2c.db").unlink()

    result = run("serve")

    assert result.exit_code == EX_UNAVAILABLE
    assert "c2c-stasis init" in result.output


def test_a_database_that_a_service_has_is_something_unavailable_and_the_fix_is_named() -> None:
    facts(*ARI)

    with served("sqlite:///c2c.db"):
        result = run("serve")

    assert result.exit_code == EX_UNAVAILABLE
    assert "a running service has this database; stop that service, or use a database of its own" in result.output


def test_who_is_displaced_ends_with_a_status_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async def displaced(*_: object) -> None:
        raise AppTaken("c2c-stasis")

    facts(*ARI)
    monkeypatch.setattr("c2c_stasis.app.serve", displaced)

    result = run("serve")

    assert result.exit_code == EX_TAKEN == 75
    assert "give each its own [ari] app" in result.output


def test_migrate_makes_the_tables_of_this_version() -> None:
    facts(*ARI)
    Path("c2c.db").unlink()

    assert run("migrate").exit_code == 0
    assert rows() == DirectoryRows()


def test_help_tells_the_exit_statuses_and_the_module_is_the_command() -> None:
    shown = subprocess.run([sys.executable, "-m", "c2c_stasis", "--help"], capture_output=True, text=True, check=True)

    assert shown.stdout.startswith("Usage: c2c-stasis ")
    for status in (f"{EX_UNAVAILABLE}  ", f"{EX_TAKEN}  ", f"{EX_CONFIG}  "):
        assert status in shown.stdout
    assert run("--version").output.startswith("c2c-stasis, version ")


def test_a_reload_that_comes_too_early_does_not_end_the_service(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    with subprocess.Popen(
        [sys.executable, "-m", "c2c_stasis", "serve", "-c", str(missing)], stderr=subprocess.PIPE
    ) as service:
        while service.poll() is None and not _ignores(service.pid, signal.SIGHUP):
            time.sleep(0.001)
        service.send_signal(signal.SIGHUP)  # it still reads its own parts
        _, said = service.communicate(timeout=30)
    assert (service.returncode, said.decode()[: len(str(missing))]) == (EX_CONFIG, str(missing))


def _ignores(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    (ignored,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")]
    return bool(int(ignored, 16) >> number - 1 & 1)
