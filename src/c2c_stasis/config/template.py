"""The configuration file that `c2c-stasis init` writes: every key with all that is said where it is defined."""

import textwrap
from collections.abc import Mapping

from c2c_stasis.config.model import SECTIONS, Key, keys_of, meaning_of
from c2c_stasis.config.sections.asterisk import Trunk
from c2c_stasis.config.sections.routes import RouteRule
from c2c_stasis.config.toml_text import toml_text

_WIDTH = 110  # columns of a comment

_HEAD = """\
# The configuration of c2c-stasis, with every key there is. `c2c-stasis config` prints what counts in the end.
#
# Every key can be overridden from the environment: C2C_ARI__PASSWORD is password under [ari], C2C_TRUNKS__0__ENDPOINT the
# endpoint of the first trunk. SIGHUP lets a running service read this file again: a key marked "reloads" then counts for
# the next call, all others need a restart.
"""

_Values = Mapping[str, object]


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
    """The text of the file with these values, and the defaults of all others; without a trunk, one stands there as a comment.

    The file holds the ARI password: write it readable by its owner alone.
    """
    ari = {"url": ari_url, "username": ari_username, "password": ari_password, "app": ari_app}
    given: dict[str, _Values] = {"http": {"listen": listen}, "ari": ari, "database": {"url": database_url}}
    parts = [_HEAD]
    for name, model in SECTIONS.items():
        if model is Trunk:
            endpoint = trunk_endpoint or "PJSIP/{number}@carrier"
            text = _section(f"[[{name}]]", model, {"name": "carrier", "endpoint": endpoint})
            parts.append(text if trunk_endpoint is not None else _commented(text))
        elif model is RouteRule:
            parts.append(_commented(_section(f"[[{name}]]", model, {"trunks": "carrier"})))
        else:
            parts.append(_section(f"[{name}]", model, given.get(name, {})))
    return "\n".join(parts)


def about(key: Key) -> str:
    """All that is said about a key, in one paragraph."""
    facts = [key.rule.form, "must be set" if key.required else f"default {toml_text(key.default)}"]
    facts += ["reloads"] if key.about.reloads else []
    return f"{key.about.meaning} ({'; '.join(facts)})."


def _section(header: str, model: type, values: _Values) -> str:
    lines = [*_comment(f"{meaning_of(model)}."), header]
    for key in keys_of(model).values():
        value = values.get(key.name, key.default)
        lines += [*_comment(about(key)), f"{key.name} = {toml_text(value)}"]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)]


def _commented(text: str) -> str:
    """The text as a comment: take `# ` away from the lines that begin so, and what was a comment stays one."""
    return "".join(f"# {line}\n" if not line.startswith("#") else f"#{line}\n" for line in text.splitlines())
