"""Errors that come in groups, and the one way of catching them that every Python we run on understands."""

import ast
from pathlib import Path

from c2c_stasis.errors import StoreUnavailable, SwitchUnavailable, first_of

SOURCE = Path(__file__).parents[1] / "src"


def test_the_first_of_a_group_is_found_however_deep_it_lies() -> None:
    first, second = SwitchUnavailable("first"), SwitchUnavailable("second")
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [first]), second])

    assert first_of(group, SwitchUnavailable) is first


def test_a_group_that_holds_something_else_is_left_alone() -> None:
    group = ExceptionGroup("", [SwitchUnavailable("expected"), StoreUnavailable("not expected")])

    assert first_of(group, SwitchUnavailable) is None


def test_no_group_is_caught_with_except_star() -> None:
    """Until Python 3.11.3, which Debian 12 is older than, what is raised in such a block comes out inside another group."""
    found = [
        str(file.relative_to(SOURCE))
        for file in SOURCE.rglob("*.py")
        if any(isinstance(node, ast.TryStar) for node in ast.walk(ast.parse(file.read_text())))
    ]
    assert found == []


def test_the_service_has_no_task_groups() -> None:
    """Until Python 3.11.3 no timeout works any more in a task whose group has failed; `together.all_of` is in their place."""
    found = [
        str(file.relative_to(SOURCE))
        for file in SOURCE.rglob("*.py")
        if "lab" not in file.parts
        and any(ast.unparse(node) == "asyncio.TaskGroup" for node in ast.walk(ast.parse(file.read_text())))
        and file.name != "client.py"
    ]
    assert found == []
