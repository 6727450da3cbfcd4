"""HTTPS without a proxy: with a real certificate, renewed while the service runs, and refused when it cannot be used."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from c2c_stasis.app import App
from c2c_stasis.config import Config, Http
from tests.live.clinic import commanded
from tests.live.waiting import until
from tests.surface.conftest import Running, serving
from tests.surface.corpus import Site
from tests.surface.raw import exchange


def certify(folder: Path, *more: str, name: str = "service", days: int = 30) -> tuple[Path, Path]:
    """A certificate for loopback of this machine's openssl, and its key."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-days",
                str(days),
            ),
            *("-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate), *(more or ("-nodes",))),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The certificate and the key that the configuration names."""
    return certify(tmp_path)


@pytest.fixture
async def secured(prepared: tuple[Config, Site], files: tuple[Path, Path], tmp_path: Path) -> AsyncIterator[Running]:
    """The service, served over HTTPS."""
    config, site = prepared
    async with serving(replace(config, http=_with(config, *files)), site, tmp_path / "process") as running:
        yield running


def _with(config: Config, certificate: Path, key: Path) -> Http:
    return replace(config.http, tls_certificate=str(certificate), tls_key=str(key))


def _trusting(certificate: Path, **limits: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificate))
    for name, version in limits.items():
        setattr(context, name, version)
    return context


async def _shown(running: Running) -> bytes:
    """The certificate that a new connection is shown."""
    text = await asyncio.to_thread(ssl.get_server_certificate, (running.host, running.port), timeout=5)
    return ssl.PEM_cert_to_DER_cert(text)


async def test_a_call_is_placed_over_https_by_a_client_that_checks_the_certificate(
    secured: Running, files: tuple[Path, Path]
) -> None:
    url = f"https://localhost:{secured.port}"
    headers = {"Authorization": f"Bearer {secured.site.key}", "DialStack-Account": secured.site.account}
    call = {"user_id": secured.site.user, "dial_string": "+15551234567"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=_trusting(files[0]))) as client:
        async with client.post(f"{url}/v1/calls", json=call, headers=headers) as response:
            assert (response.status, await response.read()) == (202, b"")
        async with client.get(f"{url}/v1/nowhere") as response:
            assert (await response.json())["code"] == "not_found"
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        async with aiohttp.ClientSession() as client:
            await client.get(f"{url}/livez")


@pytest.mark.parametrize(
    ("version", "spoken"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_tls_before_1_2_is_not_spoken(
    secured: Running, files: tuple[Path, Path], version: ssl.TLSVersion, spoken: bool
) -> None:
    context = _trusting(files[0], minimum_version=version, maximum_version=version)
    context.set_ciphers("ALL:@SECLEVEL=0")
    connecting = asyncio.open_connection(secured.host, secured.port, ssl=context, server_hostname="localhost")
    if spoken:
        _, writer = await connecting
        assert writer.get_extra_info("ssl_object").version() == version.name.replace("v1_", "v1.")
        writer.close()
    else:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await connecting


async def test_plain_http_on_this_port_gets_nothing_but_the_end(secured: Running) -> None:
    found = await exchange(secured.host, secured.port, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (found.responses, found.closed) == ([], True)
    assert secured.process.alarms() == []


async def test_a_renewed_certificate_is_shown_after_sighup_and_who_is_connected_stays(
    secured: Running, files: tuple[Path, Path]
) -> None:
    old = await _shown(secured)
    context = _trusting(files[0])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, limit=1)) as client:
        async with client.get(f"https://localhost:{secured.port}/livez") as response:
            await response.read()
        certify(files[0].parent)
        assert await _shown(secured) == old  # nobody has told the service
        await secured.process.read_again("configuration read again")
        assert await _shown(secured) == ssl.PEM_cert_to_DER_cert(files[0].read_text()) != old
        async with client.get(
            f"https://localhost:{secured.port}/livez"
        ) as response:  # whose certificate is trusted no more
            assert response.status == 200


@pytest.mark.parametrize("broken", ["no certificate", "the key of another", "not there"])
async def test_a_broken_certificate_is_told_and_the_old_one_stays(
    secured: Running, files: tuple[Path, Path], tmp_path: Path, broken: str
) -> None:
    old = await _shown(secured)
    certificate, key = files
    match broken:
        case "no certificate":
            certificate.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
        case "the key of another":
            shutil.copy(certify(tmp_path, name="other")[1], key)
        case _:
            key.unlink()
    (line,) = [
        line
        for line in await secured.process.read_again("configuration read again")
        if line["message"] == "certificate refused"
    ]
    assert (line["level"], str(certificate) in line["error"]) == ("error", True)
    assert "PRIVATE" not in line["error"]
    assert await _shown(secured) == old


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("not there", "cannot be read: No such file or directory"),
        ("not readable", "are no certificate and key in PEM"),
        ("a password", "the key is protected by a password"),
        ("the key of another", "do not belong together"),
    ],
)
async def test_it_does_not_start_with_a_certificate_that_cannot_be_used(
    prepared: tuple[Config, Site], tmp_path: Path, fault: str, told: str
) -> None:
    config, _ = prepared
    certificate, key = certify(tmp_path)
    match fault:
        case "not there":
            key.unlink()
        case "not readable":
            key.write_text("nonsense")
        case "a password":
            certificate, key = certify(tmp_path, "-passout", "pass:hunter2", name="locked")
        case _:
            shutil.copy(certify(tmp_path, name="other")[1], key)
    status, said = await commanded(
        "serve", config=replace(config, http=_with(config, certificate, key)), folder=tmp_path
    )
    assert (status, told in said, "tls_key in" in said) == (78, True, True), said


async def test_a_handshake_that_does_not_go_on_takes_no_place_for_long(
    prepared: tuple[Config, Site], files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c2c_stasis.api.listener.HEADER_TIMEOUT", 0.2)
    config = replace(prepared[0], http=_with(prepared[0], *files))
    async with App(config) as app:
        holders = [await asyncio.open_connection("127.0.0.1", int(app.url.rpartition(":")[2])) for _ in range(5)]
        await until(lambda: app._server.connections == 5, "five connections")
        await until(lambda: app._server.connections == 0, "the end of five handshakes")
        for _, writer in holders:
            writer.close()


async def test_a_certificate_without_its_key_is_a_mistake_of_the_configuration(
    prepared: tuple[Config, Site], tmp_path: Path
) -> None:
    config, _ = prepared
    half = replace(config, http=replace(config.http, tls_certificate="x.crt"))
    status, said = await commanded("config", config=half, folder=tmp_path)
    assert (status, "http.tls_certificate stands there without tls_key" in said) == (78, True), said
