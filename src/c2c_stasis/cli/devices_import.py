"""`c2c-stasis devices import`: the endpoints that Asterisk has already become devices of users.

Everything that is asked for is checked before anything is attached.
"""

import asyncio
import csv
import json
from dataclasses import dataclass
from pathlib import Path

import click

from c2c_stasis.cli.access import EXIT_STATUS, for_account
from c2c_stasis.cli.names import user_named
from c2c_stasis.cli.remote import Failed, Record, Remote
from c2c_stasis.cli.reporting import load_config, reporting
from c2c_stasis.cli.tables import table
from c2c_stasis.config import Config
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable
from c2c_stasis.printable import printable

SHOWN = 10  # extensions in one message


@dataclass(frozen=True, slots=True)
class _Stock:
    """What Asterisk has, and whose it is by now."""

    online: dict[str, bool]  # every endpoint by name, and whether it is
    attached: dict[str, Record]  # the device of each endpoint that has one, in whichever account of the platform
    trunks: frozenset[str]
    users: dict[str, str]  # the names of the users of this account, by id

    def what(self, name: str) -> str:
        """What an endpoint is by now, in words."""
        if name in self.trunks:
            return "trunk"
        device = self.attached.get(name)
        if device is None:
            return "-"
        return self.users.get(device["user_id"], "another account")


@click.command("import", epilog=EXIT_STATUS)
@for_account
@click.option("--user", metavar="USER", help="Attach the endpoints to this user.")
@click.option("--endpoint", "endpoints", multiple=True, metavar="NAME", help="An endpoint for that user; repeatable.")
@click.option(
    "--map",
    "map_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Attach what this file says: a line ENDPOINT,USER each; # begins a comment.",
)
@click.option(
    "--match-extensions",
    is_flag=True,
    help="Attach every endpoint whose name is an extension to the user of that extension, as FreePBX names them.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be attached, and attach nothing.")
def import_devices(
    remote: Remote,
    user: str | None,
    endpoints: tuple[str, ...],
    map_file: Path | None,
    match_extensions: bool,
    dry_run: bool,
) -> None:
    """List Asterisk's PJSIP endpoints, and attach some to users.

    Asterisk is asked itself: the configuration must be readable here, for its [ari]. Without a choice the command only lists.
    What is attached already stays as it is.

    \b
      c2c-stasis devices import
      c2c-stasis devices import --user alice --endpoint 1001 --endpoint 1001-mobile
      c2c-stasis devices import --match-extensions --dry-run
    """
    ways = [bool(user or endpoints), map_file is not None, match_extensions]
    if sum(ways) > 1:
        raise click.UsageError("choose one way: --user with --endpoint, --map, or --match-extensions.")
    if bool(user) != bool(endpoints):
        raise click.UsageError("--user and --endpoint belong together.")
    stock = _stock(remote)
    if not any(ways):
        _print_stock(remote, stock)
        return
    if match_extensions:
        wishes = _matching(remote, stock)
    else:
        wishes = _read_map(map_file) if map_file else [(name, user or "") for name in endpoints]
    plan = _checked(remote, stock, wishes)
    for name, user_id in plan:
        if not dry_run:
            remote.post("users", user_id, "endpoints", body={"endpoint": name})
    if match_extensions and not remote.as_json and (why := _nothing_matches(remote, stock)):
        click.echo(why, err=True)
        return
    _print_done(remote, stock, plan, dry_run=dry_run)


def _stock(remote: Remote) -> _Stock:
    from c2c_stasis.ari.endpoints import list_endpoints  # takes a third of a second, which no other command needs

    with reporting():
        config = load_config(remote.config)
        try:
            found = asyncio.run(list_endpoints(config.ari))
        except (SwitchRefused, SwitchUnavailable) as error:
            raise SwitchUnavailable(
                f"Asterisk at {config.ari.url}: {error}. Check [ari] in {remote.config}."
            ) from error
    attached: dict[str, Record] = {}
    for account in remote.every("accounts"):
        attached |= {device["endpoint"]: device for device in remote.of_account(account["id"]).every("endpoints")}
    users = {user["id"]: user["name"] for user in remote.every("users")}
    return _Stock({one.name: one.online for one in found}, attached, _trunks(config), users)


