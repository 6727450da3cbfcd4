"""Devices that are web pages: made with a key, and opened by the page with the session of its user."""

import hashlib
from typing import Any

from c2c_stasis.directory.sip_account import REALM, Registrant
from c2c_stasis.ports import SipServer
from tests.api.resources.office import Json, Office

WEBSOCKET = "wss://pbx.example.com/ws"


async def made(office: Office, **fields: object) -> Json:
    return await office.make(f"/v1/users/{office.user.id}/endpoints", type="browser", **fields)


def opening(office: Office, user_id: str = "") -> str:
    return f"/v1/users/{user_id or office.user.id}/browser_phone"


async def session(office: Office, user_id: str = "") -> str:
    answer = await office.make("/v1/user_sessions", user_id=user_id or office.user.id)
    secret: str = answer["client_secret"]
    return secret


def registrant(told: dict[str, Any]) -> Registrant:
    text = f"{told['username']}:{REALM}:{told['password']}"
    return Registrant(hashlib.md5(text.encode()).hexdigest(), browser=True)


async def test_a_browser_is_told_where_it_registers(office: Office) -> None:
    device = await made(office, name="Console")

    assert device["type"] == "browser"
    assert device["sip"]["websocket_url"] == WEBSOCKET
    assert device["sip"]["transport"] == "wss"
    assert device["sip"]["uri"] == f"sip:{device['endpoint']}@pbx.example.com"
    assert "setup" not in device  # there is nothing to type in
    assert office.switch.phones == {device["endpoint"]: registrant(device["sip"])}


async def test_a_phone_that_is_no_browser_says_so(office: Office) -> None:
    device = await office.make(f"/v1/users/{office.user.id}/endpoints")

    assert (device["type"], device["sip"]["transport"], device["sip"]["websocket_url"]) == ("sip", "udp", None)
    assert not office.switch.phones[device["endpoint"]].browser


async def test_no_browser_without_a_websocket_and_the_answer_names_the_setting(office: Office) -> None:
    await made(office)
    office.service.sip_server = SipServer("pbx.example.com")
    status, answer = await office.ask("POST", f"/v1/users/{office.user.id}/endpoints", {"type": "browser"})

    assert status == 400
    assert "websocket_url under [sip]" in answer["error"]
    assert (await office.refused("POST", opening(office)))[0] == 400


async def test_an_endpoint_of_asterisks_files_is_no_browser(office: Office) -> None:
    body = {"type": "browser", "endpoint": "alice-desk"}
    path = f"/v1/users/{office.user.id}/endpoints"
    assert (await office.refused("POST", path, body))[0] == 400


async def test_the_newest_page_is_the_phone(office: Office) -> None:
    device, secret = await made(office, name="Console"), await session(office)

    status, first = await office.ask("POST", opening(office), key=secret)
    _, second = await office.ask("POST", opening(office), key=secret)

    assert status == 200
    assert first == {
        "endpoint": device["id"],
        "endpoint_id": device["id"],
        "type": "browser",
        "user_id": office.user.id,
        "name": "Console",
        "websocket_url": WEBSOCKET,
        "uri": f"sip:{device['endpoint']}@pbx.example.com",
        "username": device["endpoint"],
        "password": first["password"],
    }
    assert len({one["password"] for one in (device["sip"], first, second)}) == 3
    assert office.switch.phones == {device["endpoint"]: registrant(second)}


async def test_a_session_opens_the_phone_of_its_own_user_alone(office: Office) -> None:
    await made(office)
    bob = await office.make("/v1/users", name="Bob")
    secret = await session(office, bob["id"])

    assert (await office.refused("POST", opening(office), key=secret))[0] == 403
    assert (await office.refused("POST", opening(office, bob["id"]), key=secret))[:2] == (404, "endpoint_not_found")


async def test_a_session_gives_no_other_phone_a_password(office: Office) -> None:
    desk = await office.make(f"/v1/users/{office.user.id}/endpoints")
    secret = await session(office)

    assert (await office.refused("POST", opening(office), {"device_id": desk["id"]}, key=secret))[0] == 404
    reset = f"/v1/users/{office.user.id}/endpoints/{desk['id']}/reset_password"
    assert (await office.refused("POST", reset, key=secret))[0] == 403


async def test_of_several_the_page_may_say_which(office: Office) -> None:
    older, newer = await made(office, name="CRM"), await made(office, name="Console")

    assert (await office.change(opening(office)))["endpoint_id"] == newer["id"]
    assert (await office.change(opening(office), device_id=older["id"]))["name"] == "CRM"
