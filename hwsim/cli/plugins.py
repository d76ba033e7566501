"""Commands of other packages: entry points of the group ``hwsim.commands``.

An entry point is a module as those here are: ``add`` adds the parser of the command, which has the
name of the entry point. It is imported for that command and for the list of all, not for others.
"""

from typing import Any

from hwsim.cli.arguments import Commands
from hwsim.errors import InputError
from hwsim.registration import Registry

GROUP = "hwsim.commands"


def add(commands: Commands, word: str | None) -> None:
    """Add the commands of other packages.

    Parameters
    ----------
    commands
        Where hwsim's own commands are already.
    word
        The command that is asked for; None, or one that is unknown, adds all.

    Raises
    ------
    InputError
        If an entry point has a name that is taken, cannot be loaded, or adds something else.
    """
    registry = Registry("command", GROUP, dict.fromkeys(commands.choices, "hwsim.cli:main"), _check)
    others = registry.others
    if word in registry.own:
        return
    for name in [word] if word in others else others:
        before = set(commands.choices)
        registry[name].add(commands)
        added = set(commands.choices) - before
        if added != {name}:
            raise InputError(
                f"{registry.owner(name)} (group {GROUP}) adds the commands {sorted(added)}; "
                f"allowed: {name!r}"
            )


def _check(name: str, module: Any) -> Any:
    if not callable(getattr(module, "add", None)):
        raise InputError(f"{module!r} is no command; allowed: a module with the function 'add'")
    return module
