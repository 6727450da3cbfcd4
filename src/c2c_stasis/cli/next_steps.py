"""What to look at after a call that did not come about, for somebody at a terminal."""

import shlex

from c2c_stasis.cli.remote import Failed, Record, Remote


def next_step(remote: Remote, reason: str, user_id: str) -> str:
    """A sentence with a command in it for the reason of a call's end; empty where there is nothing to mend."""
    match reason:
        case "no_device":
            return _about_devices(remote, user_id)
        case "device_unreachable":
            return _about_silent_phones(remote, user_id)
        case "trunk_failed":
            return "the trunk's carrier refused the call or cannot be reached: c2c-stasis trunks check"
        case _:
            return ""


def _about_devices(remote: Remote, user_id: str) -> str:
    try:
        name = remote.get("users", user_id)["name"]
        devices: list[Record] = list(remote.every("endpoints", user=user_id))
    except Failed:  # it was only to help
        return ""
    if not devices:
        return f"{name} has no device: c2c-stasis devices create {shlex.quote(name)} ENDPOINT"
    return f"no phone of {name} is registered: c2c-stasis devices list --user {shlex.quote(name)}"


def _about_silent_phones(remote: Remote, user_id: str) -> str:
    try:
        name = remote.get("users", user_id)["name"]
    except Failed:  # it was only to help
        return ""
    return (
        f"every phone of {name} that is registered is silent: c2c-stasis devices list --user {shlex.quote(name)} tells which;"
        " see that it is switched on, and let it register again"
    )
