"""From what a person types to an id: names, e-mail addresses, extensions and endpoints lead there when only one has them."""

from collections.abc import Callable, Iterable

import click

from c2c_stasis.cli.remote import Failed, NotFound, Record, Remote

_SHOWN = 5  # of those that could be meant


def only_account(remote: Remote) -> str:
    """The account's id when there is just one. Raises `Failed`, or `UsageError` when one must be named."""
    accounts = list(remote.every("accounts"))
    if len(accounts) == 1:
        return str(accounts[0]["id"])
    if not accounts:
        raise Failed("there is no account yet. Make one: c2c-stasis accounts create NAME")
    raise click.UsageError(f"which account? Say --account or C2C_ACCOUNT: {_listed(accounts, _name)}")


def account_named(remote: Remote, text: str) -> str:
    """The id of an account by id or name. Raises `Failed`."""
    if text.startswith("acct_"):
        return text
    found = [one for one in remote.every("accounts", search=text) if _same(one["name"], text)]
    return _only("account", text, found, "c2c-stasis accounts list")


def user_named(remote: Remote, text: str) -> str:
    """The id of a user by id, extension, name or e-mail address. Raises `Failed`."""
    if text.startswith("user_"):
        return text
    found = {one["id"]: one for one in remote.every("users", search=text) if text_of(one, text)}
    try:
        if text.isdigit():
            user_id = remote.get("extensions", text)["user_id"]
            found[user_id] = remote.get("users", user_id)
    except NotFound:
        pass  # not an extension: then the digits are a name, or nothing
    return _only("user", text, found.values(), "c2c-stasis users list")


def user_in_words(remote: Remote, user_id: str) -> str:
    """A user as a message names one. Raises `Failed`."""
    return f"{remote.get('users', user_id)['name']} ({user_id})"


def user_name(remote: Remote, user_id: str) -> str:
    """The name of a user; the id of one who is not there any more. Raises `Failed`."""
    try:
        return str(remote.get("users", user_id)["name"])
    except NotFound:
        return user_id


def require_new_name(remote: Remote, resource: str, name: str) -> None:
    """Raise `Failed` when an account or a user has this name, for then the name would lead to neither."""
    found = [one for one in remote.every(resource, search=name) if _same(one["name"], name)]
    if found:
        raise Failed(f"{name} is there already: {found[0]['id']}. --another makes one more of that name.")


def number_of(remote: Remote, record: Record) -> str | None:
    """The caller number of an account or a user. Raises `Failed`."""
    if record["caller_number_id"] is None:
        return None
    return str(remote.get("phone-numbers", record["caller_number_id"])["phone_number"])


def text_of(user: Record, text: str) -> bool:
    """Whether this is the user's name or e-mail address."""
    return _same(user["name"], text) or _same(user["email"] or "", text)


def device_named(remote: Remote, text: str) -> Record:
    """A device by id or endpoint. Raises `Failed`."""
    found = [one for one in remote.every("endpoints") if text in (one["id"], one["endpoint"])]
    _only("device", text, found, "c2c-stasis devices list")
    return found[0]


def number_named(remote: Remote, text: str) -> str:
    """The id of a phone number by id or number. Raises `Failed`."""
    if text.startswith("did_"):
        return text
    found = [one for one in remote.every("phone-numbers") if one["phone_number"] == text]
    return _only("phone number", text, found, "c2c-stasis phone-numbers list")


def location_named(remote: Remote, text: str) -> str:
    """The id of a location by id or name. Raises `Failed`."""
    if text.startswith("loc_"):
        return text
    found = [one for one in remote.every("locations", search=text) if _same(one["name"], text)]
    return _only("location", text, found, "c2c-stasis locations list")


def key_named(remote: Remote, text: str) -> str:
    """The id of a key by id or by how it begins. Raises `Failed`."""
    if text.startswith("key_"):
        return text
    found = [one for one in remote.every("keys") if text and one["hint"].startswith(text[: len(one["hint"])])]
    return _only("key", text, found, "c2c-stasis keys list")


def webhook_named(remote: Remote, text: str) -> str:
    """The id of a webhook endpoint by id or URL. Raises `Failed`."""
    if text.startswith("we_"):
        return text
    found = [one for one in remote.every("webhook_endpoints") if one["url"] == text]
    return _only("webhook endpoint", text, found, "c2c-stasis webhooks list")


def _only(kind: str, text: str, found: Iterable[Record], see: str) -> str:
    candidates = list(found)
    if not candidates:
        raise NotFound(f"there is no {kind} {text}. See: {see}")
    if len(candidates) > 1:
        raise Failed(f"{len(candidates)} could be meant by {text}; give an id: {_listed(candidates, _name)}")
    return str(candidates[0]["id"])


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _name(record: Record) -> str:
    return str(record.get("name") or record.get("hint") or record.get("endpoint") or record.get("url") or "")


def _listed(records: list[Record], name: Callable[[Record], str]) -> str:
    shown = ", ".join(f"{one['id']} ({name(one)})" for one in records[:_SHOWN])
    return shown + (f" and {len(records) - _SHOWN} more" if len(records) > _SHOWN else "")
