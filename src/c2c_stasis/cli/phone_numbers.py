"""`c2c-stasis phone-numbers`: the numbers that calls may show."""

from typing import Any

import click

from c2c_stasis.cli.access import EXIT_STATUS, for_account
from c2c_stasis.cli.names import number_named
from c2c_stasis.cli.remote import Remote
from c2c_stasis.cli.tables import Column, print_deleted, print_list, print_record

_COLUMNS: tuple[Column, ...] = (
    ("ID", "id"),
    ("NUMBER", "phone_number"),
    ("STATUS", "status"),
    ("OUTBOUND", "outbound_enabled"),
    ("NAME SHOWN", "caller_id_name"),
)
_FIELDS = (
    click.option("--caller-id-name", metavar="NAME", help="The name that is shown with it."),
    click.option("--status", type=click.Choice(["active", "inactive"]), help="Whether it may be used."),
    click.option("--outbound/--no-outbound", "outbound_enabled", default=None, help="Whether calls may show it."),
)


@click.group("phone-numbers", epilog=EXIT_STATUS)
def phone_numbers() -> None:
    """Phone numbers: what calls of an account may show. Make one the caller number of the account or of a user."""


@phone_numbers.command("list", epilog=EXIT_STATUS)
@for_account
def list_phone_numbers(remote: Remote) -> None:
    """List all numbers, newest first."""
    none = "there is no number yet. Make one: c2c-stasis phone-numbers create +12025550142"
    print_list(remote, remote.every("phone-numbers"), _COLUMNS, none)


@phone_numbers.command("create", epilog=EXIT_STATUS)
@for_account
@click.argument("number")
@_FIELDS[0]
@_FIELDS[1]
@_FIELDS[2]
def create_phone_number(remote: Remote, number: str, **said: Any) -> None:
    """Enter a number of the account, in E.164 such as +12025550142."""
    print_record(remote, remote.post("phone-numbers", body={"phone_number": number} | _said(said)))


@phone_numbers.command("show", epilog=EXIT_STATUS)
@for_account
@click.argument("number")
def show_phone_number(remote: Remote, number: str) -> None:
    """Show one number, by id or in E.164."""
    print_record(remote, remote.get("phone-numbers", number_named(remote, number)))


@phone_numbers.command("update", epilog=EXIT_STATUS)
@for_account
@click.argument("number")
@_FIELDS[0]
@_FIELDS[1]
@_FIELDS[2]
def update_phone_number(remote: Remote, number: str, **said: Any) -> None:
    """Change a number, by id or in E.164."""
    print_record(remote, remote.post("phone-numbers", number_named(remote, number), body=_said(said)))


@phone_numbers.command("delete", epilog=EXIT_STATUS)
@for_account
@click.argument("number")
def delete_phone_number(remote: Remote, number: str) -> None:
    """Delete a number that is nobody's caller number."""
    number_id = number_named(remote, number)
    remote.delete("phone-numbers", number_id)
    print_deleted(remote, "phone number", number_id)


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
