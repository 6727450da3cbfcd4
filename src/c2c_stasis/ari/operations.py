"""asyncari's generated operations, made ready once instead of at every request.

An operation of asyncari looks its description up, writes a debugging text and copies its parameters several times, whenever it
is called; a call makes thirteen requests. Here each description is read once, when the connection is set up. Names, parameters
and what is required stay those of Asterisk's own documents.
"""

from collections.abc import Mapping
from functools import cached_property
from time import perf_counter
from typing import Any
from urllib.parse import quote, urlsplit

from c2c_stasis.ari.transport import Reply, Transport
from c2c_stasis.errors import SwitchRefused, SwitchUnavailable
from c2c_stasis.metrics import Metrics, Observed


class Operation:
    """One operation: its method, its path, and which parameters it takes where."""

    def __init__(self, transport: Transport, uri: str, description: Mapping[str, Any], metrics: Metrics) -> None:
        self._transport = transport
        self._metrics = metrics
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
        began = perf_counter()
        try:
            return await self._transport.send(self._method, path, given)
        except SwitchRefused as refusal:
            self._metrics.ari_errors.labels(self._name, refusal.status).inc()
            raise
        except SwitchUnavailable:
            self._metrics.ari_errors.labels(self._name, "none").inc()
            raise
        finally:
            self._seconds.observe(perf_counter() - began)

    @cached_property
    def _seconds(self) -> Observed:
        """Made when it is asked for the first time: of a hundred operations a dozen are used."""
        return self._metrics.ari_seconds.labels(self._name)


class Operations:
    """All operations of one connection: `operations.channels.create(...)`."""

    def __init__(self, swagger: Any, transport: Transport, metrics: Metrics | None = None) -> None:
        figures = metrics or Metrics()
        for name, resource in swagger.resources.items():
            setattr(self, name, _Resource(resource.operations, transport, figures))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"Asterisk's ARI has no {name!r}; is its res_ari module loaded?")


class _Resource:
    def __init__(self, operations: Mapping[str, Any], transport: Transport, metrics: Metrics) -> None:
        for nickname, operation in operations.items():
            setattr(self, nickname, Operation(transport, operation.uri, operation.json, metrics))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"Asterisk's ARI has no operation {name!r}")
