"""The compose files, read and laid over one another as Compose does it."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.nodes import Node

DOCKER = Path(__file__).parents[1] / "docker"
RESET = object()
"""What `!reset` stands for: the key of the file below is taken away."""


class _Constructor(SafeConstructor):
    def reset(self, _node: Node) -> object:
        return RESET


_Constructor.add_constructor("!reset", _Constructor.reset)


def read(name: str) -> dict[str, Any]:
    """One compose file, with what it says by reference put in place."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    found: dict[str, Any] = yaml.load((DOCKER / name).read_text())
    return found


def composed(*overlays: str) -> dict[str, Any]:
    """`compose.yaml` with these files laid over it."""
    found = read("compose.yaml")
    for name in overlays:
        found = _merged(found, read(name))
    return found


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Mappings are merged and lists appended, as the specification of Compose has it.

    A mount of the file above takes the place of the one with the same target below, which is none of ours.
    """
    merged = dict(below)
    for key, value in above.items():
        match below.get(key), value:
            case _ if value is RESET:
                merged.pop(key, None)
            case dict() as under, dict():
                merged[key] = _merged(under, value)
            case list() as under, list():
                merged[key] = [*under, *value]
            case _:
                merged[key] = value
    return merged
