"""Completion: what is printed is a program of that shell, and completes what there is."""

import asyncio
import os
import subprocess
import sys

import pytest

from tests.cli.line import USAGE, Line
from tests.live.process import COMMAND


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_each_shell_gets_its_own_program(shell: str) -> None:
    printed = await Line().says("completion", shell)
    assert "_C2C_STASIS_COMPLETE" in printed
    assert f"{shell}_complete" in printed


def test_bash_understands_it() -> None:
    printed = asyncio.run(Line().says("completion", "bash"))
    checked = subprocess.run(["bash", "-n"], input=printed, text=True, capture_output=True)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_commands_and_their_commands_are_completed() -> None:
    asked = {"COMP_WORDS": "c2c-stasis devices im", "COMP_CWORD": "2", "_C2C_STASIS_COMPLETE": "bash_complete"}
    command = [sys.executable, "-c", f"import sys; sys.argv[0] = 'c2c-stasis'; {COMMAND}"]
    done = subprocess.run(command, env=os.environ | asked, text=True, capture_output=True)
    assert done.stdout.split() == ["plain,import"]


async def test_another_shell_is_wrong_usage() -> None:
    await Line().fails(USAGE, "completion", "tcsh")
