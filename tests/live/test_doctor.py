"""On an installation that is well, with one fault at a time: the doctor names that fault and no other."""

import asyncio
import json
import os
import shutil
import socket
import sqlite3
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from c2c_stasis.app import App
from c2c_stasis.ari.connection import Connection
from c2c_stasis.ari.inspector import Inspector
from c2c_stasis.config import (
    AccountLimits,
    Address,
    Config,
    Database,
    Http,
    MetricsAt,
    Policy,
    RouteRule,
    Sip,
    Trunk,
    Words,
)
from c2c_stasis.directory.model import BROWSER_PHONE, SIP_PHONE
from c2c_stasis.directory.sip_account import Registrant, SipAccount, new_account, new_username
from c2c_stasis.doctor.advisories import Advisory
from c2c_stasis.doctor.checks import tones, version
from c2c_stasis.doctor.checks.dial_plan import examples
from c2c_stasis.doctor.examination import Report
from c2c_stasis.doctor.findings import Level, Status
from c2c_stasis.doctor.trunk_report import look_at_trunks
from c2c_stasis.lab.configuration import TrunkAccount
from c2c_stasis.lab.phone import RINGS, Phone
from c2c_stasis.lab.ports import free_ports
from c2c_stasis.store.ownership import served
from c2c_stasis.store.sql_store import open_store
from tests.contract.benches import Ear
from tests.live.clinic import (
    DESK,
    HELP,
    MOBILE,
    PASSWORD,
    READER,
    STRANGER,
    TRUNK,
    Clinic,
    commanded,
    pretending,
    registered,
)
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story
from tests.live.test_asterisk import alarms
from tests.live.waiting import eventually, until
from tests.surface.test_tls import certify

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]  # the first run on a machine fetches 80 MB

NOBODY = 65_534


@pytest.fixture(scope="module")
async def well(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clinic]:
    """An installation without a fault: its carrier answers, one of two devices is registered."""
    carrier = await Phone.start("carrier")
    folder = tmp_path_factory.mktemp("well")
    async with Clinic.open(folder, carrier.address, lambda clinic: None) as clinic, registered(clinic, DESK):
        await eventually(clinic.examined, _all_is_well, "all to be well")
        yield clinic
    await carrier.stop()


@pytest.fixture(autouse=True)
def own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that knows its own name, as the laboratory's Asterisk has one where this machine does not."""
    monkeypatch.setattr(socket, "gethostname", lambda: "127.0.0.1")


def _all_is_well(report: Report) -> bool:
    return {finding.level for _, finding in report.findings} == {Level.OK}


@asynccontextmanager
async def another_server() -> AsyncIterator[int]:
    """A web server that knows nothing of us; gives its port."""
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


# --- all is well ---


async def test_on_a_well_installation_every_check_is_made_and_all_is_well(well: Clinic) -> None:
    report = await well.examined()

    assert _all_is_well(report), report
    assert report.status is Status.WELL


async def test_the_doctor_leaves_no_channel_and_no_application(well: Clinic) -> None:
    await well.examined()

    assert await well.asterisk.channels() == []
    # It ends with its event stream, some milliseconds after that is closed.
    await eventually(lambda: well.asterisk.cli("ari show apps"), lambda apps: "doctor" not in apps, "its end")


async def test_the_doctor_raises_no_alarm_in_asterisks_log(well: Clinic) -> None:
    before = alarms(well.asterisk.log_path)

    await well.examined()

    assert alarms(well.asterisk.log_path) == before


async def test_without_a_module_that_only_the_doctor_needs_it_says_what_it_cannot_see(well: Clinic) -> None:
    for module, check in (
        ("func_config.so", "http sessions"),
        ("func_dialplan.so", "dial plan"),
        ("func_pjsip_aor.so", "trunks"),
    ):
        await well.asterisk.cli(f"module unload {module}")
        report = await well.examined()
        await well.asterisk.cli(f"module load {module}")

        assert report.codes == []
        (finding,) = report.of(check)
        assert finding.level is Level.UNSEEN
        assert module in finding.fix


