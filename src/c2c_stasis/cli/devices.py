"""`c2c-stasis devices`: the phones of users, each standing for an endpoint of Asterisk."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from c2c_stasis.cli.access import EXIT_STATUS, for_account
from c2c_stasis.cli.asterisk_endpoints import warning_of_unknown
from c2c_stasis.cli.devices_import import import_devices
from c2c_stasis.cli.names import device_named, location_named, user_in_words, user_named
from c2c_stasis.cli.remote import InUse, Record, Remote
from c2c_stasis.cli.tables import Column, print_deleted, print_list, print_record
from c2c_stasis.printable import printable


@click.group(epilog=EXIT_STATUS)
def devices() -> None:
    """Devices: phones of users. A device stands for a PJSIP endpoint and goes by its name, or by its id."""


devices.add_command(import_devices)


@devices.command("list", epilog=EXIT_STATUS)
@for_account
@click.option("--user", metavar="USER", help="Only those of this user.")
def list_devices(remote: Remote, user: str | None) -> None:
    """List all devices, and where they are registered.

    The newest comes first.
    """
    names = {one["id"]: one["name"] for one in remote.every("users")}
    columns: tuple[Column, ...] = (
        ("ID", "id"),
        ("ENDPOINT", "endpoint"),
        ("NAME", "name"),
        ("TYPE", "type"),
        ("USER", lambda device: names.get(device["user_id"], "")),
        ("STATUS", "status"),
        ("REGISTERED AT", "contacts"),
    )
    query = {"user": user_named(remote, user)} if user else {}
    none = "there is no device yet. Make one: c2c-stasis devices create USER"
    print_list(remote, remote.every("endpoints", **query), columns, none)


@devices.command("create", epilog=EXIT_STATUS)
@for_account
@click.argument("user")
@click.argument("endpoint", required=False)
@click.option("--name", metavar="TEXT", help="What the user calls it.")
@click.option("--location", metavar="LOCATION", help="Where it is.")
@click.option("--browser", is_flag=True, help="A web page is the phone.")
def create_device(
    remote: Remote, user: str, endpoint: str | None, name: str | None, location: str | None, browser: bool
) -> None:
    """Give a user a phone, which rings from the next call on.

    Without ENDPOINT it is made in Asterisk, and what to enter into the phone is printed once, with a QR code. With ENDPOINT, a
    PJSIP endpoint that Asterisk has already is attached by its name. With --browser nothing is entered anywhere: pages with
    <c2c-softphone> get what they register with through the session of the user.
    """
    if browser and endpoint is not None:
        raise click.UsageError("--browser makes an endpoint in Asterisk; leave ENDPOINT out")
    body = ({"name": name} if name else {}) | ({"type": "browser"} if browser else {})
    body |= {"location_id": location_named(remote, location)} if location else {}
    user_id = user_named(remote, user)
    if endpoint is None:
        _print_setup(remote, remote.post("users", user_id, "endpoints", body=body))
        return
    with _told_whose(remote, endpoint):
        made = remote.post("users", user_id, "endpoints", body={"endpoint": endpoint} | body)
    print_record(remote, made)
    if made["status"] == "offline":
        _warn(remote, endpoint)


@devices.command("show", epilog=EXIT_STATUS)
@for_account
@click.argument("device")
def show_device(remote: Remote, device: str) -> None:
    """Show one device, and where it is registered.

    It goes by endpoint or id.
    """
    print_record(remote, remote.get(*_path(device_named(remote, device))))


@devices.command("update", epilog=EXIT_STATUS)
@for_account
@click.argument("device")
@click.option("--name", metavar="TEXT", help='What the user calls it; "" for nothing.')
@click.option("--endpoint", metavar="ENDPOINT", help="Another PJSIP endpoint for it.")
@click.option("--location", metavar="LOCATION", help='Where it is; "" for nowhere.')
def update_device(remote: Remote, device: str, location: str | None, **said: Any) -> None:
    """Change a device, by endpoint or id."""
    fields = {name: value for name, value in said.items() if value is not None}
    if location is not None:
        fields["location_id"] = location_named(remote, location) if location else None
    path = _path(device_named(remote, device))
    with _told_whose(remote, fields.get("endpoint", "")):
        changed = remote.post(*path, body=fields)
    print_record(remote, changed)
    if "endpoint" in fields and changed["status"] == "offline":
        _warn(remote, changed["endpoint"])


@devices.command("reset-password", epilog=EXIT_STATUS)
@for_account
@click.argument("device")
def reset_password(remote: Remote, device: str) -> None:
    """Give a phone another password.

    It is printed once, and the old one works no more. For phones that were made here: an endpoint that was attached has its
    password in Asterisk's own files.
    """
    _print_setup(remote, remote.post(*_path(device_named(remote, device)), "reset_password", body={}))


@devices.command("delete", epilog=EXIT_STATUS)
@for_account
@click.argument("device")
def delete_device(remote: Remote, device: str) -> None:
    """Take a device from its user, by endpoint or id. An endpoint that was attached stays in Asterisk."""
    found = device_named(remote, device)
    remote.delete(*_path(found))
    print_deleted(remote, "device", found["id"])


def _print_setup(remote: Remote, made: Record) -> None:
    """The only time that a password is there to be seen."""
    if remote.as_json:
        print_record(remote, made)
        return
    if made["type"] == "browser":
        _print_browser(made)
        return
    import segno  # only here: a command should start at once

    click.echo(printable(made["setup"]["text"], also="\n"))
    picture = io.StringIO()
    segno.make_qr(made["setup"]["qr_text"], error="l", encoding="utf-8").terminal(picture, compact=True)
    click.echo(picture.getvalue())
    click.echo(f"{made['id']}. The password is not kept and cannot be shown again. The code is for Grandstream Wave.")
    if (domain := made["sip"]["domain"]) == "localhost" or domain.startswith("127."):
        click.echo(f"Only a phone on this machine reaches {domain}: set domain under [sip], and restart.", err=True)
    if made["provisioning"] == "pending":
        click.echo("Asterisk does not have this phone yet: see c2c-stasis doctor.", err=True)


def _print_browser(made: Record) -> None:
    """Nobody types a password of a page in: it asks for one itself."""
    click.echo(f"{made['id']}. Pages with <c2c-softphone> register at {made['sip']['websocket_url']}.")
    if made["provisioning"] == "pending":
        click.echo("Asterisk does not have this phone yet: see c2c-stasis doctor.", err=True)


def _warn(remote: Remote, endpoint: str) -> None:
    """Say why a device does not ring yet."""
    offline = f"No phone is registered as PJSIP/{endpoint} now: see c2c-stasis devices import."
    click.echo(warning_of_unknown(remote, endpoint) or offline, err=True)


@contextmanager
def _told_whose(remote: Remote, endpoint: str) -> Iterator[None]:
    """Say whose an endpoint is that is in use: only inside the account, for what others have is not told."""
    try:
        yield
    except InUse as error:
        for device in remote.every("endpoints"):
            if device["endpoint"] == endpoint:
                whose = user_in_words(remote, device["user_id"])
                raise InUse(
                    f"{endpoint} rings for {whose} already; c2c-stasis devices delete {endpoint} frees it"
                ) from error
        raise


def _path(device: Record) -> tuple[str, ...]:
    return "users", device["user_id"], "endpoints", device["id"]
