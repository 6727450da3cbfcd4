"""Operations in the shape of asyncari's, which keep what they were called with and answer as a test wants."""

from collections.abc import Callable, Iterator
from typing import Any

from c2c_stasis.ari.transport import Reply

Asked = tuple[str, dict[str, Any]]


class Operations:
    """`operations.channels.create(...)` and all the others. `asked` is what was called; `answer` may raise, or give a body."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[str, dict[str, Any]], bytes] = lambda name, given: b""

    def script(self, *answers: Exception | None) -> None:
        """Answer the next calls like this, one after the other: an exception is raised."""
        left: Iterator[Exception | None] = iter(answers)

        def answer(name: str, given: dict[str, Any]) -> bytes:
            failure = next(left, None)
            if failure is not None:
                raise failure
            return b""

        self.answer = answer

    def __getattr__(self, resource: str) -> "Resource":
        return Resource(self, resource)


class Resource:
    """One resource."""

    def __init__(self, operations: Operations, name: str) -> None:
        self._operations = operations
        self._name = name

    def __getattr__(self, nickname: str) -> Any:
        name = f"{self._name}.{nickname}"

        async def operation(**given: Any) -> Reply:
            self._operations.asked.append((name, given))
            return Reply(200, self._operations.answer(name, given))

        return operation