async def every_account_is_prepared(story: Story) -> None:
    """Each shows a number, and an emergency call would lack nothing."""
    rows, store = await story.store.directory(), story.store
    for suffix, account in enumerate(rows.accounts, start=100):
        number = await store.create_phone_number(account.id, f"+12025550{suffix}")
        await store.set_account_caller_number(account.id, number.id)
        address = {"street": "Main Street", "city": "Springfield", "country": "US"}
        place = await store.create_location(account.id, "Head office", address)
        for user in rows.users:
            await store.update_user(account.id, user.id, {"location_id": place.id})
        await store.create_webhook_endpoint(
            account.id, "https://alarm.invalid/", livemode=True, events=["call.emergency"], description="Reception"
        )
    story.trunks = (*story.trunks, HELP)


async def test_beside_a_running_service_with_a_live_call_the_doctor_disturbs_nothing(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    idle = await story.phone(RINGS)
    alice, _ = await story.user(desk), await story.user(idle, name="Bob")
    await every_account_is_prepared(story)
    number = story.destination(replace(TALKS_BRIEFLY, hang_up_after=None))
    await story.open()
    assert story.app is not None
    call = await story.place(alice, number)
    await call.reached("talking")
    address = Address("127.0.0.1", int(story.app.url.rpartition(":")[2]))
    heard = len(desk.messages), len(idle.messages)

    report = await Clinic(story.town.asterisk, story.folder).examined(
        replace(story.config(None), http=Http(address), database=Database(story.database_url))
    )

    assert report.codes == []
    assert [finding.fact for finding in report.of("port")] == [f"the service itself is running at {address}"]
    assert [finding.fact for finding in report.of("application")] == ["c2c-stasis belongs to the running service"]
    assert (len(desk.messages), len(idle.messages)) == heard
    assert not story.app.lost.done()
    assert (await call.record())["state"] == "talking"
    await call.cancel()
    second = await story.place(alice, story.destination(TALKS_BRIEFLY))
    assert (await story.ended(second))["outcome"] == "completed"


async def test_calls_that_a_dead_service_left_are_not_taken_for_another_service(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    await every_account_is_prepared(story)
    number = story.destination(replace(TALKS_BRIEFLY, hang_up_after=None))
    service = await story.open_process()
    call = await story.place(alice, number)
    await call.reached("talking")
    await service.kill()
    config = replace(story.config(None), http=Http(Address("127.0.0.1", free_ports().http)))

    report = await Clinic(story.town.asterisk, story.folder).examined(config)

    assert report.codes == []
    assert [finding.level for finding in report.of("application")] == [Level.UNSEEN]
    await story.start_process()
    await call.cancel()


async def test_another_service_with_our_application_name_and_a_live_call(story: Story) -> None:
    desk = await story.phone(ANSWERS_SOON)
    alice = await story.user(desk)
    number = story.destination(replace(TALKS_BRIEFLY, hang_up_after=None))
    await story.open_process()
    call = await story.place(alice, number)
    await call.reached("talking")
    clinic = Clinic(story.town.asterisk, story.folder)
    config = replace(
        story.config(None),
        http=Http(Address("127.0.0.1", free_ports().http)),
        database=await clinic.directory(story.folder / "second.db", [desk.name]),
    )

    report = await clinic.examined(config)

    assert "app_taken" in report.codes
    (finding,) = report.of("application")
    assert finding.fact.endswith("has calls that our database does not know, 1 of them")
    await call.cancel()


async def test_the_command_says_it_for_people_and_for_programs(well: Clinic, tmp_path: Path) -> None:
    ghostly = replace(well.config, trunks=(replace(TRUNK, endpoint="PJSIP/{number}@ghost"), HELP))

    # On a machine that does not know its own name that is a fault too, and not the one this is about.
    machine = ("--ignore", "host_name_slow", "--ignore", "host_name_unknown")
    status, text = await commanded("doctor", "--json", *machine, config=ghostly, folder=tmp_path)

    told = json.loads(text)
    (fault,) = [finding for finding in told["findings"] if finding["code"]]
    assert (status, told["exit_status"], fault["exit_status"]) == (78, 78, 78)
    assert (fault["check"], fault["level"], fault["code"]) == ("trunks", "error", "trunk_unknown")
    assert "[[trunks]]" in fault["fix"]
    assert well.config.ari.password not in text

    status, text = await commanded("doctor", "--ignore", "trunk_unknown", *machine, config=ghostly, folder=tmp_path)
    assert status == 0, text
    assert "not seen: exit status 0" in text


# --- Asterisk ---


async def test_an_asterisk_that_is_not_there(well: Clinic) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        report = await well.examined(well.with_ari(url=f"http://127.0.0.1:{closed.getsockname()[1]}"))

    assert (report.codes, report.status) == (["ari_unreachable"], Status.UNAVAILABLE)
    assert {finding.fact for finding in report.of("version")} == {"Asterisk cannot be asked"}
    assert [finding.level for finding in report.of("database")] == [Level.OK]


async def test_an_asterisk_that_does_not_answer(well: Clinic) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        report = await well.examined(well.with_ari(url=url, request_timeout=0.2))

    assert report.codes == ["ari_unreachable"]


async def test_something_else_where_asterisk_should_be(well: Clinic) -> None:
    async with another_server() as port:
        report = await well.examined(well.with_ari(url=f"http://127.0.0.1:{port}"))

    assert report.codes == ["ari_missing"]


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [
        ("c2c-stasis", "wrong", "ari_password"),
        ("no-such-user", PASSWORD, "ari_password"),
        (STRANGER, PASSWORD, "ari_refused"),
        (READER, PASSWORD, "ari_read_only"),
    ],
)
async def test_a_user_who_may_not(well: Clinic, username: str, password: str, code: str) -> None:
    report = await well.examined(well.with_ari(username=username, password=password))

    assert (report.codes, report.status) == ([code], Status.CONFIG)
    assert [finding.level for finding in report.of("tones")] == [Level.SKIPPED]


@pytest.mark.parametrize("release", [b"22.10.0", b"21.12.3", b"20.20.1", b"23.04.0"])
async def test_an_asterisk_that_is_too_old(well: Clinic, release: bytes) -> None:
    async with pretending(well.config.ari.url, b"22.10.1", release) as url:
        report = await well.examined(well.with_ari(url=url))

    assert report.codes == ["version_too_old"]
    (finding,) = report.of("version")
    assert ("GHSA-wcvv-g26m-wx5c" in finding.fact) is (release in (b"22.10.0", b"23.04.0"))


async def test_an_advisory_that_comes_after_the_floor(well: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    later = Advisory("GHSA-of-tomorrow", "something new", ((22, 11, 1), (23, 5, 1)))
    monkeypatch.setattr(version, "affecting", lambda release: [later] if later.affects(release) else [])

    report = await well.examined()

    assert report.codes == ["version_advisories"]
    assert "GHSA-of-tomorrow" in report.of("version")[0].fact


async def test_a_clock_that_differs(well: Clinic) -> None:
    for seconds, word in ((10, "behind"), (-10, "ahead")):
        report = await well.examined(now=lambda by=seconds: time.time() + by)

        assert (report.codes, report.status) == (["clock_skew"], Status.WARNING)
        assert word in report.of("clock")[0].fact


async def test_an_account_of_a_country_without_tones(well: Clinic, tmp_path: Path) -> None:
    database = await well.directory(tmp_path / "iceland.db", [DESK.name], region="IS")

    report = await well.examined(replace(well.config, database=database))

    assert report.codes == ["indications_region"]
    assert report.of("tones") == [tones.OF_REGION.found("no tones for IS; its users hear those of US")]


# --- this machine ---


async def test_a_look_up_of_the_own_name_that_hangs(well: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    done, look_up = threading.Event(), socket.getaddrinfo

    def hanging(name: str, *rest: Any, **more: Any) -> Any:
        if name == "unheard-of":
            done.wait(20)
        return look_up("127.0.0.1" if name == "unheard-of" else name, *rest, **more)

    monkeypatch.setattr(socket, "gethostname", lambda: "unheard-of")
    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    report = await well.examined()
    done.set()

    assert (report.codes, report.status) == (["host_name_slow"], Status.CONFIG)


async def test_an_own_name_that_nobody_knows(well: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def unknown(name: str, *rest: Any, **more: Any) -> Any:
        if name == "unheard-of":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(name, *rest, **more)

    monkeypatch.setattr(socket, "gethostname", lambda: "unheard-of")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    assert (await well.examined()).codes == ["host_name_unknown"]


async def test_a_port_that_another_program_has(well: Clinic) -> None:
    async with another_server() as port:
        report = await well.examined(replace(well.config, http=Http(Address("127.0.0.1", port))))

    assert (report.codes, report.status) == (["port_taken"], Status.UNAVAILABLE)


async def test_a_port_of_the_figures_that_another_program_has(well: Clinic) -> None:
    async with another_server() as port:
        report = await well.examined(replace(well.config, metrics=MetricsAt(f"127.0.0.1:{port}")))

    assert (report.codes, report.status) == (["port_taken"], Status.UNAVAILABLE)
    assert f"127.0.0.1:{port} ([metrics] listen)" in report.of("port")[1].fact


async def test_an_address_of_another_machine(well: Clinic) -> None:
    report = await well.examined(replace(well.config, http=Http(Address("192.0.2.1", 8080))))

    assert (report.codes, report.status) == (["listen_impossible"], Status.CONFIG)


async def test_a_database_that_a_service_somewhere_else_has(well: Clinic) -> None:
    with served(well.config.database.url):
        report = await well.examined()

    assert (report.codes, report.status) == (["database_served"], Status.UNAVAILABLE)


@pytest.mark.parametrize("folder", ["/proc/nope", "/dev/null"])
async def test_a_log_that_cannot_be_written(well: Clinic, folder: str) -> None:
    report = await well.examined(well.with_ari(log=folder))

    assert (report.codes, report.status) == (["ari_log_not_writable"], Status.WARNING)


async def test_of_a_log_that_can_be_written_nothing_is_made(well: Clinic, tmp_path: Path) -> None:
    report = await well.examined(well.with_ari(log=str(tmp_path / "new" / "log")))

    assert _all_is_well(report), report
    assert os.listdir(tmp_path) == []


# --- the certificate of our own HTTPS ---


def _secured(well: Clinic, folder: Path, days: int = 90, *, mode: int = 0o600, key: bytes | None = None) -> Config:
    """The configuration with a certificate that counts for so many days from now; fewer than none: it expired then."""
    certificate, private = certify(folder, days=max(days, 1))
    if days < 0:
        certificate.write_bytes(_expired(private.read_bytes(), days))
    private.chmod(mode)
    if key is not None:
        private.write_bytes(key)
    return replace(well.config, http=replace(well.config.http, tls_certificate=str(certificate), tls_key=str(private)))


def _expired(key: bytes, days: int) -> bytes:
    """What no openssl before 3.4 makes."""
    private = load_pem_private_key(key, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now + timedelta(days=days - 90)).not_valid_after(now + timedelta(days=days))
    return made.sign(private, hashes.SHA256()).public_bytes(Encoding.PEM)


async def test_a_certificate_that_is_well(well: Clinic, tmp_path: Path) -> None:
    report = await well.examined(_secured(well, tmp_path))

    (finding,) = report.of("certificate")
    assert (report.codes, finding.fact.endswith("counts for 90 days more")) == ([], True), finding


async def test_a_certificate_that_should_have_been_renewed(well: Clinic, tmp_path: Path) -> None:
    report = await well.examined(_secured(well, tmp_path, 5))
    assert (report.codes, report.status) == (["certificate_expires_soon"], Status.WARNING)

    report = await well.examined(_secured(well, tmp_path, -1))
    assert (report.codes, report.status) == (["certificate_expired"], Status.UNAVAILABLE)


async def test_a_certificate_that_cannot_be_used(well: Clinic, tmp_path: Path) -> None:
    report = await well.examined(_secured(well, tmp_path, key=b"nonsense"))
    assert (report.codes, report.status) == (["certificate_unusable"], Status.CONFIG)


async def test_a_key_that_everybody_can_read(well: Clinic, tmp_path: Path) -> None:
    report = await well.examined(_secured(well, tmp_path, mode=0o644))
    assert (report.codes, report.status) == (["certificate_key_readable"], Status.WARNING)


# --- other services ---


async def test_another_service_with_our_application_name(well: Clinic, tmp_path: Path) -> None:
    database = await well.directory(tmp_path / "other.db", [MOBILE.name])
    other = replace(well.config, database=database, http=Http(Address("127.0.0.1", 0)))
    async with App(other) as app:
        await eventually(app.service.readiness, lambda parts: parts["asterisk"] == "ok", "the other service")

        report = await well.examined()
        assert (report.codes, report.status) == (["app_taken"], Status.CONFIG)

        theirs = Http(Address("127.0.0.1", int(app.url.rpartition(":")[2])))
        report = await well.examined(replace(well.config, http=theirs))
        assert set(report.codes) == {"port_taken", "app_taken"}, "as two first installs"

        report = await well.examined(replace(well.with_ari(app="mine"), http=theirs))
        assert report.codes == ["port_taken"]

        report = await well.examined(replace(other, http=Http(theirs.listen), ari=replace(other.ari, app="mine")))
        assert "app_taken" in report.codes, "it serves our database, and not as the application that is configured"

        assert not app.lost.done(), "the other service was displaced"


# --- dial plans ---

OUTWARD = (
    *("_X.", "_+X.", "_00.", "_011X.", "_1NXXNXXXXXX", "_NXXNXXXXXX", "_NXXXXXX"),
    *("_9X.", "_9NXXXXXX", "_9011.", "_91NXXNXXXXXX", "_8X.", "_810.", "_7XXXXXX.", "_0X.", "_*9X."),
)


@pytest.mark.parametrize("pattern", OUTWARD)
async def test_the_usual_patterns_of_a_way_out_are_seen(dialplans: Inspector, pattern: str) -> None:
    async with dialplans.helper() as helper:
        led = [await helper.read(f"DIALPLAN_EXISTS(way-{OUTWARD.index(pattern)},{one},1)") for one in examples({"US"})]
    assert "1" in led


@pytest.fixture(scope="module")
async def dialplans(well: Clinic) -> AsyncIterator[Inspector]:
    """A way out in each of several contexts."""
    text = "".join(f"\n[way-{i}]\nexten => {pattern},1,Hangup()\n" for i, pattern in enumerate(OUTWARD))
    well.change("extensions.conf", r"\Z", text)
    await well.asterisk.cli("dialplan reload")
    inspector = Inspector(well.config.ari.url, well.config.ari.username, well.config.ari.password, timeout=3.0)
    yield inspector
    await inspector.close()


# --- directory and trunks ---


async def test_no_trunk(well: Clinic) -> None:
    report = await well.examined(replace(well.config, trunks=()))

    assert (report.codes, report.status) == (["trunk_none"], Status.WARNING)


async def test_a_trunk_that_asterisk_does_not_have(well: Clinic) -> None:
    trunks = (TRUNK, Trunk("second", "PJSIP/{number}@ghost"), HELP)

    report = await well.examined(replace(well.config, trunks=trunks))

    assert (report.codes, report.status) == (["trunk_unknown"], Status.CONFIG)


async def test_a_route_behind_one_that_takes_all_its_calls(well: Clinic) -> None:
    routes = (RouteRule(Words((TRUNK.name,))), RouteRule(Words((TRUNK.name,)), Words(("+44",))))

    report = await well.examined(replace(well.config, routes=routes))

    assert (report.codes, report.status) == (["route_never_used"], Status.WARNING)
    assert (await well.examined(replace(well.config, routes=routes[::-1]))).codes == []


async def test_a_trusted_trunk_whose_endpoint_tells_nobody_the_number(well: Clinic) -> None:
    trusted = replace(TRUNK, trusted=True)
    assert (await well.examined(replace(well.config, trunks=(trusted, HELP)))).codes == []
    carrier, _ = [state.contacts[0].uri for state, _ in (await look_at_trunks(well.config)).trunks]
    host, _, port = carrier.removeprefix("sip:").partition(":")
    await well.asterisk.add_trunk(TrunkAccount("wary", (host, int(port)), trusted=False))
    trunks = (TRUNK, Trunk("wary", "PJSIP/{number}@wary", trusted=True), HELP)

    async def codes() -> list[str]:
        return (await well.examined(replace(well.config, trunks=trunks))).codes

    await eventually(codes, lambda codes: codes == ["trunk_asserts_nothing"], "the carrier's answer to OPTIONS")


async def test_a_device_that_asterisk_does_not_have(well: Clinic, tmp_path: Path) -> None:
    database = await well.directory(tmp_path / "ghost.db", [DESK.name, "ghost"])

    report = await well.examined(replace(well.config, database=database))

    assert (report.codes, report.status) == (["device_unknown"], Status.CONFIG)
    (finding,) = report.of("devices")
    assert finding.fact == "Asterisk has no endpoint ghost (of Alice)"
    assert "`c2c-stasis devices update ghost --endpoint NAME`" in finding.fix


async def test_a_device_that_became_a_trunk(well: Clinic, tmp_path: Path) -> None:
    database = await well.directory(tmp_path / "both.db", [DESK.name, MOBILE.name])
    trunks = (TRUNK, Trunk("second", f"PJSIP/{{number}}@{MOBILE.name}"), HELP)

    report = await well.examined(replace(well.config, database=database, trunks=trunks))

    assert "device_is_trunk" in report.codes
    assert report.status is Status.CONFIG
    (finding,) = report.of("devices")
    assert finding.fact == "a trunk leads out through mobile (of Alice)"
    assert "`c2c-stasis devices delete mobile`" in finding.fix


async def test_a_directory_whose_devices_are_all_away(well: Clinic, tmp_path: Path) -> None:
    database = await well.directory(tmp_path / "away.db", [MOBILE.name])

    assert (await well.examined(replace(well.config, database=database))).codes == ["devices_offline"]


async def test_a_directory_without_devices(well: Clinic, tmp_path: Path) -> None:
    database = await well.directory(tmp_path / "empty.db", [])

    assert (await well.examined(replace(well.config, database=database))).codes == ["devices_none"]


async def test_an_account_whose_calls_show_no_number(well: Clinic, tmp_path: Path) -> None:
    database = await well.directory(tmp_path / "anonymous.db", [DESK.name])
    anonymous = replace(well.config, database=database)
    store = await open_store(database.url)
    (account,) = (await store.directory()).accounts
    await store.set_account_caller_number(account.id, None)
    await store.close()

    report = await well.examined(anonymous)

    assert (report.codes, report.status) == (["caller_number_none", "emergency_callback_none"], Status.WARNING)
    assert report.of("caller numbers")[0].fact == "account Acme: the calls of Alice show no number"
    assert (await well.examined(replace(anonymous, trunks=()))).codes == ["trunk_none"]


async def test_no_trunk_for_emergency_calls(well: Clinic) -> None:
    report = await well.examined(replace(well.config, trunks=(TRUNK,)))

    assert (report.codes, report.status) == (["emergency_trunk_none"], Status.WELL)
    assert report.strict().status is Status.WARNING


async def test_a_user_of_whom_nobody_knows_the_place(well: Clinic, tmp_path: Path) -> None:
    database = await well.directory(tmp_path / "nowhere.db", [DESK.name])
    store = await open_store(database.url)
    (user,) = (await store.directory()).users
    await store.update_user(user.account_id, user.id, {"location_id": None})
    await store.close()

    report = await well.examined(replace(well.config, database=database))

    assert (report.codes, report.status) == (["emergency_location_none"], Status.WELL)
    assert report.of("emergency calls")[0].fact == "account Acme: Alice"


async def test_an_account_of_whose_emergency_calls_nobody_hears(well: Clinic, tmp_path: Path) -> None:
    database = await well.directory(tmp_path / "untold.db", [DESK.name])
    store = await open_store(database.url)
    (endpoint,) = await store.enabled_webhook_endpoints()
    await store.delete_webhook_endpoint(endpoint.account_id, endpoint.id)
    await store.create_webhook_endpoint(
        endpoint.account_id, "https://crm.example.com/", livemode=True, events=["call.end"], description="CRM"
    )
    await store.close()

    report = await well.examined(replace(well.config, database=database))

    assert (report.codes, report.status) == (["emergency_nobody_told"], Status.WELL)


async def test_a_rate_file_that_cannot_be_used(well: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    priced = replace(well.config, policy=Policy(rate_file=str(file)))

    report = await well.examined(priced)
    assert (report.codes, report.status) == (["rate_file_unusable"], Status.CONFIG)
    assert report.of("prices")[0].fact == f"{file}: [policy] rate_file cannot be read: No such file or directory"

    file.write_text("prefix,price_per_minute,first_seconds,next_seconds\n+1,cheap,60,60\n")
    report = await well.examined(priced)
    assert report.codes == ["rate_file_unusable"]
    assert report.of("prices")[0].fact == f"{file}:2: price_per_minute is 'cheap'"


async def test_a_limit_of_money_and_no_price_for_numbers_at_home(well: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("prefix,price_per_minute,first_seconds,next_seconds\n+1,0.009,60,60\n")
    priced = replace(well.config, policy=Policy(rate_file=str(file)))
    limited = replace(priced, account_limits=AccountLimits(spend_per_day=10.0))

    assert (await well.examined(priced)).codes == []
    report = await well.examined(limited)
    assert (report.codes, report.status) == (["rate_missing"], Status.UNAVAILABLE)
    assert report.of("prices")[0].fact == "account Acme: numbers of GB have no price"
    file.write_text(file.read_text() + "+44,0.012,1,1\n")
    assert (await well.examined(limited)).codes == []

    # An account can be given such a limit where no file is named at all.
    report = await well.examined(replace(limited, policy=Policy()))
    assert (report.codes, report.status) == (["rate_missing"], Status.UNAVAILABLE)


# --- phones that the service makes ---


async def provisioned(well: Clinic, folder: Path, type: str = SIP_PHONE) -> tuple[Config, SipAccount]:
    """A configuration with a directory that has such a phone beside the desk, and a domain that phones understand."""
    phone = new_account(new_username())
    database = await well.directory(folder / "phones.db", [DESK.name], phone=phone, type=type)
    return replace(well.config, database=database, sip=Sip(domain="pbx.example.com")), phone


@asynccontextmanager
async def put_into_asterisk(
    well: Clinic, config: Config, phone: SipAccount, *, browser: bool = False
) -> AsyncIterator[Connection]:
    """The phone as a running service puts it there."""
    ari = config.ari
    connection = Connection(ari.url, ari.username, ari.password, "another", contact_acl=config.sip.contact_acl)
    await connection.provision({phone.username: Registrant(phone.ha1, browser)}, [])
    running = asyncio.create_task(connection.run(Ear()))
    await until(lambda: connection.provisioned(phone.username), "the phone to be there")
    yield connection
    await connection.provision({}, [phone.username])
    running.cancel()
    await asyncio.wait({running})


async def test_a_phone_that_the_service_made_is_well(well: Clinic, tmp_path: Path) -> None:
    config, phone = await provisioned(well, tmp_path)

    async with put_into_asterisk(well, config, phone):
        report = await well.examined(config)

    assert report.codes == []
    (finding,) = report.of("provisioning")
    assert finding.fact == "1 phones are as the directory says, and are told pbx.example.com"
    assert "doctor" not in await well.asterisk.cli("pjsip show endpoints") + await well.asterisk.cli("pjsip show auths")


async def test_a_phone_that_the_service_made_and_asterisk_lost(well: Clinic, tmp_path: Path) -> None:
    config, phone = await provisioned(well, tmp_path)

    report = await well.examined(config)

    assert (report.codes, report.status) == (["phones_out_of_step"], Status.UNAVAILABLE)
    assert phone.username in report.of("provisioning")[0].fact


async def test_a_phone_whose_password_is_another_one_in_asterisk(well: Clinic, tmp_path: Path) -> None:
    config, phone = await provisioned(well, tmp_path)

    async with put_into_asterisk(well, config, new_account(phone.username)):
        report = await well.examined(config)

    assert report.codes == ["phones_out_of_step"]


async def test_phones_that_are_told_to_register_at_themselves(well: Clinic, tmp_path: Path) -> None:
    config, phone = await provisioned(well, tmp_path)
    config = replace(config, sip=Sip())

    async with put_into_asterisk(well, config, phone):
        report = await well.examined(config)

    assert (report.codes, report.status) == (["sip_domain_local"], Status.WARNING)
    assert report.of("provisioning")[0].fact == "phones are told 127.0.0.1"


# --- pages that are phones ---


@pytest.mark.parametrize(
    ("url", "code", "fact"),
    [
        ("ws://{asterisk}/ws", None, "ws://{asterisk}/ws takes SIP, for 1 devices that are browsers"),
        ("", "websocket_not_set", "1 devices are browsers"),
        (
            *("ws://{asterisk}/phones", "websocket_unreached"),
            "ws://{asterisk}/phones: it answers 404, and opens no websocket; ws://{asterisk}/ws takes SIP",
        ),
    ],
)
async def test_where_pages_are_told_to_register(
    well: Clinic, tmp_path: Path, url: str, code: str | None, fact: str
) -> None:
    config, phone = await provisioned(well, tmp_path, BROWSER_PHONE)
    asterisk = well.config.ari.url.removeprefix("http://").rstrip("/")
    config = replace(config, sip=replace(config.sip, websocket_url=url.format(asterisk=asterisk)))
    async with put_into_asterisk(well, config, phone, browser=True):
        report = await well.examined(config)

    assert report.codes == ([code] if code else [])
    assert [finding.fact for finding in report.of("browser phones")] == [fact.format(asterisk=asterisk)]


async def test_an_asterisk_that_takes_no_sip_over_its_websocket(well: Clinic, tmp_path: Path) -> None:
    config, phone = await provisioned(well, tmp_path, BROWSER_PHONE)
    url = f"{well.config.ari.url.replace('http', 'ws', 1).rstrip('/')}/ws"
    config = replace(config, sip=replace(config.sip, websocket_url=url))
    async with put_into_asterisk(well, config, phone, browser=True):
        await well.asterisk.cli("module unload res_pjsip_transport_websocket.so")
        try:
            report = await well.examined(config)
        finally:
            await well.asterisk.cli("module load res_pjsip_transport_websocket.so")

    assert (report.codes, report.status) == (["websocket_closed"], Status.UNAVAILABLE)


# --- the database ---


async def test_a_database_that_is_not_there(well: Clinic, tmp_path: Path) -> None:
    report = await well.examined(_kept_in(well, tmp_path / "missing.db"))

    assert (report.codes, report.status) == (["database_missing"], Status.UNAVAILABLE)
    assert os.listdir(tmp_path) == []
    assert [finding.fact for finding in report.of("devices")] == ["the database cannot be used"]


async def test_a_database_that_was_not_migrated(well: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    shutil.copyfile(well.folder / "c2c.db", file)
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM alembic_version")
        connection.execute("DROP TABLE events")
    connection.close()

    assert (await well.examined(_kept_in(well, file))).codes == ["database_not_migrated"]


async def test_a_file_that_is_no_database(well: Clinic, tmp_path: Path) -> None:
    file = tmp_path / "letter.db"
    file.write_text("Dear Sir or Madam, " * 100)

    assert (await well.examined(_kept_in(well, file))).codes == ["database_unusable"]


@pytest.fixture
def read_only(well: Clinic) -> Iterator[Path]:
    """A good database that this process may read and not write, also when it runs as root."""
    folder = Path(tempfile.mkdtemp())
    file = folder / "c2c.db"
    shutil.copyfile(well.folder / "c2c.db", file)
    file.chmod(0o444)
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    yield file
    if user == 0:
        os.seteuid(user)
    folder.chmod(0o755)
    shutil.rmtree(folder)


async def test_a_database_that_may_only_be_read(well: Clinic, read_only: Path) -> None:
    report = await well.examined(_kept_in(well, read_only))

    assert (report.codes, report.status) == (["database_not_writable"], Status.UNAVAILABLE)


async def test_a_database_on_a_network_disk(well: Clinic, tmp_path: Path) -> None:
    """No network disk is here: the kernel's table of mounts says that the folder is one."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
        f"35 22 0:47 / {well.folder.resolve()} rw,relatime - nfs4 files:/c2c rw\n"
    )

    report = await well.examined(mounts=mounts)

    assert (report.codes, report.status) == (["database_on_network"], Status.CONFIG)


def _kept_in(clinic: Clinic, file: Path) -> Config:
    return replace(clinic.config, database=Database(f"sqlite+aiosqlite:///{file}"))


# --- trunks ---


async def test_trunks_check_tells_how_fast_the_carrier_answers(well: Clinic, tmp_path: Path) -> None:
    status, text = await commanded("trunks", "check", "--json", config=well.config, folder=tmp_path)

    trunk, _ = json.loads(text)["trunks"]
    assert (status, trunk["reach"], trunk["code"]) == (0, "reachable", None)
    ((contact),) = trunk["contacts"]
    assert contact["status"] == "Reachable"
    assert 0 < contact["rtt_ms"] < 500


async def test_trunks_check_names_what_is_wrong(well: Clinic, tmp_path: Path) -> None:
    config = replace(well.config, trunks=(TRUNK, Trunk("second", "PJSIP/{number}@ghost"), HELP))

    status, text = await commanded("trunks", "check", config=config, folder=tmp_path)

    assert status == 78
    assert "carrier  reachable" in text
    assert "second  unknown endpoint" in text
