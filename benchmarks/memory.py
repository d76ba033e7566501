"""Run the commands in docs/memory.md again and put what they print below them.

``python benchmarks/memory.py``; it takes about half a minute.
"""

import contextlib
import io
import re
import shlex
from pathlib import Path

from hwsim import cli

PAGE = Path(__file__).parents[1] / "docs" / "memory.md"


def main() -> None:
    PAGE.write_text(re.sub(r"```console\n(.*?)```", _block, PAGE.read_text(), flags=re.DOTALL))


def _block(match: re.Match[str]) -> str:
    commands = re.findall(r"^\$ (.*)$", match[1], flags=re.MULTILINE)
    return f"```console\n{''.join(map(_run, commands))}```"


def _run(command: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = cli.main(shlex.split(command)[1:])
    if status:
        raise SystemExit(f"{command} failed")
    return f"$ {command}\n{printed.getvalue()}"


if __name__ == "__main__":
    main()
