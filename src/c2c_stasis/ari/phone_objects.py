"""What Asterisk is given for a provisioned phone: an auth, an address of record and an endpoint, all of one name.

They are what `[phone]`, `[browser]` and their fellows in the shipped `pjsip.conf` are for phones that are written there. Values
stand here as Asterisk 22.10.1 gives them back, so that what is there can be compared.
"""

from collections.abc import Mapping

from c2c_stasis.directory.sip_account import REALM, Registrant

Settings = dict[str, str]

CONTEXT = "locked-phones"  # empty, or not there at all: what a phone dials leads nowhere
CODECS = ("opus", "g722", "alaw", "ulaw")
CODECS_OF_BROWSERS = ("opus", "alaw", "ulaw")
NO_ACL = ""

_ALL = "!all"  # drops what was allowed before
# DTLS, ICE and one port for all, with a certificate that is made for each call.
_BROWSER = {"webrtc": "yes", "dtls_auto_generate_cert": "Yes"}


def phone_objects(username: str, registrant: Registrant, contact_acl: str) -> dict[str, Settings]:
    """The settings of each object, in the order in which they must be made.

    `contact_acl` names the list of addresses at which a phone may say that it is; empty, it may say anything. A browser always
    may: it registers a made-up name (`….invalid`), and is reached through its own websocket whatever that says.
    """
    browser = registrant.browser
    return {
        "auth": {"auth_type": "md5", "username": username, "realm": REALM, "md5_cred": registrant.ha1},
        "aor": {
            # Registered in several places, a phone rings in all; of the pages of one device, the newest is the phone.
            "max_contacts": "1" if browser else "5",
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
            "allow": ",".join((_ALL, *(CODECS_OF_BROWSERS if browser else CODECS))),
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
            "contact_acl": NO_ACL if browser else contact_acl,
            **(_BROWSER if browser else {}),
        },
    }


def differs(wanted: Settings, there: Mapping[str, str]) -> bool:
    """Whether an object is not as it should be; settings that are not ours are an operator's."""
    return any(there.get(name) != (_read_back(value) if name == "allow" else value) for name, value in wanted.items())


def _read_back(allow: str) -> str:
    """Codecs as Asterisk tells them: what is written `!all,opus,ulaw` is read `(opus|ulaw)`."""
    return f"({'|'.join(allow.split(',')[1:])})"
