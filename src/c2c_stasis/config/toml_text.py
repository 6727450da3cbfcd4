"""Values as TOML writes them."""

import json
from enum import Enum


def toml_text(value: object) -> str:
    """A value of the configuration as it stands behind the equals sign."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case int():
            return str(value)
        case Enum():
            return toml_text(value.value)
        case _:
            # A TOML basic string: JSON's escapes are TOML's too, but for DEL, which TOML wants escaped (TOML 1.0).
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
