"""Pages of configured origins may ask from a browser, and read every answer; no others; and none with a platform key."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from c2c_stasis.api.cors import Cors
from c2c_stasis.api.server import ROUTES, HttpServer, build_app
from c2c_stasis.config import Address, Http, Origins
from tests.api.fakes import ACCOUNT, KEY, NO_STORE, FakeService
from tests.api.requests import GOOD, Client
from tests.node import NODE

APP, CRM = "https://app.example.com", "http://localhost:3000"
PREFLIGHT = {"Origin": APP, "Access-Control-Request-Method": "POST"}
EXPOSED = "X-Request-Id, Location, Retry-After, Idempotent-Replayed"
FOR_PAGES = {"Access-Control-Allow-Origin": APP, "Access-Control-Expose-Headers": EXPOSED}
STRANGERS = [
    "https://evil.example.com",
    "https://app.example.com.evil.example",
    "https://app.example.com:8443",
    "http://app.example.com",
    "https://APP.example.com",
    "https://app.example.com/",
    "null",
    "*",
    "",
]


@pytest.fixture
def server(service: FakeService) -> HttpServer:
    return HttpServer(build_app(service, NO_STORE, Cors(Origins((APP, CRM)))), Http(Address("127.0.0.1", 0)))


@pytest.fixture
async def closed(service: FakeService) -> AsyncIterator[Client]:
    """A client of a service that lets no pages in, as it is unless it is told to."""
    server = HttpServer(build_app(service, NO_STORE), Http(Address("127.0.0.1", 0)))
    async with ClientSession(f"http://{await server.start()}") as client:
        yield client
    await server.stop()


def of_cors(headers: object) -> dict[str, str]:
    return {name: value for name, value in dict(headers).items() if name.startswith("Access-Control-")}  # type: ignore[call-overload]


@pytest.mark.parametrize("origin", [APP, CRM])
@pytest.mark.parametrize("path", ["/v1/calls", "/v1/calls/x", "/v1/nowhere"])
async def test_a_browser_that_asks_before_it_sends_is_told_what_it_may_without_a_credential(
    client: Client, origin: str, path: str
) -> None:
    response = await client.options(path, headers=PREFLIGHT | {"Origin": origin})
    assert (response.status, await response.read()) == (204, b"")
    assert of_cors(response.headers) == FOR_PAGES | {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, POST, DELETE",
        "Access-Control-Allow-Headers": "authorization, content-type, dialstack-account, idempotency-key, last-event-id",
        "Access-Control-Max-Age": "600",
    }
    assert response.headers["Vary"] == "Origin"
    assert "X-Request-Id" in response.headers


def test_every_method_of_a_route_is_allowed_to_pages() -> None:
    methods = {route.method for route in build_app(FakeService(), NO_STORE)[ROUTES]}
    assert methods == {"GET", "POST", "DELETE"}


@pytest.mark.parametrize("origin", STRANGERS)
async def test_a_page_of_another_origin_is_told_nothing(client: Client, origin: str) -> None:
    response = await client.options("/v1/calls", headers=PREFLIGHT | {"Origin": origin})
    assert response.status == 405
    assert of_cors(response.headers) == {}
    assert response.headers["Vary"] == "Origin"
    response = await client.get("/livez", headers={"Origin": origin})
    assert (response.status, of_cors(response.headers)) == (200, {})


async def test_the_log_tells_once_in_a_while_which_page_was_refused(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> list[str]:
        return [record.message for record in caplog.records if record.levelname == "WARNING"]

    stranger = {"Origin": "http://crm.local:3001"}
    await client.options("/v1/calls", headers=PREFLIGHT)
    await client.options("/v1/calls", headers=stranger)
    await client.options("/v1/calls", headers={"Access-Control-Request-Method": "POST"})
    await client.get("/livez", headers=stranger)
    assert told() == []
    for _ in range(3):
        await client.options("/v1/calls", headers=PREFLIGHT | stranger)
    assert told() == ["page of http://crm.local:3001 refused; name it in [http] cors_origins, or at an account"]
    later = time.monotonic() + 11
    monkeypatch.setattr("c2c_stasis.api.cors.time.monotonic", lambda: later)
    await client.options("/v1/calls", headers=PREFLIGHT | {"Origin": "null"})
    assert told()[1:] == ["page of null refused; name it in [http] cors_origins, or at an account"]


async def test_two_origins_are_none(client: Client) -> None:
    response = await client.get("/livez", headers=[("Origin", APP), ("Origin", CRM)])
    assert of_cors(response.headers) == {}


async def test_options_that_is_no_question_of_a_browser_is_a_method_like_others(client: Client) -> None:
    for headers in ({}, {"Origin": APP}):
        response = await client.options("/v1/calls", headers=headers)
        assert response.status == 405


async def test_unless_origins_are_configured_no_page_is_let_in(closed: Client) -> None:
    response = await closed.options("/v1/calls", headers=PREFLIGHT)
    assert response.status == 405
    assert of_cors(response.headers) == {}
    assert "Vary" not in response.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/livez", 200),
        ("GET", "/v1/calls/x", 401),
        ("POST", "/v1/calls", 401),
        ("GET", "/v1/nowhere", 404),
        ("PUT", "/v1/calls", 405),
    ],
)
async def test_a_page_can_read_every_answer_errors_too(client: Client, method: str, path: str, status: int) -> None:
    response = await client.request(method, path, headers={"Origin": APP})
    assert response.status == status
    assert of_cors(response.headers) == FOR_PAGES
    assert response.headers["Vary"] == "Origin"


async def test_a_page_can_read_that_we_failed(
    client: Client, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_credential: str) -> None:
        raise RuntimeError("the reason")

    monkeypatch.setattr(service, "authenticate", broken)
    response = await client.get("/v1/calls/x", headers={"Origin": APP, "Authorization": "Bearer eyJx"})
    assert response.status == 500
    assert of_cors(response.headers) == FOR_PAGES


@pytest.mark.parametrize("origin", [APP, "https://evil.example.com", "null"])
@pytest.mark.parametrize("key", [KEY, "sk_live_wrong", "sk_test_"])
async def test_a_platform_key_in_a_browser_is_refused_whether_it_is_one_or_not(
    client: Client, service: FakeService, caplog: pytest.LogCaptureFixture, origin: str, key: str
) -> None:
    headers = {"Authorization": f"Bearer {key}", "DialStack-Account": ACCOUNT, "Origin": origin}
    for response in (
        await client.post("/v1/calls", json=GOOD, headers=headers),
        await client.get("/v1/users", headers=headers),
    ):
        answer = await response.json()
        assert (response.status, answer["code"]) == (403, "key_in_browser")
        assert "must stay on your server" in answer["error"]
        assert ("Access-Control-Allow-Origin" in response.headers) is (origin == APP)
    assert service.calls == {}
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    # Whoever runs the service has to rotate it, and so to know which; and nobody cries wolf with a key that is none.
    told = [("platform key sent by a browser", origin, "key_1")] * 2 if key == KEY else []
    assert [(one.message, one.__dict__["origin"], one.__dict__["key_id"]) for one in warnings] == told
    assert key not in str([record.__dict__ for record in caplog.records])


async def test_a_browser_that_tries_keys_is_told_to_stop_like_everybody(client: Client) -> None:
    async def tried(key: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {key}", "Origin": APP}
        response = await client.get("/v1/users", headers=headers)
        return response.status, (await response.json())["code"]

    most = Http().max_failed_logins
    answers = [await tried(f"sk_live_{number:043}") for number in range(most + 5)]

    assert answers[:most] == [(403, "key_in_browser")] * most
    assert set(answers[most + 1 :]) == {(429, "too_many_failed_logins")}
    assert await tried(KEY) == (403, "key_in_browser")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin"},  # a page of our own origin that only looks sends no `Origin`
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1"},
        {"Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-User": "?1"},
    ],
    ids=str,
)
async def test_a_browser_is_known_by_more_than_the_origin(client: Client, headers: dict[str, str]) -> None:
    response = await client.get("/v1/users", headers={"Authorization": f"Bearer {KEY}", **headers})
    assert (response.status, (await response.json())["code"]) == (403, "key_in_browser")


async def test_a_server_in_node_js_is_no_browser(client: Client, address: Address) -> None:
    """Its fetch sends `Sec-Fetch-Mode`, as browsers do, and nothing else of that kind."""
    headers = {"Authorization": f"Bearer {KEY}", "DialStack-Account": ACCOUNT, "Content-Type": "application/json"}
    asking = f"""fetch("http://{address}/v1/calls", {{
        method: "POST", headers: {json.dumps(headers)}, body: {json.dumps(json.dumps(GOOD))}
    }}).then((answer) => console.log(answer.status))"""
    node = await asyncio.create_subprocess_exec(NODE, "-e", asking, stdout=asyncio.subprocess.PIPE)
    told, _ = await node.communicate()
    assert told == b"202\n"


async def test_origins_change_while_the_service_runs(service: FakeService) -> None:
    cors = Cors(Origins((APP,)))
    server = HttpServer(build_app(service, NO_STORE, cors), Http(Address("127.0.0.1", 0)))
    async with ClientSession(f"http://{await server.start()}") as client:
        cors.use(Origins((CRM,)))
        assert (await client.options("/v1/calls", headers=PREFLIGHT)).status == 405
        assert (await client.options("/v1/calls", headers=PREFLIGHT | {"Origin": CRM})).status == 204
    await server.stop()
