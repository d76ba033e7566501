"""The ``hwsim`` command. It parses arguments, prints results, and leaves the work to the packages.

Exit status: 0 for success, 1 if a check failed (a unit does not verify, a sweep point fails,
something is not installed) or a tool did, 2 for input that cannot be used, a file that cannot be
read or written included, 3 for a missing tool, 130 when interrupted, by Ctrl-C, the SIGTERM of a
batch system, or a terminal that was closed. What is wrong is one line on the standard error.
"""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence

from hwsim import __version__
from hwsim.cli import (
    accuracy,
    allocate,
    atlas,
    characterise,
    cost,
    cost_model,
    doctor,
    formats,
    generate,
    memory,
    mutate,
    plugins,
    prove,
    published,
    report,
    simulate,
    study,
    sweep,
    units,
    verify,
)
from hwsim.cli.arguments import BAD_INPUT, Parser
from hwsim.cli.output import one_line
from hwsim.errors import HwsimError, InputError, MissingToolError
from hwsim.files import reason
from hwsim.pool import interruptible

TOOL_FAILED, MISSING_TOOL, INTERRUPTED = 1, 3, 130

#: One module a command, in the order of the help; each has ``add`` and does the work in ``run``.
COMMANDS = (
    formats, units, generate, verify, prove, mutate, cost, memory, published, simulate, accuracy,
    allocate, sweep, report, atlas, study, characterise, cost_model, doctor,
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    if sys.stderr is None:  # Closed; what is printed there would go to the standard output.
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - as the process has it
    if sys.stdout is None:
        return _refuse("the standard output is closed; send it to a file, or to /dev/null")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files that are no text, and terminals without the characters of tables.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        words = sys.argv[1:] if arguments is None else arguments
        options = _parser(words).parse_args(words)
        command: Callable[[argparse.Namespace], int] = options.command
        # As Ctrl-C: workers end, and what is finished is kept.
        with interruptible():
            status = command(options)
            sys.stdout.flush()
            return status
    except InputError as error:
        return _refuse(str(error))
    except MissingToolError as error:
        return _refuse(str(error), MISSING_TOOL)
    except HwsimError as error:
        # With the last lines that the tool printed.
        print(f"hwsim: {error}", file=sys.stderr)
        return TOOL_FAILED
    except KeyboardInterrupt:
        return _refuse("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output, such as `head`, has seen enough.
        _discard_output()
        return 0
    except OSError as error:
        _discard_output()
        return _refuse(f"{error.filename or 'output'}: {reason(error)}")


def _refuse(message: str, status: int = BAD_INPUT) -> int:
    print(f"hwsim: {one_line(message)}", file=sys.stderr)
    return status


def _discard_output() -> None:
    """Send what was printed and cannot be written nowhere."""
    try:
        sys.stdout.flush()
    except OSError:
        # Else the interpreter tries once more when it ends, and complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser(words: Sequence[str]) -> Parser:
    parser = Parser(
        prog="hwsim",
        description="What a number format costs in silicon: formats, verified units, cost, sweeps.",
    )
    parser.add_argument("--version", action="version", version=f"hwsim {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add(commands)
    plugins.add(commands, next((word for word in words if not word.startswith("-")), None))
    return parser
