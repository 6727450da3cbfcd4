"""What can be wrong with a configuration, told in one go."""

from collections.abc import Iterable
from dataclasses import dataclass

from c2c_stasis.errors import ClickToCallError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct: where it stands, which key it is, what is wrong with it and what to write instead."""

    where: str  # `c2c.toml:12`, `c2c.toml` or `environment`
    key: str  # `calls.ring_timeout`, or the name of the environment variable
    what: str
    fix: str

    def __str__(self) -> str:
        subject = f"{self.where}: {self.key}" if self.key else self.where
        return f"{subject} {self.what}. {self.fix}"


class ConfigError(ClickToCallError):
    """The configuration cannot be used; `problems` holds everything that is wrong with it, never a secret."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Wrong(Exception):
    """A value that a rule refuses; it never leaves this package, whose reader makes a `Problem` of it."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}. {fix}")
        self.what = what
        self.fix = fix
