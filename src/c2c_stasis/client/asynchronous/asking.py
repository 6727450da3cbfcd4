"""What every resource needs: to ask for one thing, for every entry of a list, or for nothing."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

from c2c_stasis.client.asynchronous.transport import Stream, Transport
from c2c_stasis.client.errors import NotUnderstood
from c2c_stasis.client.wire import PAGE, Account, Answer, Page, Request, Value, address

T = TypeVar("T")


class Asking:
    """The way to the service, as one account."""

    def __init__(self, transport: Transport, account: Account) -> None:
        self.transport = transport
        self.account = account

    async def answer(self, request: Request) -> Answer:
        """What was answered, whatever it is. Raises `NoAnswer`, `NotUnderstood`."""
        return await self.transport.exchange(request, self.account.headers())

    @asynccontextmanager
    async def opened(self, request: Request) -> AsyncIterator[Stream]:
        """An answer while it is read. Raises `Error`."""
        async with self.transport.opened(request, self.account.headers()) as stream:
            if stream.status != 200:
                answer = await stream.whole()
                answer.accepted()
                raise NotUnderstood(f"the answer with status {stream.status} is none of this API")
            yield stream


class Resource:
    """One kind of thing. Its methods raise `Error`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def _get(self, kind: type[T], *path: str, **query: Value) -> T:
        answer = await self._asking.answer(Request("GET", address(*path, **query)))
        return answer.of(kind)

    async def _post(self, kind: type[T], *path: str, body: object = None) -> T:
        answer = await self._posted(*path, body=body)
        return answer.of(kind)

    async def _posted(self, *path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        answer = await self._asking.answer(Request("POST", address(*path), body, headers or {}))
        return answer.accepted()

    async def _delete(self, *path: str) -> None:
        answer = await self._asking.answer(Request("DELETE", address(*path)))
        if answer.accepted().status != 204:
            raise NotUnderstood(f"the answer with status {answer.status} is none of this API")

    async def _every(self, kind: type[T], *path: str, **query: Value) -> AsyncIterator[T]:
        """Every entry of a list, page after page; a page is asked for when its first entry is."""
        next_page: str | None = address(*path, limit=PAGE, **query)
        while next_page:
            answer = await self._asking.answer(Request("GET", next_page))
            page = answer.of(Page)
            for entry in page.of(kind):
                yield entry
            next_page = page.next_page_url
            if next_page and not next_page.startswith("/v1/"):
                raise NotUnderstood("the next page is not in this API")
