"""docs/cli.md shows every command there is, and shows it right."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from c2c_stasis.cli import main

PAGE = (Path(__file__).parents[2] / "docs/cli.md").read_text()
EXAMPLES = [line for line in PAGE.splitlines() if line.startswith("c2c-stasis ")]


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    """Every command that does something, by the words that lead to it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield (*path, name)


def found(words: list[str]) -> tuple[tuple[str, ...], click.Command, list[str]]:
    """The command that these words call, and what is left for it."""
    command: click.Command = main
    path: list[str] = []
    while isinstance(command, click.Group):
        assert words[len(path)] in command.commands, f"there is no {' '.join(words)}"
        command = command.commands[words[len(path)]]
        path.append(words[len(path)])
    return tuple(path), command, words[len(path) :]


def test_every_command_has_an_example() -> None:
    shown = {found(words_of(example))[0] for example in EXAMPLES}
    assert set(commands(main)) - shown == set()


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_understood(example: str) -> None:
    _, command, arguments = found(words_of(example))
    context = click.Context(command)
    values, left, _ = command.make_parser(context).parse_args(arguments)
    assert left == []
    required = [one.name for one in command.params if isinstance(one, click.Argument) and one.required]
    assert [name for name in required if values.get(name or "") is None] == []


def words_of(example: str) -> list[str]:
    return shlex.split(example.partition(" > ")[0])[1:]


@pytest.mark.parametrize("path", list(commands(main)), ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    _, command, _ = found(list(path))
    assert (command.help or "").strip().partition("\n")[0].endswith((".", ":"))
    assert all(option.help for option in command.params if isinstance(option, click.Option))
