"""A key that may be used from some addresses only: to all others it is as if there were none."""

import pytest

from c2c_stasis.api.failed_logins import FAILED_LOGINS, Buckets
from tests.api.resources.office import Office


async def status(office: Office, key: str, client: str) -> int:
    """What a client of the proxy on loopback is answered."""
    headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": client}
    async with office._client.get("/v1/keys", headers=headers) as response:
        assert response.status in (200, 401, 429)
        return response.status


async def test_it_opens_something_for_these_addresses_and_for_no_others(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    made = await office.make("/v1/keys", networks=["203.0.113.0/24", "198.51.100.7", "2001:db8:1::/48"])
    assert made["networks"] == ["203.0.113.0/24", "198.51.100.7/32", "2001:db8:1::/48"]
    for client in ("203.0.113.1", "203.0.113.255", "198.51.100.7", "2001:db8:1::5", "::ffff:203.0.113.9"):
        assert await status(office, made["secret"], client) == 200, client
    assert caplog.records == []
    for client in ("203.0.114.1", "198.51.100.8", "2001:db8:2::5", "127.0.0.1", "nonsense"):
        assert await status(office, made["secret"], client) == 401, client
        assert await status(office, office.key, client) == 200, client
    told = [(record.message, record.__dict__["key_id"]) for record in caplog.records]
    assert told == [("key used from elsewhere", made["id"])] * 5


async def test_a_rotated_key_may_be_used_from_where_the_old_one_was(office: Office) -> None:
    made = await office.make("/v1/keys", networks=["203.0.113.0/24"])
    renewed = await office.make(f"/v1/keys/{made['id']}/rotate")
    assert renewed["networks"] == ["203.0.113.0/24"]
    assert await status(office, renewed["secret"], "203.0.113.1") == 200
    assert await status(office, renewed["secret"], "192.0.2.1") == 401


async def test_who_comes_from_elsewhere_is_counted_as_one_who_guesses(office: Office) -> None:
    made = await office.make("/v1/keys", networks=["203.0.113.0/24"])
    office.app[FAILED_LOGINS]._by_address = Buckets(1)
    assert [await status(office, made["secret"], "192.0.2.1") for _ in range(2)] == [401, 429]
    assert await status(office, made["secret"], "203.0.113.1") == 200


@pytest.mark.parametrize(
    "networks",
    [["everywhere"], ["203.0.113.7/24"], [""], ["10.0.0.1, 10.0.0.2"], ["10.0.0.0/33"], ["10.0.0.1"] * 65],
    ids=str,
)
async def test_what_is_no_network_is_refused(office: Office, networks: list[str]) -> None:
    answered, code, details = await office.refused("POST", "/v1/keys", {"networks": networks})
    assert (answered, code, list(details)) == (400, "validation_error", ["networks"])
