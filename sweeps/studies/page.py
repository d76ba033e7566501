"""A page of a study: text and tables whose figures are computed when they are asked for.

A cell that follows from a measurement is a function without arguments. So a page is made in three
steps: it is laid out, which is fast and names every row; what it needs is measured, in parallel;
and it is written. A test lays a page out, and computes the cells that it compares alone.
"""

import shlex
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import fill
from typing import Generic, TypeVar

from hwsim import processes
from hwsim.errors import ToolError
from hwsim.pool import each
from hwsim.progress import Countdown, say
from hwsim.tables import markdown

Task = TypeVar("Task", bound=Hashable)
Done = TypeVar("Done")

Cell = str | Callable[[], str]


@dataclass(frozen=True)
class Table:
    """A table; headings have the units, and cells that are computed come as functions."""

    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Console:
    """Commands of hwsim, as a user types them, with what they print."""

    commands: Sequence[str]


#: Parts of a page: paragraphs, those that depend on figures as functions, tables, commands.
Piece = str | Callable[[], str] | Table | Console


@dataclass(frozen=True)
class Page:
    """A page before it is written.

    Attributes
    ----------
    title
        Its first heading.
    pieces
        What stands below, with an empty line between any two.
    measure
        Measures what the pieces need, on so many processes (None: one a core).
    beside
        Further files of the page's folder, by name: functions that write one.
    """

    title: str
    pieces: Sequence[Piece]
    measure: Callable[[int | None], None] = lambda workers: None
    beside: Mapping[str, Callable[[Path], None]] = field(default_factory=dict)

    def text(self, command: str) -> str:
        """Return the page in Markdown; ``command`` is what it says that it was made by."""
        made = f"<!-- Made by `{command}`; a test compares samples with the code. -->"
        parts = [f"# {self.title}", made, *map(_text, self.pieces)]
        return "\n\n".join(part.strip("\n") for part in parts) + "\n"

    def tables(self) -> list[Table]:
        """Return the tables in their order."""
        return [piece for piece in self.pieces if isinstance(piece, Table)]

    def commands(self) -> list[str]:
        """Return the commands that are shown, in their order."""
        return [c for piece in self.pieces if isinstance(piece, Console) for c in piece.commands]


def value(cell: Cell) -> str:
    """Return the text of a cell."""
    return cell if isinstance(cell, str) else cell()


def paragraph(text: str, bullet: str = "") -> str:
    """Return a paragraph, or an item of a list, as lines of at most 100 characters."""
    return fill(
        " ".join(text.split()), 100, initial_indent=bullet, subsequent_indent=" " * len(bullet),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def printed(command: str) -> str:
    """Run a command in a process of its own and return what it prints; ToolError if it fails."""
    done = processes.run([sys.executable, "-m", "hwsim.cli", *shlex.split(command)[1:]])
    if done.returncode:
        raise ToolError(f"{command} failed: {done.stderr}")
    return done.stdout


def _text(piece: Piece) -> str:
    if isinstance(piece, Console):
        lines = (f"$ {command}\n{printed(command)}" for command in piece.commands)
        return f"```console\n{''.join(lines)}```"
    if isinstance(piece, Table):
        return markdown(piece.header, [[*map(value, row)] for row in piece.rows])
    return piece if isinstance(piece, str) else piece()


class Measured(dict[Task, Done], Generic[Task, Done]):
    """Results of a function by argument, each computed where it is first asked for.

    ``function`` is of a module, so that a worker can import it.
    """

    def __init__(self, function: Callable[[Task], Done]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, task: Task) -> Done:
        result = self[task] = self._function(task)
        return result

    def measure(self, tasks: Sequence[Task], workers: int | None) -> None:
        """Compute results on so many processes, in this order; say how far it is."""
        missing = [task for task in dict.fromkeys(tasks) if task not in self]
        countdown = Countdown(len(missing))
        for task, result in each(self._function, missing, workers):
            if isinstance(result, Exception):
                raise result
            self[task] = result
            say(f"{countdown.step()} {_named(task)}")


def _named(task: Hashable) -> str:
    """Return the names of what a task is made of."""
    parts = task if isinstance(task, tuple) else (task,)
    names = (getattr(part, "name", part) for part in parts)
    return " ".join(str(name) for name in names if isinstance(name, str | int))
