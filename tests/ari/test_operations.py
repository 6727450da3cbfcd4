"""Operations made ready: the request that each makes of its description, and what it does not take."""

from collections.abc import Mapping
from typing import Any

import pytest

from c2c_stasis.ari.operations import Operation, Operations
from c2c_stasis.ari.transport import Reply
from c2c_stasis.metrics import Metrics

HANG_UP = {
    "nickname": "hangup",
    "httpMethod": "DELETE",
    "parameters": [
        {"name": "channelId", "paramType": "path", "required": True},
        {"name": "reason_code", "paramType": "query", "required": False},
    ],
}
URI = "http://asterisk.invalid:8088/ari/channels/{channelId}"


class Wire:
    """A transport that keeps what it is to send."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, dict[str, Any]]] = []

    async def send(self, method: str, path: str, given: Mapping[str, Any]) -> Reply:
        self.sent.append((method, path, dict(given)))
        return Reply(204, b"")


def hang_up(wire: Wire) -> Operation:
    return Operation(wire, URI, HANG_UP, Metrics())  # type: ignore[arg-type]  # all that it uses of a transport


async def test_the_path_is_filled_in_and_the_rest_is_given_to_the_transport() -> None:
    wire = Wire()
    await hang_up(wire)(channelId="call_1.a1", reason_code="26")
    assert wire.sent == [("DELETE", "/ari/channels/call_1.a1", {"reason_code": "26"})]


async def test_what_stands_in_the_path_cannot_leave_it() -> None:
    wire = Wire()
    await hang_up(wire)(channelId="../x?y=1/ü")
    assert wire.sent[0][1] == "/ari/channels/..%2Fx%3Fy%3D1%2F%C3%BC"


@pytest.mark.parametrize("given", [{}, {"reason_code": "26"}, {"channelId": "a", "reson_code": "26"}])
async def test_parameters_that_are_missing_or_unknown_are_a_mistake_of_ours(given: dict[str, str]) -> None:
    wire = Wire()
    with pytest.raises(TypeError, match="hangup takes"):
        await hang_up(wire)(**given)
    assert wire.sent == []


async def test_an_operation_that_this_asterisk_has_not_is_named() -> None:
    class Swagger:
        class Channels:
            operations: Mapping[str, Any] = {}

        resources = {"channels": Channels}  # noqa: RUF012

    operations = Operations(Swagger, Wire())  # type: ignore[arg-type]  # all that it uses of a transport
    with pytest.raises(AttributeError, match="teleport"):
        _ = operations.channels.teleport
    with pytest.raises(AttributeError, match="bridges"):
        _ = operations.bridges