def _trunks(config: Config) -> frozenset[str]:
    return frozenset(trunk.pjsip_endpoint for trunk in config.trunks)


def _matching(remote: Remote, stock: _Stock) -> list[tuple[str, str]]:
    """Every free endpoint whose name is an extension, with the user of that extension."""
    extensions = {one["number"]: one["user_id"] for one in remote.every("extensions")}
    free = [name for name in stock.online if name not in stock.attached and name not in stock.trunks]
    return [(name, extensions[name]) for name in free if name in extensions]


def _nothing_matches(remote: Remote, stock: _Stock) -> str:
    """Why no endpoint is, or could be, attached by its name; empty when one is."""
    numbers = sorted(one["number"] for one in remote.every("extensions"))
    if not numbers:
        return "there is no extension yet, by which endpoints could be named: c2c-stasis extensions create NUMBER USER"
    if set(numbers) & (stock.online.keys() - stock.trunks):
        return ""
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return f"nothing to attach: no endpoint is named like an extension ({', '.join(numbers[:SHOWN])}{more})"


def _read_map(file: Path) -> list[tuple[str, str]]:
    """The lines of a map. Raises `UsageError` with every line that is not understood."""
    wishes, wrong = [], []
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    for number, line in enumerate(lines, start=1):
        text = line.partition("#")[0].strip()
        cells = [cell.strip() for cell in next(csv.reader([text]), [])] if text else []
        if len(cells) == 2 and all(cells):
            wishes.append((cells[0], cells[1]))
        elif text:
            wrong.append(f"{file}:{number}: {text!r} is no ENDPOINT,USER")
    if wrong:
        raise click.UsageError("\n".join(wrong))
    return wishes


def _checked(remote: Remote, stock: _Stock, wishes: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The wishes with the ids of the users, without what is so already. Raises `Failed` with all that cannot be."""
    plan: dict[str, str] = {}
    wrong: list[str] = []
    for name, user in wishes:
        try:
            user_id = user_named(remote, user)
        except Failed as error:
            wrong.append(f"{name}: {error.message}")
            continue
        device = stock.attached.get(name)
        if name not in stock.online:
            wrong.append(f"{name}: Asterisk has no such PJSIP endpoint; see c2c-stasis devices import")
        elif name in stock.trunks:
            wrong.append(f"{name}: is a trunk of the configuration, and rings nobody")
        elif plan.get(name, user_id) != user_id:
            wrong.append(f"{name}: is asked for twice, for two users")
        elif device is None:
            plan[name] = user_id
        elif device["user_id"] != user_id:
            wrong.append(f"{name}: rings for {stock.what(name)} already; c2c-stasis devices delete {name} frees it")
    if wrong:
        raise Failed("nothing was attached:\n" + "\n".join(dict.fromkeys(wrong)))
    return list(plan.items())


def _print_stock(remote: Remote, stock: _Stock) -> None:
    if remote.as_json:
        rows = [
            {"endpoint": name, "online": online, "trunk": name in stock.trunks, "device": stock.attached.get(name)}
            for name, online in stock.online.items()
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    cells = [[name, "online" if online else "offline", stock.what(name)] for name, online in stock.online.items()]
    click.echo("\n".join(table(["ENDPOINT", "STATUS", "ATTACHED TO"], cells)))


def _print_done(remote: Remote, stock: _Stock, plan: list[tuple[str, str]], *, dry_run: bool) -> None:
    if remote.as_json:
        rows = [{"endpoint": name, "user_id": user_id, "attached": not dry_run} for name, user_id in plan]
        click.echo(json.dumps(rows, indent=2))
        return
    verb = "would be attached" if dry_run else "attached"
    for name, user_id in plan:
        click.echo(printable(f"{name}: {verb} to {stock.users.get(user_id, user_id)}"))
    if not plan:
        click.echo("nothing to attach: all that was asked for is so already", err=True)
