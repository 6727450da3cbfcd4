"""`c2c-stasis users`: the people whose phones ring."""

from typing import Any

import click

from c2c_stasis.cli.access import EXIT_STATUS, for_account
from c2c_stasis.cli.names import location_named, number_named, number_of, require_new_name, user_named
from c2c_stasis.cli.remote import Remote
from c2c_stasis.cli.tables import Column, print_deleted, print_list, print_record

_COLUMNS: tuple[Column, ...] = (
    ("ID", "id"),
    ("NAME", "name"),
    ("EXTENSIONS", "extensions"),
    ("EMAIL", "email"),
    ("DO NOT DISTURB", "do_not_disturb"),
)
_WITH_EXTENSIONS = {"expand[]": "extensions"}
_ANOTHER = click.option("--another", is_flag=True, help="Even if there is one of that name.")
_DISTURB = click.option(
    "--do-not-disturb/--disturb", default=None, help="Whether the phones stay silent when somebody calls the user."
)
_CALLER_NUMBER = click.option(
    "--caller-number", metavar="+NUMBER|ID", help='The number that the user shows; "" for the account\'s.'
)

_LOCATION = click.option("--location", metavar="LOCATION", help='Where the user is; "" for nowhere.')


@click.group(epilog=EXIT_STATUS)
def users() -> None:
    """Users: people whose phones ring. A user goes by id, name, e-mail address or extension."""


@users.command("list", epilog=EXIT_STATUS)
@for_account
@click.option("--search", metavar="TEXT", default="", help="Only those with this in the name or e-mail address.")
def list_users(remote: Remote, search: str) -> None:
    """List all users, newest first."""
    found = remote.every("users", search=search, **_WITH_EXTENSIONS)
    print_list(remote, found, _COLUMNS, "there is no such user. Make one: c2c-stasis users create NAME")


@users.command("create", epilog=EXIT_STATUS)
@for_account
@click.argument("name")
@click.option("--email", metavar="ADDRESS", help="The user's e-mail address.")
@_DISTURB
@_CALLER_NUMBER
@_LOCATION
@_ANOTHER
def create_user(remote: Remote, another: bool, **said: Any) -> None:
    """Make a user."""
    if not another:
        require_new_name(remote, "users", said["name"])
    print_record(remote, remote.post("users", body=_fields(remote, said)))


@users.command("show", epilog=EXIT_STATUS)
@for_account
@click.argument("user")
def show_user(remote: Remote, user: str) -> None:
    """Show one user, with devices and caller number."""
    record = remote.get("users", user_named(remote, user), **_WITH_EXTENSIONS)
    print_record(
        remote,
        record,
        caller_number=lambda: number_of(remote, record) or "that of the account",
        devices=lambda: [
            f"{one['endpoint']} ({one['status']})" for one in remote.every("endpoints", user=record["id"])
        ],
    )


@users.command("update", epilog=EXIT_STATUS)
@for_account
@click.argument("user")
@click.option("--name", metavar="NAME", help="Another name.")
@click.option("--email", metavar="ADDRESS", help='Another address; "" for none.')
@_DISTURB
@_CALLER_NUMBER
@_LOCATION
def update_user(remote: Remote, user: str, **said: Any) -> None:
    """Change a user."""
    user_id = user_named(remote, user)
    print_record(remote, remote.post("users", user_id, body=_fields(remote, said)))


@users.command("delete", epilog=EXIT_STATUS)
@for_account
@click.argument("user")
def delete_user(remote: Remote, user: str) -> None:
    """Delete a user with devices and extensions. Refused while a call of or to the user lives."""
    user_id = user_named(remote, user)
    remote.delete("users", user_id)
    print_deleted(remote, "user", user_id)


def _fields(remote: Remote, said: dict[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in said.items() if value is not None}
    if (number := fields.pop("caller_number", None)) is not None:
        fields["caller_number_id"] = number_named(remote, number) if number else None
    if (location := fields.pop("location", None)) is not None:
        fields["location_id"] = location_named(remote, location) if location else None
    return fields
