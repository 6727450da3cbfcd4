# Drawn from ../asynchronous/calls.py by tools/draw_client.py; change it there.
"""Calls: place them, follow them, end them, look them up."""

from collections.abc import Generator, Iterator
from datetime import datetime
from typing import Unpack

from c2c_stasis.client.errors import NotUnderstood
from c2c_stasis.client.fields import CallFilters, CallOptions
from c2c_stasis.client.records import Call, Event, PlacedCall, Preflight
from c2c_stasis.client.synchronous.asking import Resource
from c2c_stasis.client.wire import Json, Page, Request, Value, address


class Calls(Resource):
    """`/v1/calls`."""

    def create(
        self, *, user_id: str, dial_string: str, idempotency_key: str | None = None, **options: Unpack[CallOptions]
    ) -> PlacedCall:
        """Place a call: the user's devices ring when this returns.

        It is sent once: after `NoAnswer` phones may ring. With an `idempotency_key` it may be asked for again with the same.
        """
        body = {"user_id": user_id, "dial_string": dial_string, **options}
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        answer = self._posted("calls", body=body, headers=headers)
        path, _, call_id = answer.headers.get("location", "").rpartition("/")
        if path != "/v1/calls" or not call_id:
            raise NotUnderstood(f"the answer with status {answer.status} names no call")
        return PlacedCall(id=call_id, replayed="idempotent-replayed" in answer.headers)

    def preflight(self, *, user_id: str, dial_string: str, **options: Unpack[CallOptions]) -> Preflight:
        """What would become of such a call now. Nothing rings."""
        body = {"user_id": user_id, "dial_string": dial_string, **options}
        return self._post(Preflight, "calls", "preflight", body=body)

    def retrieve(self, call_id: str, *, expand_did: bool = False) -> Call:
        """The record of a call, live or ended."""
        return self._get(Call, "calls", call_id, **_expanded(expand_did))

    def cancel(self, call_id: str) -> None:
        """Cancel a call or hang it up; one that has ended stays as it is."""
        self._delete("calls", call_id)

    def log(self, call_id: str) -> tuple[Event, ...]:
        """The events of a call, in their order."""
        page = self._get(Page, "calls", call_id, "events")
        return tuple(page.of(Event))

    def list(self, *, expand_did: bool = False, **filters: Unpack[CallFilters]) -> Iterator[Call]:
        """Calls that fit, newest first, live ones included; pages are asked for as far as they are read."""
        return self._every(Call, "calls", **_query(filters), **_expanded(expand_did))

    def csv(self, **filters: Unpack[CallFilters]) -> Generator[bytes, None, None]:
        """All calls that fit as CSV, piece by piece; raises `BrokenOff` when it stops before its end."""
        with self._asking.opened(Request("GET", address("calls.csv", **_query(filters)))) as stream:
            for piece in stream.pieces():
                yield piece

    def erase(self, number: str) -> int:
        """Take a number out of all ended calls; gives from how many. It cannot be had back."""
        erased = self._post(Json, "calls", "erase", body={"number": number})
        return int(erased["calls"])


def _query(filters: CallFilters) -> dict[str, Value]:
    return {name: _text(value) for name, value in filters.items()}


def _text(value: object) -> str | bool:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, bool) else str(value)


def _expanded(expand_did: bool) -> dict[str, Value]:
    return {"expand[]": "did"} if expand_did else {}
