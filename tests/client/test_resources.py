"""What the clients ask of the service, and what they make of its answers."""

import asyncio
from datetime import UTC, datetime
from typing import TypedDict

import pytest

from c2c_stasis.client import AsyncClient, Client, Conflict, InvalidRequest, NotAuthenticated, NotFound
from c2c_stasis.client.records import Reset, StreamEvent
from c2c_stasis.ports import Contact
from tests.api.resources.office import Office

NUMBER = "+15551234567"
NOBODY = "user_01h2xcejqtf2nbrexx3vqjhp42"


class Wish(TypedDict):
    """Who calls whom."""

    user_id: str
    dial_string: str


async def test_people_and_their_phones_are_made_changed_listed_and_removed(client: AsyncClient) -> None:
    carol = await client.users.create(name="Carol", email="carol@example.com")
    carol = await client.users.update(carol.id, do_not_disturb=True, email=None)
    assert (carol.name, carol.email, carol.do_not_disturb) == ("Carol", None, True)
    assert carol.created_at is not None
    assert abs(datetime.now(UTC) - carol.created_at).total_seconds() < 3600
    desk = await client.devices.create(carol.id, name="Desk")
    assert desk.sip.password
    assert desk.setup is not None
    assert not desk.online
    assert (await client.devices.reset_password(carol.id, desk.id)).sip.password != desk.sip.password
    desk = await client.devices.update(carol.id, desk.id, name=None)
    assert desk == await client.devices.retrieve(carol.id, desk.id)
    assert desk.setup is None
    extension = await client.extensions.create("1042", user_id=carol.id)
    assert extension == await client.extensions.retrieve("1042")
    shown = await client.numbers.create("+12025550143", caller_id_name="Front desk")
    await client.users.update(carol.id, caller_number_id=shown.id)
    shown = await client.numbers.update(shown.id, outbound_enabled=False)
    assert [one async for one in client.devices.list(user_id=carol.id)] == [desk]
    assert [one async for one in client.extensions.list(user_id=carol.id)] == [extension]
    assert [one async for one in client.numbers.list(status="active")] == [shown]
    await client.users.update(carol.id, caller_number_id=None)
    await client.numbers.delete(shown.id)
    await client.extensions.delete("1042")
    await client.devices.delete(carol.id, desk.id)
    await client.users.delete(carol.id)
    with pytest.raises(NotFound) as gone:
        await client.users.retrieve(carol.id)
    assert (gone.value.status, gone.value.code, str(gone.value)) == (404, "user_not_found", "User not found")


async def test_accounts_keys_and_places_are_made_changed_listed_and_removed(client: AsyncClient) -> None:
    acme = await client.accounts.create(name="Acme", config={"region": "GB"}, policy={"allow_regions": ["US"]})
    acme = await client.accounts.update(acme.id, primary_contact_name="Grace", cors_origins=["https://crm.example.com"])
    assert (acme.name, acme.config["region"], acme.primary_contact_name) == ("Acme", "GB", "Grace")
    assert acme == await client.accounts.retrieve(acme.id)
    assert [one async for one in client.accounts.list(search="Acm")] == [acme]
    there = client.of_account(acme.id)
    office = await there.locations.create(
        "Office", {"street": "1200 Main Street", "city": "Springfield", "country": "US"}, config={"floor": 2}
    )
    office = await there.locations.update(office.id, name="Head office")
    assert office == await there.locations.retrieve(office.id)
    assert (office.name, office.address["city"]) == ("Head office", "Springfield")
    assert [one async for one in there.locations.list(search="head")] == [office]
    await there.locations.delete(office.id)
    await client.accounts.delete(acme.id)
    with pytest.raises(NotFound):
        await client.accounts.retrieve(acme.id)

    key = await client.keys.create(livemode=False, networks=["192.0.2.0/24"])
    assert key.secret is not None
    assert key.secret.startswith("sk_test_")
    newer = await client.keys.rotate(key.id, overlap_seconds=60)
    older = await client.keys.retrieve(key.id)
    assert (older.networks, older.secret, newer.networks) == (["192.0.2.0/24"], None, ["192.0.2.0/24"])
    assert older.expires_at is not None
    await client.keys.delete(newer.id)
    revoked = {one.id for one in [one async for one in client.keys.list()] if one.revoked_at is not None}
    assert newer.id in revoked


