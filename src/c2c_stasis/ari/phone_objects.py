"""What Asterisk is given for a provisioned phone: an auth, an address of record and an endpoint, all of one name.

They are what `[phone]` and its fellows in the shipped `pjsip.conf` are for phones that are written there. Values stand here as
Asterisk 22.10.1 gives them back, so that what is there can be compared.
"""

from collections.abc import Mapping

from c2c_stasis.directory.sip_account import REALM

Settings = dict[str, str]

CONTEXT = "locked-phones"  # empty, or not there at all: what a phone dials leads nowhere
CODECS = ("opus", "g722", "alaw", "ulaw")

_CODECS_WRITTEN = f"!all,{','.join(CODECS)}"  # the `!all` drops what was allowed before
_CODECS_READ = f"({'|'.join(CODECS)})"
NO_ACL = ""


def phone_objects(username: str, ha1: str, contact_acl: str) -> dict[str, Settings]:
    """The settings of each object, in the order in which they must be made.

    `contact_acl` names the list of addresses at which a phone may say that it is; empty, it may say anything.
    """
    return {
        "auth": {"auth_type": "md5", "username": username, "realm": REALM, "md5_cred": ha1},
        "aor": {
            "max_contacts": "5",  # registered in several places, it rings in all
            "remove_existing": "true",  # a sixth takes the place of the first to expire, and is not refused
            "qualify_frequency": "30",  # else a phone without power is online until its registration expires
            "qualify_timeout": "3.000000",
            "minimum_expiration": "60",
            "default_expiration": "300",
            "maximum_expiration": "3600",
        },
        "endpoint": {
            "auth": username,
            "aors": username,
            "context": CONTEXT,
            # Without `allow` an endpoint cannot be read back from astdb, and then none of them is there after a restart.
            "allow": _CODECS_WRITTEN,
            "direct_media": "false",
            "rtp_symmetric": "true",
            "force_rport": "true",
            "rewrite_contact": "true",
            "rtp_timeout": "60",
            "rtp_timeout_hold": "300",
            "timers": "yes",
            "timers_sess_expires": "1800",
            "allow_transfer": "false",
            "allow_subscribe": "false",
            "redirect_method": "user",
            "dtmf_mode": "rfc4733",
            "trust_id_inbound": "false",
            # A named list: Asterisk keeps addresses that stand here themselves as a list called "deny/permit", which it has not
            # after a restart, and then refuses every phone (22.10.1).
            "contact_acl": contact_acl,
        },
    }


def differs(wanted: Settings, there: Mapping[str, str]) -> bool:
    """Whether an object is not as it should be; settings that are not ours are an operator's."""
    return any(there.get(name) != (_CODECS_READ if name == "allow" else value) for name, value in wanted.items())
