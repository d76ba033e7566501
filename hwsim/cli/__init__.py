"""The ``hwsim`` command. It parses arguments, prints results, and leaves the work to the packages.

Exit status: 0 for success, 1 if a check failed (a unit does not verify, a sweep point fails,
something is not installed) or a tool did, 2 for input that cannot be used, 3 for a missing tool,
130 when interrupted, by Ctrl-C, the SIGTERM of a batch system, or a terminal that was closed.
"""

import argparse
import sys
from collections.abc import Callable, Sequence

from hwsim import __version__
from hwsim.cli import (
    characterise,
    cost,
    cost_model,
    doctor,
    formats,
    generate,
    memory,
    published,
    sweep,
    units,
    verify,
)
from hwsim.errors import InputError, MissingToolError, ToolError
from hwsim.pool import WorkerDiedError, interruptible

TOOL_FAILED, BAD_INPUT, MISSING_TOOL, INTERRUPTED = 1, 2, 3, 130

#: One module a command, in the order of the help; each has ``add`` and does the work in ``run``.
COMMANDS = (
    formats, units, generate, verify, cost, memory, published, sweep, characterise, cost_model,
    doctor,
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        command: Callable[[argparse.Namespace], int] = options.command
        # As Ctrl-C: workers end, and what is finished is kept.
        with interruptible():
            return command(options)
    except InputError as error:
        print(f"hwsim: {error}", file=sys.stderr)
        return BAD_INPUT
    except MissingToolError as error:
        print(f"hwsim: {error}", file=sys.stderr)
        return MISSING_TOOL
    except (ToolError, WorkerDiedError) as error:
        print(f"hwsim: {error}", file=sys.stderr)
        return TOOL_FAILED
    except KeyboardInterrupt:
        print("hwsim: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output, such as `head`, has seen enough.
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hwsim",
        description="What a number format costs in silicon: formats, verified units, cost, sweeps.",
    )
    parser.add_argument("--version", action="version", version=f"hwsim {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add(commands)
    return parser