async def test_a_list_is_read_page_after_page_and_no_further_than_it_is_asked_for(
    client: AsyncClient, blocking: Client
) -> None:
    for at in range(103):
        await client.users.create(name=f"User {at}")
    names = [user.name async for user in client.users.list(search="User ")]
    assert names == [f"User {at}" for at in reversed(range(103))]
    assert await asyncio.to_thread(lambda: [user.name for user in blocking.users.list(search="User ")]) == names


async def test_a_call_is_placed_once_however_often_it_is_asked_for_with_one_key(
    office: Office, client: AsyncClient, blocking: Client
) -> None:
    await client.devices.create(office.user.id, endpoint="desk")
    office.switch.registered["desk"] = [Contact("sip:desk@192.0.2.1")]
    wish: Wish = {"user_id": office.user.id, "dial_string": NUMBER}
    preflight = await client.calls.preflight(user_id=office.user.id, dial_string="555 123 4567")
    assert (preflight.allowed, preflight.number, preflight.devices[0].rings) == (True, NUMBER, True)
    first = await client.calls.create(**wish, idempotency_key="order 4711", metadata={"crm": "42"}, ring_timeout=20)
    again = await asyncio.to_thread(
        lambda: blocking.calls.create(**wish, idempotency_key="order 4711", metadata={"crm": "42"}, ring_timeout=20)
    )
    assert (again.id, first.replayed, again.replayed) == (first.id, False, True)
    with pytest.raises(Conflict) as refused:
        await client.calls.create(**wish, idempotency_key="order 4711")
    assert refused.value.code == "idempotency_conflict"
    call = await client.calls.retrieve(first.id)
    assert (call.live, call.state, call.metadata, call.legs[0].device) == (True, "ringing_user", {"crm": "42"}, "desk")
    await client.calls.cancel(first.id)
    events = [event async for event in client.events.of_call(first.id)]
    assert events == list(await client.calls.log(first.id))[-len(events) :]
    assert events[-1].data.outcome == "cancelled"
    with pytest.raises(NotFound):
        await anext(client.events.of_call("call_01h2xcejqtf2nbrexx3vqjhp42"))
    ended = await client.calls.retrieve(first.id)
    assert (ended.live, ended.outcome, ended.reason) == (False, "cancelled", "cancelled_by_api")
    listed = [one async for one in client.calls.list(live=False, to_number=NUMBER, to_date=datetime.now(UTC))]
    assert listed == [ended]
    assert ended.id in b"".join([piece async for piece in client.calls.csv(user_id=office.user.id)]).decode()
    assert await client.calls.erase(NUMBER) == 1
    assert (await client.calls.retrieve(first.id)).to_number is None


