"""What every response has in common, and the log line of every request."""

import re

import pytest

from c2c_stasis.api.edge import loggable
from tests.api.fakes import KEY, FakeService
from tests.api.requests import GOOD, HEADERS, Client, place, placed

PATHS = [("GET", "/livez"), ("GET", "/readyz"), ("GET", "/nowhere"), ("PUT", "/v1/calls"), ("POST", "/v1/calls")]


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_headers_of_every_response(client: Client, method: str, path: str) -> None:
    response = await client.request(method, path)
    assert re.fullmatch(r"req_[0-9a-z]{26}", response.headers["X-Request-Id"])
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in response.headers
    assert response.headers["Content-Type"] == "application/json"


async def test_headers_of_empty_responses(client: Client) -> None:
    response = await place(client)
    assert "X-Request-Id" in response.headers
    response = await client.delete(response.headers["Location"], headers=HEADERS)
    assert "X-Request-Id" in response.headers
    assert "Content-Type" not in response.headers


@pytest.mark.parametrize("given", ["a", "A-b_9", "x" * 64])
async def test_a_harmless_request_id_is_kept(client: Client, given: str) -> None:
    response = await client.get("/livez", headers={"X-Request-Id": given})
    assert response.headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", " ", "x" * 65, "a b", "a;b", "<x>", "é", "٣"])
async def test_any_other_is_replaced(client: Client, given: str) -> None:
    response = await client.get("/livez", headers={"X-Request-Id": given})
    assert response.headers["X-Request-Id"].startswith("req_")


async def test_two_request_ids_are_none(client: Client) -> None:
    response = await client.get("/livez", headers=[("X-Request-Id", "a"), ("X-Request-Id", "b")])
    assert response.headers["X-Request-Id"].startswith("req_")


async def test_unknown_routes_and_methods(client: Client) -> None:
    response = await client.get("/v2/calls")
    assert (response.status, await response.read()) == (404, b'{"error":"Not found","code":"not_found"}')
    response = await client.put("/v1/calls/x")
    assert (response.status, await response.json()) == (
        405,
        {"error": "Method not allowed", "code": "method_not_allowed"},
    )
    assert response.headers["Allow"] == "DELETE,GET,HEAD"


async def test_health_needs_no_key(client: Client, service: FakeService) -> None:
    response = await client.get("/livez")
    assert (response.status, await response.json()) == (200, {"status": "ok"})
    response = await client.get("/readyz")
    assert (response.status, await response.json()) == (
        200,
        {"status": "ok", "details": {"asterisk": "ok", "database": "ok"}},
    )
    service.checks["asterisk"] = "not connected"
    response = await client.get("/readyz")
    assert (response.status, await response.json()) == (
        503,
        {
            "error": "Not ready: asterisk",
            "code": "not_ready",
            "details": {"asterisk": "not connected", "database": "ok"},
        },
    )
    assert (await client.get("/livez")).status == 200


async def test_health_does_not_wait_for_a_service_that_hangs(
    client: Client, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c2c_stasis.api.health._ANSWER_WITHIN", 0.01)
    service.hangs = True
    response = await client.get("/readyz")
    assert (response.status, (await response.json())["details"]) == (503, {"service": "did not answer in time"})


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/v1/calls/12025550199", "/v1/calls/1202•••0199"),
        ("/v1/calls/(202) 555-0199", "/v1/calls/(2025•••199"),
        ("/v1/calls/202.555.0199/events", "/v1/calls/2025•••199/events"),
        ("/+1 202 555 0199", "/+1202•••0199"),
    ],
)
async def test_a_number_in_a_path_is_not_logged(
    client: Client, caplog: pytest.LogCaptureFixture, path: str, logged: str
) -> None:
    caplog.set_level("DEBUG", "c2c_stasis")
    await client.get(path, headers={"X-Request-Id": "12025550199"})
    (line,) = (record.__dict__ for record in caplog.records if record.message == "request")
    assert line["path"] == logged
    assert line["request_id"].startswith("req_")


def test_an_id_in_a_path_is_logged() -> None:
    for path in ("/v1/calls/call_01234567890123456789012345/events", "/v1/users/user_01h2xcejqtf2nbrexx3vqjhp42"):
        assert loggable(path) == path


async def test_one_line_for_every_request_and_no_secret_in_it(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "c2c_stasis")
    path = await placed(client)
    await client.get("/nowhere?to=%2B15551234567", headers={"X-Request-Id": "mine"})
    await client.get("/readyz")
    first, second = (record for record in caplog.records if record.message == "request")
    assert first.__dict__["call_id"] == path.rpartition("/")[2]
    assert {key: first.__dict__[key] for key in ("method", "path", "status", "remote")} == {
        "method": "POST",
        "path": "/v1/calls",
        "status": 202,
        "remote": "127.0.0.1",
    }
    assert (second.__dict__["path"], second.__dict__["request_id"], second.__dict__["status"]) == (
        "/nowhere",
        "mine",
        404,
    )
    for record in caplog.records:
        assert KEY not in str(record.__dict__)
        assert GOOD["dial_string"] not in str(record.__dict__)


async def test_who_only_looks_is_logged_at_debug_unless_there_is_nothing_to_see(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "c2c_stasis")
    path = await placed(client)
    for looked_at in (path, f"{path}/events", f"{path}x"):
        await client.get(looked_at, headers=HEADERS)
    await client.delete(path, headers=HEADERS)
    told = [(record.__dict__["method"], record.levelname) for record in caplog.records if record.message == "request"]
    assert told == [("POST", "INFO"), ("GET", "DEBUG"), ("GET", "DEBUG"), ("GET", "INFO"), ("DELETE", "INFO")]


async def test_probes_are_logged_when_something_is_wrong(
    client: Client, service: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "c2c_stasis")
    service.checks["database"] = "disk full"
    await client.get("/readyz")
    assert [record.__dict__["status"] for record in caplog.records if record.message == "request"] == [503]
