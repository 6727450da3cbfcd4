"""docs/api.md holds: its examples, typed from top to bottom, are answered by a running service as its document tells."""

import asyncio
import re
from asyncio.subprocess import PIPE
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from c2c_stasis.config import Sip
from tests.live.story import ANSWERS_SOON, TALKS_BRIEFLY, Story

pytestmark = pytest.mark.live

PAGE = Path(__file__).parents[2] / "docs/api.md"
Operation = tuple[str, str]
"""Method and path, as the document has them."""

EXAMPLE_NUMBER = "+15551234567"
# The examples as they are, with a curl that says in addition what was answered.
TELLING = """curl() { command curl -w '%{stderr}answered %{method} %{url_effective} %{http_code}\\n' "$@"; }\n"""


def examples() -> str:
    """Every block of the page that a person would type."""
    return "\n".join(re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE))


async def typed(script: str, **variables: str) -> list[tuple[str, str, int]]:
    """What a shell is answered: method, path and status of each request."""
    variables["PATH"] = "/usr/local/bin:/usr/bin:/bin"
    command = ("bash", "-euo", "pipefail", "-c", TELLING + script)
    bash = await asyncio.create_subprocess_exec(*command, env=variables, stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(50):
        output, told = await bash.communicate()
    assert bash.returncode == 0, f"{output.decode()[-1000:]}\n{told.decode()[-1000:]}"
    answered = re.findall(r"^answered (\w+) (\S+) (\d+)$", told.decode(), re.MULTILINE)
    return [(method, urlsplit(url).path, int(status)) for method, url, status in answered]


async def test_every_operation_is_answered_as_the_page_and_the_document_say(story: Story) -> None:
    alice = await story.user(await story.phone(ANSWERS_SOON))
    for number in set(re.findall(r'"dial_string": "([^"]+)"', examples())):
        story.destination(TALKS_BRIEFLY, number)
    story.sip = Sip(websocket_url=story.town.asterisk.websocket_url)
    await story.open()
    success = successes(await story.client.get("/v1/openapi.json", alice.account_id))
    answers = await typed(
        examples(),
        C2C_BASE_URL=story.client.url,
        C2C_API_KEY=story.client.key,
        C2C_ACCOUNT=alice.account_id,
        C2C_USER=alice.id,
    )
    asked: set[Operation] = set()
    for method, path, status in answers:
        operation = operation_at(success, method, path)
        assert status == success[operation], f"{method} {path} was answered with {status}"
        asked.add(operation)
    assert success.keys() - asked == set(), "operations without a curl in docs/api.md"
    await story.until_phones_are_free()


def successes(document: dict[str, Any]) -> dict[Operation, int]:
    """The status with which each operation succeeds."""
    return {
        (method.upper(), path): int(next(status for status in operation["responses"] if status.startswith("2")))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def operation_at(operations: Iterable[Operation], asked: str, path: str) -> Operation:
    """The operation that answers this."""
    for method, template in operations:
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if method == asked and re.fullmatch(pattern, path):
            return method, template
    raise AssertionError(f"{asked} {path} is no operation")
