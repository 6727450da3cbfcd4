"""`Idempotency-Key`: what is a key, and what its second use is answered."""

import pytest

from tests.api.fakes import TEST_KEY, FakeService
from tests.api.requests import GOOD, HEADERS, Client

KEY = "Idempotency-Key"


async def post(client: Client, *keys: str, **fields: object) -> tuple[int, str | None, str | None]:
    """Status, Location and whether it was replayed."""
    headers = [*HEADERS.items(), *((KEY, key) for key in keys)]
    response = await client.post("/v1/calls", json=GOOD | fields, headers=headers)
    return response.status, response.headers.get("Location"), response.headers.get("Idempotent-Replayed")


async def test_the_same_request_again_is_the_same_answer(client: Client, service: FakeService) -> None:
    first = await post(client, "a")
    assert first[2] is None
    assert await post(client, "a") == (202, first[1], "true")
    assert len(service.calls) == 1


async def test_another_key_or_none_is_another_call(client: Client) -> None:
    locations = {(await post(client, *keys))[1] for keys in (("a",), ("b",), (), ())}
    assert len(locations) == 4


async def test_the_order_of_the_fields_is_not_the_body(client: Client) -> None:
    first = await post(client, "a", metadata={"x": "1", "y": "2"})
    assert await post(client, "a", metadata={"y": "2", "x": "1"}) == (202, first[1], "true")


async def test_the_same_key_for_something_else_is_a_mistake(client: Client) -> None:
    await post(client, "a")
    response = await client.post("/v1/calls", json=GOOD | {"dial_string": "1001"}, headers=HEADERS | {KEY: "a"})
    assert (response.status, await response.json()) == (
        409,
        {
            "error": "Idempotency-Key was sent with another body within 24 hours",
            "code": "idempotency_conflict",
            "details": {"Idempotency-Key": "was sent with another body within 24 hours"},
        },
    )


@pytest.mark.parametrize("keys", [("",), ("x" * 256,), ("a\tb",), ("\u00e9",), ("a", "a"), ("a", "b")])
async def test_what_is_no_key_is_refused_and_nothing_is_placed(
    client: Client, service: FakeService, keys: tuple[str, ...]
) -> None:
    assert (await post(client, *keys))[0] == 400
    assert not service.calls


@pytest.mark.parametrize("key", ["x", "x" * 255, "a b", "{00000000-0000}", '"quoted"'])
async def test_what_is_a_key(client: Client, key: str) -> None:
    assert (await post(client, key))[0] == 202


async def test_an_emergency_call_is_placed_whatever_its_key_is(client: Client, service: FakeService) -> None:
    assert (await post(client, "a", "b", dial_string="911"))[0] == 202
    assert len(service.calls) == 1
    assert (await post(client, "c"))[0] == 202
    for _ in range(2):  # `c` stands for another call, and then for an emergency call that is over
        status, _, replayed = await post(client, "c", dial_string="911")
        assert (status, replayed) == (202, None)
    assert len(service.calls) == 4


async def test_a_key_is_looked_at_after_everything_that_is_known_at_once(client: Client, service: FakeService) -> None:
    assert (await post(client, "a", "b", user_id="user_1"))[0] == 400
    assert (await post(client, "a", nonsense=1))[0] == 400
    assert (await post(client, "a"))[0] == 202  # the refused one left it free
    assert len(service.calls) == 1


async def test_a_key_of_tests_is_a_name_of_its_own(client: Client, service: FakeService) -> None:
    await client.post("/v1/calls", json=GOOD, headers=HEADERS | {KEY: "a"})
    tests = HEADERS | {"Authorization": f"Bearer {TEST_KEY}", KEY: "a"}
    await client.post("/v1/calls", json=GOOD, headers=tests)
    assert {once.livemode for once, _ in service.once.values()} == {
        True
    }  # this service keeps one; the store keeps both
