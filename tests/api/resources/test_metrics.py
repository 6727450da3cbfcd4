"""`/metrics`: who may read it, and that nothing a client wrote becomes a label."""

import pytest
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from c2c_stasis.api.metrics import MetricServer
from c2c_stasis.config import Address
from c2c_stasis.metrics import CONTENT_TYPE, Metrics
from tests.api.resources.office import Office

CANARY = "+13125550188"


async def read(office: Office, **headers: str) -> tuple[int, str]:
    async with ClientSession(office.url) as client, client.get("/metrics", headers=headers) as response:
        return response.status, await response.text()


async def test_a_platform_key_reads_it_on_the_port_of_the_api(office: Office) -> None:
    status, text = await read(office, Authorization=f"Bearer {office.key}")
    assert status == 200
    assert "c2c_http_requests" in {family.name for family in text_string_to_metric_families(text)}


async def test_nobody_else_does(office: Office) -> None:
    for headers in ({}, {"Authorization": "Bearer sk_live_wrong"}, {"X-Forwarded-For": "127.0.0.1"}):
        status, text = await read(office, **headers)
        assert status == 401
        assert "c2c_" not in text


async def test_requests_count_by_the_template_of_their_route(office: Office) -> None:
    location = await office.call(office.user.id)
    await office.get(location)
    async with ClientSession(office.url) as client:
        for method, path in (("GET", f"/{CANARY}"), ("GET", f"/v1/{CANARY}"), ("PUT", "/v1/calls")):
            async with client.request(method, path) as response:
                assert response.status in (404, 405)
    _, text = await read(office, Authorization=f"Bearer {office.key}")
    assert 'c2c_http_requests_total{method="POST",route="/v1/calls",status="202"} 1.0' in text
    assert 'c2c_http_requests_total{method="GET",route="/v1/calls/{call_id}",status="200"} 1.0' in text
    assert 'c2c_http_requests_total{method="other",route="other",status="404"} 2.0' in text
    assert 'c2c_http_requests_total{method="other",route="other",status="405"} 1.0' in text
    assert "c2c_call_accept_seconds_count 1.0" in text
    assert CANARY[1:] not in text


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_listener_of_its_own_needs_no_credential_and_serves_nothing_else(host: str) -> None:
    server = MetricServer(Metrics(), Address(host, 0))
    address = await server.start()
    try:
        async with ClientSession(f"http://{address}") as client:
            async with client.get("/metrics") as response:
                assert response.status == 200
                assert response.headers["Content-Type"] == CONTENT_TYPE
                assert "c2c_calls_live 0.0" in await response.text()
            async with client.get("/v1/calls") as response:
                assert response.status == 404
    finally:
        await server.stop()
