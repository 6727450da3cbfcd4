"""`c2c-stasis devices`: the phones of users, each standing for an endpoint that Asterisk has."""

from typing import Any

import click

from c2c_stasis.cli.access import EXIT_STATUS, for_account
from c2c_stasis.cli.devices_import import import_devices
from c2c_stasis.cli.names import device_named, user_named
from c2c_stasis.cli.remote import Record, Remote
from c2c_stasis.cli.tables import Column, print_deleted, print_list, print_record


@click.group(epilog=EXIT_STATUS)
def devices() -> None:
    """Devices: phones of users. A device stands for a PJSIP endpoint and goes by its name, or by its id."""


devices.add_command(import_devices)


@devices.command("list", epilog=EXIT_STATUS)
@for_account
@click.option("--user", metavar="USER", help="Only those of this user.")
def list_devices(remote: Remote, user: str | None) -> None:
    """List all devices, newest first, and where they are registered."""
    names = {one["id"]: one["name"] for one in remote.every("users")}
    columns: tuple[Column, ...] = (
        ("ID", "id"),
        ("ENDPOINT", "endpoint"),
        ("NAME", "name"),
        ("USER", lambda device: names.get(device["user_id"], "")),
        ("STATUS", "status"),
        ("REGISTERED AT", "contacts"),
    )
    query = {"user": user_named(remote, user)} if user else {}
    none = "there is no device yet. Attach one: c2c-stasis devices create USER ENDPOINT, or devices import"
    print_list(remote, remote.every("endpoints", **query), columns, none)


@devices.command("create", epilog=EXIT_STATUS)
@for_account
@click.argument("user")
@click.argument("endpoint")
@click.option("--name", metavar="TEXT", help="What the user calls it.")
def create_device(remote: Remote, user: str, endpoint: str, name: str | None) -> None:
    """Attach a PJSIP endpoint to a user: it rings from the next call on."""
    body = {"endpoint": endpoint} | ({"name": name} if name else {})
    made = remote.post("users", user_named(remote, user), "endpoints", body=body)
    print_record(remote, made)
    if made["status"] == "offline":
        click.echo(f"No phone is registered as PJSIP/{endpoint} now: see c2c-stasis devices import.", err=True)


@devices.command("show", epilog=EXIT_STATUS)
@for_account
@click.argument("device")
def show_device(remote: Remote, device: str) -> None:
    """Show one device, by endpoint or id, and where it is registered."""
    print_record(remote, remote.get(*_path(device_named(remote, device))))


@devices.command("update", epilog=EXIT_STATUS)
@for_account
@click.argument("device")
@click.option("--name", metavar="TEXT", help='What the user calls it; "" for nothing.')
@click.option("--endpoint", metavar="ENDPOINT", help="Another PJSIP endpoint for it.")
def update_device(remote: Remote, device: str, **said: Any) -> None:
    """Change a device, by endpoint or id."""
    fields = {name: value for name, value in said.items() if value is not None}
    print_record(remote, remote.post(*_path(device_named(remote, device)), body=fields))


@devices.command("delete", epilog=EXIT_STATUS)
@for_account
@click.argument("device")
def delete_device(remote: Remote, device: str) -> None:
    """Take a device from its user, by endpoint or id. The endpoint stays in Asterisk."""
    found = device_named(remote, device)
    remote.delete(*_path(found))
    print_deleted(remote, "device", found["id"])


def _path(device: Record) -> tuple[str, ...]:
    return "users", device["user_id"], "endpoints", device["id"]
