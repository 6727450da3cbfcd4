"""A command line beside an office: the real service over HTTP, whose phones are silent."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.api.resources.conftest import office, settled
from tests.api.resources.office import Office
from tests.cli.line import Line

__all__ = ["office", "settled"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and an environment that configures nothing."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in os.environ:
        if name.startswith("C2C_"):
            monkeypatch.delenv(name)
    return folder


@pytest.fixture
def line(office: Office, monkeypatch: pytest.MonkeyPatch) -> Line:
    """A command line that knows the service and the key from its environment."""
    monkeypatch.setenv("C2C_BASE_URL", office.url)
    monkeypatch.setenv("C2C_API_KEY", office.key)
    return Line()


@pytest.fixture
async def stranger() -> AsyncIterator[str]:
    """The address of a server that is something else."""

    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="<html>It works!</html>")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", hello)
    async with TestServer(app) as server:
        yield str(server.make_url("/")).rstrip("/")
