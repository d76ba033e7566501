"""Workloads as specifications have them: networks in phases.

::

    workloads:                      # every entry is the product of its lists
      - {model: [llama-2-7b, my/config.json], phase: prefill, tokens: [256, 2048]}
      - {model: llama-2-7b, phase: decode, context: 256, batch: [1, 8]}

A model is a name, or a path beside the specification. The other keys are those of
:func:`hwsim.accelerator.workload.workload`, which says which of them a phase has.
"""

import itertools
import math
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.decode import Value
from hwsim.errors import unknown
from sweeps.keys import TEXT, Key, axis, record, whole

if TYPE_CHECKING:
    from hwsim.accelerator.workload import Workload

#: Most workloads of a sweep.
MAX_WORKLOADS = 1000
KEYS = {
    "model": Key("a network's name, or its file beside this file", axis(TEXT), required=True),
    "phase": Key("what it does", axis(TEXT), required=True),
    "tokens": Key("tokens at once", axis(whole(1))),
    "context": Key("tokens before", axis(whole(0))),
    "batch": Key("sequences or images at once", axis(whole(1))),
    "lm_head": Key("of which tokens the last layer is computed", axis(TEXT)),
}
#: What a name leaves out.
_DEFAULTS = {"batch": 1, "lm_head": "last"}


@dataclass(frozen=True)
class NamedWorkload:
    """A network in a phase.

    Attributes
    ----------
    name
        Network, phase, and sizes; no other workload of a sweep is called so.
    sha256
        Of the network and its products.
    work
        The products.
    """

    name: str
    sha256: str
    work: "Workload" = field(compare=False)

    @property
    def model(self) -> str:
        """Name of the network."""
        return self.work.model.name

    @property
    def sizes(self) -> str:
        """The name without that of the network."""
        return self.name.removeprefix(self.model).strip()

    @property
    def item(self) -> str:
        """What a network makes or takes: a token, or an image."""
        return "image" if self.work.tokens is None else "token"


def read(value: Value) -> tuple[NamedWorkload, ...]:
    """Return the workloads that a list names; InputError with file, line and key."""
    entries = [(entry, record(entry, KEYS)) for entry in value.sequence()]
    options = [
        (entry, [[(key, item) for item in one.scalars()] for key, one in keys.items()])
        for entry, keys in entries
    ]
    count = sum(math.prod(map(len, axes)) for _, axes in options)
    if count > MAX_WORKLOADS:
        value.fail(f"{count} workloads, and a sweep has at most {MAX_WORKLOADS}")
    found: dict[str, NamedWorkload] = {}
    for entry, axes in options:
        for choice in itertools.product(*axes):
            one = _workload(entry, dict(choice))
            if one.name in found:
                entry.fail(f"{one.name!r} stands twice")
            found[one.name] = one
    return tuple(found.values())


def _place(model: Value) -> str | Path:
    """Return the name of a network, or the path of its file."""
    from hwsim.accelerator.models import model_names

    name = model.text()
    if name in model_names():
        return name
    path = model.path.parent / name
    if not path.exists():
        model.fail(f"{unknown('model', name, model_names())}; or a path beside this file")
    return path


def _workload(entry: Value, given: dict[str, Value]) -> NamedWorkload:
    from hwsim.accelerator.models import load_model
    from hwsim.accelerator.workload import workload
    from sweeps.store import digest

    model, phase = given["model"], given["phase"].text()
    network = model.refine(partial(load_model, _place(model)))
    sizes: dict[str, Any] = {
        key: item.text() if key == "lm_head" else item.integer()
        for key, item in given.items()
        if key not in ("model", "phase")
    }
    work = entry.refine(partial(workload, network, phase, **sizes))
    shown = [f"{key} {size}" for key, size in sizes.items() if size != _DEFAULTS.get(key)]
    return NamedWorkload(
        " ".join([work.model.name, phase, *shown]), digest([work.phase, asdict(work)]), work
    )
