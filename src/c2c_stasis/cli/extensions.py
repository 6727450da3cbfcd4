"""`c2c-stasis extensions`: short numbers that lead to users."""

import click

from c2c_stasis.cli.access import EXIT_STATUS, for_account
from c2c_stasis.cli.names import user_in_words, user_named
from c2c_stasis.cli.remote import InUse, Remote
from c2c_stasis.cli.tables import Column, print_deleted, print_list, print_record


@click.group(epilog=EXIT_STATUS)
def extensions() -> None:
    """Extensions: short numbers that lead to users."""


@extensions.command("list", epilog=EXIT_STATUS)
@for_account
def list_extensions(remote: Remote) -> None:
    """List all extensions, newest first."""
    names = {user["id"]: user["name"] for user in remote.every("users")}
    columns: tuple[Column, ...] = (
        ("NUMBER", "number"),
        ("USER", lambda one: names.get(one["user_id"], "")),
        ("USER ID", "user_id"),
    )
    none = "there is no extension yet. Make one: c2c-stasis extensions create NUMBER USER"
    print_list(remote, remote.every("extensions"), columns, none)


@extensions.command("create", epilog=EXIT_STATUS)
@for_account
@click.argument("number")
@click.argument("user")
def create_extension(remote: Remote, number: str, user: str) -> None:
    """Make an extension that leads to a user."""
    body = {"number": number, "target": user_named(remote, user)}
    try:
        made = remote.post("extensions", body=body)
    except InUse as error:
        whose = user_in_words(remote, remote.get("extensions", number)["user_id"])
        fix = f"c2c-stasis extensions update {number} USER lets it lead elsewhere"
        raise InUse(f"{number} leads to {whose} already; {fix}") from error
    print_record(remote, made)


@extensions.command("show", epilog=EXIT_STATUS)
@for_account
@click.argument("number")
def show_extension(remote: Remote, number: str) -> None:
    """Show one extension."""
    print_record(remote, remote.get("extensions", number))


@extensions.command("update", epilog=EXIT_STATUS)
@for_account
@click.argument("number")
@click.argument("user")
def update_extension(remote: Remote, number: str, user: str) -> None:
    """Let an extension lead to another user."""
    body = {"target": user_named(remote, user)}
    print_record(remote, remote.post("extensions", number, body=body))


@extensions.command("delete", epilog=EXIT_STATUS)
@for_account
@click.argument("number")
def delete_extension(remote: Remote, number: str) -> None:
    """Delete an extension."""
    remote.delete("extensions", number)
    print_deleted(remote, "extension", number)
