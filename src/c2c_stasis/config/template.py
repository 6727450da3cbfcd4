"""The configuration file that `c2c-stasis init` writes."""

import json

_TEMPLATE = """\
# c2c-stasis. Every value can be overridden from the environment: C2C_ARI__PASSWORD is password under [ari],
# C2C_TRUNKS__0__ENDPOINT the endpoint of the first trunk.

[http]
listen = {listen}  # keep it on loopback behind a TLS proxy: API keys travel in a header

[ari]
url = {ari_url}  # where Asterisk's HTTP server listens, without /ari
username = {ari_username}  # a user of ari.conf
password = {ari_password}
app = {ari_app}  # two services on one Asterisk need two names
# request_timeout = 3  # seconds for one request
# pool = 20  # connections, at most 32; Asterisk's sessionlimit must be well above

[database]
url = {database_url}  # three slashes: relative to the working directory; four: absolute

# A way out to the telephone network. Without one, only extensions can be called.
{trunk}
[calls]
ring_timeout = 30  # seconds the user's phones ring
answer_timeout = 60  # seconds the destination rings
max_duration = 14400  # seconds of talk
max_calls_per_user = 2  # at a time; emergency calls are never counted out
tone_seconds = 4  # how long the user hears why the destination was not reached

[log]
level = "info"  # debug, info, warning, error
format = "text"  # text or json
"""

_TRUNK = """\
{mark}[[trunks]]
{mark}name = "carrier"
{mark}endpoint = {endpoint}  # carrier is an endpoint of pjsip.conf
{mark}format = "e164"  # or "e164-no-plus", "00", "national"
# prefix = "9"  # digits before every number, not with e164
# emergency = true  # carries emergency calls and nothing else
"""


def template(
    *,
    listen: str = "127.0.0.1:8080",
    ari_url: str = "http://127.0.0.1:8088",
    ari_username: str = "c2c-stasis",
    ari_password: str = "",
    ari_app: str = "c2c-stasis",
    database_url: str = "sqlite+aiosqlite:///c2c.db",
    trunk_endpoint: str | None = None,
) -> str:
    """The text of a small commented file with these values; without a trunk, one stands there as a comment.

    The file holds the ARI password: write it readable by its owner alone.
    """
    mark = "# " if trunk_endpoint is None else ""
    trunk = _TRUNK.format(mark=mark, endpoint=_quoted(trunk_endpoint or "PJSIP/{number}@carrier"))
    return _TEMPLATE.format(
        listen=_quoted(listen),
        ari_url=_quoted(ari_url),
        ari_username=_quoted(ari_username),
        ari_password=_quoted(ari_password),
        ari_app=_quoted(ari_app),
        database_url=_quoted(database_url),
        trunk=trunk,
    )


def _quoted(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's too, but for DEL, which TOML wants escaped (TOML 1.0)."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
