"""`c2c-stasis locations`: where users and devices are."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from c2c_stasis.cli.access import EXIT_STATUS, for_account
from c2c_stasis.cli.names import location_named, number_named
from c2c_stasis.cli.remote import Record, Remote
from c2c_stasis.cli.tables import Column, print_deleted, print_list, print_record

F = TypeVar("F", bound=Callable[..., Any])

_ADDRESS = {
    "address_number": "House number, unless it stands in the street.",
    "street": "Street.",
    "unit": "Suite or apartment.",
    "building": "Building.",
    "floor": "Floor.",
    "room": "Room.",
    "city": "City.",
    "state": "State or province.",
    "postal_code": "Postal code.",
    "country": "ISO 3166-1 code, such as US.",
}
_ALWAYS = ("street", "city", "country")
_COLUMNS: tuple[Column, ...] = (
    ("ID", "id"),
    ("NAME", "name"),
    ("ADDRESS", lambda location: _in_one_line(location["address"])),
    ("NUMBER", "primary_did"),
)


def _fields(*, required: bool) -> Callable[[F], F]:
    """The options for an address and its number."""

    def decorate(command: F) -> F:
        number = click.option("--primary-number", metavar="+NUMBER|ID", help="Whom to call back there.")
        command = number(command)
        for name, meaning in reversed(_ADDRESS.items()):
            option = f"--{name.replace('_', '-')}"
            command = click.option(option, name, required=required and name in _ALWAYS, help=meaning)(command)
        return command

    return decorate


@click.group(epilog=EXIT_STATUS)
def locations() -> None:
    """Locations: where users and devices are. A location goes by name or id."""


@locations.command("list", epilog=EXIT_STATUS)
@for_account
def list_locations(remote: Remote) -> None:
    """List all locations, newest first."""
    none = "there is no location yet. Make one: c2c-stasis locations create NAME --street … --city … --country …"
    print_list(remote, remote.every("locations"), _COLUMNS, none)


@locations.command("create", epilog=EXIT_STATUS)
@for_account
@click.argument("name")
@_fields(required=True)
def create_location(remote: Remote, name: str, **said: Any) -> None:
    """Enter a location."""
    print_record(remote, remote.post("locations", body={"name": name} | _body(remote, said)))


@locations.command("show", epilog=EXIT_STATUS)
@for_account
@click.argument("location")
def show_location(remote: Remote, location: str) -> None:
    """Show one location."""
    print_record(remote, remote.get("locations", location_named(remote, location)))


@locations.command("update", epilog=EXIT_STATUS)
@for_account
@click.argument("location")
@click.option("--name", metavar="TEXT", help="Another name.")
@_fields(required=False)
def update_location(remote: Remote, location: str, name: str | None, **said: Any) -> None:
    """Change a location; what is not said of the address stays as it is."""
    location_id = location_named(remote, location)
    body = _body(remote, said) | ({"name": name} if name is not None else {})
    if "address" in body:
        body["address"] = remote.get("locations", location_id)["address"] | body["address"]
    print_record(remote, remote.post("locations", location_id, body=body))


@locations.command("delete", epilog=EXIT_STATUS)
@for_account
@click.argument("location")
def delete_location(remote: Remote, location: str) -> None:
    """Delete a location where no user and no device is."""
    location_id = location_named(remote, location)
    remote.delete("locations", location_id)
    print_deleted(remote, "location", location_id)


def _body(remote: Remote, said: dict[str, Any]) -> dict[str, Any]:
    number = said.pop("primary_number")
    address = {name: value for name, value in said.items() if value is not None}
    body: dict[str, Any] = {"address": address} if address else {}
    if number is not None:
        body["primary_did"] = number_named(remote, number) if number else None
    return body


def _in_one_line(address: Record) -> str:
    return ", ".join(str(address[name]) for name in _ADDRESS if address[name])
