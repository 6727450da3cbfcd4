"""Phones that are made over HTTP: what the answer holds once, and what is kept."""

import hashlib
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from c2c_stasis.config import Calls
from c2c_stasis.directory.sip_account import REALM, Registrant
from c2c_stasis.policy.settings import Settings
from c2c_stasis.ports import Contact
from tests.api.resources.office import Json, Office
from tests.store.samples import rows

SVG = "{http://www.w3.org/2000/svg}svg"


async def made(office: Office, **fields: object) -> Json:
    return await office.make(f"/v1/users/{office.user.id}/endpoints", **fields)


def path_of(office: Office, device: Json) -> str:
    return f"/v1/users/{office.user.id}/endpoints/{device['id']}"


def ha1(sip: Json) -> str:
    return hashlib.md5(f"{sip['username']}:{REALM}:{sip['password']}".encode()).hexdigest()


async def test_a_phone_is_made_with_a_name_and_a_password_of_its_own(office: Office) -> None:
    first, second = await made(office, name="Desk"), await made(office, endpoint=None)

    for device in (first, second):
        assert re.fullmatch(r"c2c-[a-z2-9]{12}", device["sip"]["username"])
        assert re.fullmatch(r"[A-Za-z2-9]{24}", device["sip"]["password"])
        assert device["endpoint"] == device["sip"]["username"]
        assert (device["provisioning"], device["status"], device["contacts"]) == ("done", "offline", [])
    assert first["sip"]["username"] != second["sip"]["username"]
    assert first["sip"]["password"] != second["sip"]["password"]
    assert office.switch.phones == {device["endpoint"]: Registrant(ha1(device["sip"])) for device in (first, second)}


async def test_the_password_is_told_once(office: Office) -> None:
    device = await made(office, name="Desk")

    shown = await office.get(path_of(office, device))

    assert set(device) - set(shown) == {"setup"}
    assert device["sip"] == shown["sip"] | {"password": device["sip"]["password"]}
    assert (await office.get("/v1/endpoints"))["data"] == [shown]
    assert await office.change(path_of(office, device), name="Front desk") == shown | {"name": "Front desk"}


async def test_setting_a_phone_up_takes_a_text_or_a_picture(office: Office) -> None:
    device = await made(office, name="Front <desk> & co")
    sip, setup = device["sip"], device["setup"]

    for word in ("pbx.example.com", "UDP", sip["username"], sip["password"], "Front <desk> & co"):
        assert word in setup["text"]
    account = ElementTree.fromstring(setup["qr_text"]).find("Account")
    assert account is not None
    assert {field.tag: field.text for field in account} == {
        "RegisterServer": "pbx.example.com",
        "UserID": sip["username"],
        "AuthID": sip["username"],
        "AuthPass": sip["password"],
        "AccountName": "Front <desk> & co",
        "DisplayName": "Front <desk> & co",
    }
    picture = ElementTree.fromstring(setup["qr_svg"])
    assert picture.tag == SVG
    assert int(picture.attrib["width"]) > 200
    assert "#fff" in setup["qr_svg"]  # white behind it, also on a dark page


async def test_a_phone_without_a_name_is_called_like_its_user(office: Office) -> None:
    assert (await made(office))["setup"]["text"].startswith(f"Phone      {office.user.name}\n")


@pytest.mark.parametrize(
    "name", ["&" * 128, "\N{CAT FACE}" * 128, "é"], ids=["escaped", "four bytes each", "an accent"]
)
async def test_any_name_fits_into_the_picture(office: Office, name: str) -> None:
    setup = (await made(office, name=name))["setup"]

    account = ElementTree.fromstring(setup["qr_text"]).find("Account")
    assert account is not None
    assert account.findtext("DisplayName") == name
    assert ElementTree.fromstring(setup["qr_svg"]).tag == SVG


async def test_another_password_takes_the_place_of_the_old_one(office: Office) -> None:
    device = await made(office)

    changed = await office.change(path_of(office, device) + "/reset_password")

    assert changed["sip"]["username"] == device["sip"]["username"]
    assert changed["sip"]["password"] != device["sip"]["password"]
    assert changed["sip"]["password"] in changed["setup"]["qr_text"]
    assert office.switch.phones == {device["endpoint"]: Registrant(ha1(changed["sip"]))}


async def test_a_password_is_not_the_clients_to_choose(office: Office) -> None:
    path = path_of(office, await made(office)) + "/reset_password"

    assert await office.refused("POST", path, {"password": "mine"}) == (
        400,
        "validation_error",
        {"password": "is not a known field"},
    )


async def test_an_attached_device_has_no_password_here(office: Office) -> None:
    device = await made(office, endpoint="desk")

    status, code, details = await office.refused("POST", path_of(office, device) + "/reset_password", {})

    assert (status, code) == (400, "validation_error")
    assert "own files" in details["endpoint"]
    assert ("setup" in device, "password" in device["sip"]) == (False, False)
    assert office.switch.phones == {}


async def test_a_phone_that_was_made_here_keeps_its_endpoint(office: Office) -> None:
    device = await made(office)

    assert (await office.refused("POST", path_of(office, device), {"endpoint": "desk"}))[0] == 400
    assert (await office.change(path_of(office, device), endpoint=device["endpoint"]))["endpoint"] == device["endpoint"]


async def test_a_deleted_phone_is_to_be_gone_from_asterisk_and_its_name_is_never_used_again(office: Office) -> None:
    device, other = await made(office), await made(office, endpoint="desk")

    await office.delete(path_of(office, device))
    await office.delete(path_of(office, other))

    assert office.switch.phones == {}
    assert office.switch.removed == {device["endpoint"]}
    status, _, details = await office.refused(
        "POST", f"/v1/users/{office.user.id}/endpoints", {"endpoint": device["endpoint"]}
    )
    assert (status, details) == (400, {"endpoint": "was that of a device which was deleted"})


async def test_with_a_user_the_phones_go(office: Office) -> None:
    ben = await office.make("/v1/users", name="Ben")
    device = await office.make(f"/v1/users/{ben['id']}/endpoints")

    await office.delete(f"/v1/users/{ben['id']}")

    assert office.switch.removed == {device["endpoint"]}


async def test_while_asterisk_is_away_a_phone_is_made_all_the_same_and_pending(office: Office) -> None:
    office.switch.connected = False

    device = await made(office)

    assert (device["provisioning"], device["status"]) == ("pending", "offline")
    office.switch.connected = True
    office.switch.registered[device["endpoint"]] = [Contact("sip:a@192.0.2.1")]
    shown = await office.get(path_of(office, device))
    assert (shown["provisioning"], shown["status"]) == ("done", "online")


async def test_a_trunk_is_nobodys_phone(office: Office) -> None:
    devices = f"/v1/users/{office.user.id}/endpoints"
    device = await made(office, endpoint="desk")
    told = (400, "validation_error", {"endpoint": "is that of a trunk, and no phone"})

    assert await office.refused("POST", devices, {"endpoint": "carrier"}) == told
    assert await office.refused("POST", path_of(office, device), {"endpoint": "carrier"}) == told
    office.service.reconfigure(Calls(), (), (), Settings())  # the configuration names no trunk any more
    assert (await made(office, endpoint="carrier"))["endpoint"] == "carrier"


async def test_no_password_is_kept(office: Office, tmp_path: Path) -> None:
    device = await made(office)

    kept = rows(tmp_path / "c2c.db", "SELECT * FROM devices")

    assert device["sip"]["password"] not in repr(kept)
    assert ha1(device["sip"]) in repr(kept)
