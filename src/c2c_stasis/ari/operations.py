"""asyncari's generated operations, made ready once instead of at every request.

An operation of asyncari looks its description up, writes a debugging text and copies its parameters several times, whenever it
is called; a call makes thirteen requests. Here each description is read once, when the connection is set up. Names, parameters
and what is required stay those of Asterisk's own documents.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from c2c_stasis.ari.transport import Reply, Transport


class Operation:
    """One operation: its method, its path, and which parameters it takes where."""

    def __init__(self, transport: Transport, uri: str, description: Mapping[str, Any]) -> None:
        self._transport = transport
        self._name: str = description["nickname"]
        self._method: str = description["httpMethod"]
        self._path = urlsplit(uri).path  # Asterisk's documents name the host that it believes to have
        parameters = description.get("parameters", [])
        self._in_path = [p["name"] for p in parameters if p["paramType"] == "path"]
        self._known = frozenset(p["name"] for p in parameters)
        self._required = frozenset(p["name"] for p in parameters if p["required"])

    async def __call__(self, **given: Any) -> Reply:
        """Carry it out. Raises as `Transport.send` does, and `TypeError` for parameters that it has not."""
        if not (self._required <= given.keys() <= self._known):
            raise TypeError(f"{self._name} takes {sorted(self._known)} and not {sorted(given)}")
        path = self._path
        for name in self._in_path:
            path = path.replace(f"{{{name}}}", quote(given.pop(name), safe=""))
        return await self._transport.send(self._method, path, given)


class Operations:
    """All operations of one connection: `operations.channels.create(...)`."""

    def __init__(self, swagger: Any, transport: Transport) -> None:
        for name, resource in swagger.resources.items():
            setattr(self, name, _Resource(resource.operations, transport))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"Asterisk's ARI has no {name!r}; is its res_ari module loaded?")


class _Resource:
    def __init__(self, operations: Mapping[str, Any], transport: Transport) -> None:
        for nickname, operation in operations.items():
            setattr(self, nickname, Operation(transport, operation.uri, operation.json))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"Asterisk's ARI has no operation {name!r}")