async def test_a_refusal_says_which_field_is_wrong_and_what_to_tell_people(
    office: Office, client: AsyncClient, blocking: Client
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await client.calls.create(user_id=office.user.id, dial_string="nobody")
    error = refused.value
    assert (error.status, error.code, error.field, error.rule) == (
        400,
        "validation_error",
        "dial_string",
        "malformed_dial_string",
    )
    assert str(error).startswith("Invalid dial_string: ")
    assert error.request_id
    with pytest.raises(InvalidRequest) as refused:
        await asyncio.to_thread(lambda: blocking.calls.create(user_id="alice", dial_string=NUMBER))
    assert (refused.value.code, refused.value.field) == ("invalid_user_id", "user_id")
    with pytest.raises(NotFound):
        await client.calls.create(user_id=NOBODY, dial_string=NUMBER)
    async with AsyncClient(office.url, "sk_live_x", account=office.account.id) as stranger:
        with pytest.raises(NotAuthenticated):
            await anext(aiter(stranger.users.list()))


async def test_a_session_acts_for_its_user_until_it_is_revoked(office: Office, client: AsyncClient) -> None:
    session = await client.sessions.create_for_user(office.user.id, ttl_seconds=60)
    assert (session.user_id, session.account_id) == (office.user.id, office.account.id)
    assert 50 < (session.expires_at - datetime.now(UTC)).total_seconds() <= 60
    async with AsyncClient(office.url, session.client_secret) as browser:
        placed = await browser.calls.create(user_id=office.user.id, dial_string=NUMBER)
        assert [call.id async for call in browser.calls.list()] == [placed.id]
        await client.sessions.revoke_for_user(office.user.id)
        with pytest.raises(NotAuthenticated):
            await browser.calls.retrieve(placed.id)
        with pytest.raises(NotAuthenticated):
            await anext(browser.events.follow())
    whole = await client.sessions.create_for_account(office.account.id)
    await client.sessions.revoke_for_account(whole.account_id)


async def test_webhook_endpoints_are_made_tried_and_removed(client: AsyncClient) -> None:
    made = await client.webhooks.create("https://hooks.example.com/c2c", description="CRM")
    assert made.secret is not None
    changed = await client.webhooks.update(made.id, enabled_events=["call.end"], status="disabled")
    assert (changed.enabled_events, changed.status, changed.secret) == (["call.end"], "disabled", None)
    changed = await client.webhooks.update(made.id, status="enabled")
    rotated = await client.webhooks.rotate(made.id, overlap_seconds=60)
    assert rotated.secret not in (None, made.secret)
    sent = await client.webhooks.test(made.id)
    assert [one.id async for one in client.webhooks.deliveries(made.id)] == [sent.id]
    assert (await client.webhooks.redeliver(made.id, sent.id)).event_id == sent.event_id
    assert [one.id async for one in client.webhooks.list()] == [made.id]
    assert (await client.webhooks.retrieve(made.id)).url == made.url
    await client.webhooks.delete(made.id)


async def test_another_account_is_reached_over_the_same_connections(office: Office, client: AsyncClient) -> None:
    second = await client.ask("POST", "/v1/accounts", {"name": "Second"})
    other = client.of_account(second["id"])
    await other.users.create(name="Zoe")
    assert [user.name async for user in other.users.list()] == ["Zoe"]
    assert office.user.id in [user.id async for user in client.users.list()]
    assert await client.ask("DELETE", f"/v1/users/{office.user.id}") == {}


async def test_what_is_kept_is_told_and_then_it_ends(office: Office, client: AsyncClient, blocking: Client) -> None:
    await office.call(office.user.id)
    told = [one async for one in client.events.kept()]
    assert [one.event.type for one in told if isinstance(one, StreamEvent)] == ["call.end"]
    assert await asyncio.to_thread(lambda: list(blocking.events.kept())) == told
    assert [one async for one in client.events.kept(after=told[-1].number or 0)] == []
    (missed,) = [one async for one in client.events.kept(after=4711)]
    assert isinstance(missed, Reset)
    assert missed.reason == "unknown"


def test_the_environment_of_the_demonstration_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"C2C_BASE_URL": "http://127.0.0.1:9/", "C2C_API_KEY": "sk_test_x", "C2C_ACCOUNT": ""}.items():
        monkeypatch.setenv(name, value)
    Client.from_environment().close()
    monkeypatch.delenv("C2C_API_KEY")
    with pytest.raises(KeyError, match="C2C_API_KEY"):
        Client.from_environment()
    with pytest.raises(ValueError, match="not the address"):
        Client("c2c.example.com", "sk_test_x")
