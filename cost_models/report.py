"""How far the estimate is from synthesis: ``docs/cost-model.md``, and the same measured now.

The document and its chart are made of what the technology files hold, so they can be made, and
checked, without a cell library.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cost_models import chart, fit, fitting_set
from cost_models import technology as technologies
from cost_models.synthesis import liberty
from cost_models.technology import Technology
from hwsim import files
from hwsim.units import make

#: What the errors are of, by their keys in a technology file.
KINDS = {
    "unseen_units": "held-out units",
    "fitting_units": "units fitted to",
    "unseen_families": "kinds of hardware left out",
    "unseen_families_all_units": "kinds of hardware left out, all units",
    "components_only": "fitted to components only",
    "components_only_all_units": "fitted to components only, all units",
}

#: What the model is meant to keep: mean and largest error, least rank.
_ALLOWED = {
    "area": "5 % / 25 % / 0.99",
    "delay": "10 %",
    "energy": "8 %",
    "energy_with_glitches": "12 %",
}

DOCUMENT = "cost-model.md"
CHART = "cost-model.png"

_INTRODUCTION = """# The cost model

<!-- Made by `hwsim cost-model report -o docs`; a test compares it with the technology files. -->

Two methods give a cost, and they are different kinds of number:

- **synthesis**: Yosys and ABC map the unit to a cell library, with buffers and sizing, in each of
  Yosys' multiplier styles, and the smallest from three equivalent starts, of which the one of
  median delay counts. OpenSTA gives the shortest clock period. The mapped netlist is simulated
  with the operand stream, its results are compared with the golden model, and its toggles, priced
  with the library's own tables, are the energy: once without delays, once with one unit of time a
  cell. What the second adds is the energy of glitches.
- **estimate**: the unit is mapped once to generic two-input gates, multiplexers and flip-flops,
  and simulated with the operand stream, with and without unit delays. Area is a sum over gates by
  type, plus one over gates that drive more than one pin, which a complex cell cannot swallow,
  plus one over gates on paths of at least 90 % of the longest one's gates, times log2(1 +
  fan-out), where cells are larger. Delay is the longest path: a number per gate type, and one
  times log2(1 + fan-out). Energy is a sum over simulated toggles, by gate type and by load, plus
  a number per flip-flop and cycle for the clock pins, read from the library. Energy of glitches
  is another such sum, over the toggles that unit delays add. The coefficients are fitted to
  synthesis. No library is needed.

Both count cells only: no wires, no clock tree, no placement. The energy of glitches is an upper
bound in both: a real gate swallows pulses that are shorter than its own delay.

## What was fitted to what

- **Components** ({components}): adders, multipliers, shifters, selections, tables, registers and
  the like, each alone between a stream and a register (`cost_models/components`).
- **Units** of all {families} families, small ones, as synthesis of all has to be a matter of
  minutes: {fitting} to fit to and {held_out} held out. Which is which is decided by the order of
  a hash of their names, by turns within a kind of hardware (`cost_models/fitting_set.py`).

The errors are of four questions. *{unseen_units}*: the coefficients that are shipped, fitted to
components and units, on units that the fit did not see, of families that it did.
*{fitting_units}*: the same on the units that the fit did see. *{unseen_families}*: for each of
{generators} generators, the units of all families that it builds, by a fit to everything else;
families whose hardware comes from one generator are left out together. *{components_only}*: by a
fit that has seen no unit. The last two are stated for held-out units, and again for all units.

The terms of the model were chosen without the held-out units; those fitted to were looked at.
Sums over gates and toggles by type, the fan-out's logarithm and the weak pull of every
coefficient towards its gate's transistor count are those of an earlier fit, with units that are
in neither set. Both further terms for area were chosen on osu018 by cross-validation over
components and the units fitted to, where they lowered the mean error; fan-outs beyond a bound, and
other shares of the longest path, were tried as well. So were, for glitches, inverters without
delay and gates that merge into the next one, and for energy toggles of shared and of critical
gates, and loads of inputs: none was better there by more than noise, and none was taken. No term
was changed after an error below was known. The multiplier styles that generic gates are made in
were: leaving Yosys' default style out saves much time and moves the errors by noise. Rows of
partial products alone would save more, but with three of the four libraries their rank correlation
of area falls below 0.99.{unseen}

Errors are absolute and relative to synthesis, as mean / largest / rank, which is Spearman's
correlation.
"""

_UNSEEN = """

No term was chosen with {names}: what is said of it is what `hwsim characterise` gives for a library
of one's own. Its coefficients do not come with hwsim."""

_NOISE = """## Noise of synthesis

ABC's result depends on the structure that it starts from. This is by how much the netlists from
equivalent starts differ from the one that counts, at most, on average over all units. No estimate
follows that.
"""

_LIMITS = """## Where it is wrong

- **Where ABC had luck.** Units with wide tables and with long roundings are mapped to areas that
  differ by up to a fifth with the start. The generic netlist is one more draw.
- **Where synthesis took another multiplier style** than the generic netlist was smallest in.
  Products of unsigned numbers differ most: rows of AND gates, or Booth's digits. Area hardly
  tells them apart, but hazards do.
- **Deep arithmetic for glitches.** Every level of an adder multiplies hazards, and a cell that
  takes two gates at once takes away a level. Worst are small units that round a floating-point sum:
  a shifter, an adder, a counter of leading zeros and another shifter, one behind the other.
- **Few gates, long selects for delay.** A select line that drives all of a small unit is buffered
  or not, which a logarithm of the fan-out does not know.
"""

_REGENERATE = """## Making it again

`hwsim characterise --liberty FILE... -o my.yaml` synthesises components and units with a library,
fits, and prints these errors. `hwsim cost --technology my.yaml` then estimates with it.
`hwsim cost-model report -o docs` writes this file and its chart from the technology files,
`hwsim cost-model report --json` prints the errors, and `hwsim cost-model measure` synthesises the
held-out units of a technology again and compares. [libraries.md](libraries.md) says where the
libraries are.
"""


def errors() -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Return the errors by kind out of ``KINDS``, technology and quantity."""
    return {
        kind: {technology.name: technology.errors[kind] for technology in _technologies()}
        for kind in KINDS
    }


def document() -> str:
    """Return ``docs/cost-model.md``, made from the technology files."""
    loaded = _technologies()
    sections = [
        _introduction(loaded[0]),
        _summary(loaded),
        f"![Estimate against synthesis]({CHART})\n",
        _noise(loaded),
        _LIMITS,
        *(_section(technology) for technology in loaded),
        _REGENERATE,
    ]
    return "\n".join(sections)


def write(folder: Path) -> list[Path]:
    """Write :func:`document` and its chart to ``folder``, made if missing; return their paths.

    Raises InputError if they cannot be written.
    """
    folder = files.as_path("folder", folder)
    files.make_folder(folder)
    text, picture = folder / DOCUMENT, folder / CHART
    files.write_text(text, document())
    chart.write(_technologies(), picture)
    return [text, picture]


def measure(
    technology: str,
    files: Sequence[Path] | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, dict[str, float]]:
    """Synthesise the held-out units now and return the errors of the estimate against it.

    Parameters
    ----------
    technology
        A technology that comes with the package, or the path of one's own.
    files
        Its Liberty files; None for the installed osu018.
    progress
        As in :func:`cost_models.fit.characterise`.

    Returns
    -------
    dict
        By quantity, each with ``mean_percent``, ``max_percent``, ``rank``.
    """
    coefficients = technologies.load(technology)
    _, units = fitting_set.split()
    with liberty.opened(coefficients.name, files) as library:
        samples = fit.measure_units(units, coefficients.name, library, progress=progress)
    return fit.errors_of([fit.compare(sample, coefficients) for sample in samples], "estimate")


def _technologies() -> list[Technology]:
    return [*map(technologies.load, technologies.names()), *technologies.unseen()]


def _introduction(technology: Technology) -> str:
    units = fitting_set.units()
    return _INTRODUCTION.format(
        components=technology.provenance["components"],
        fitting=technology.provenance["fitting_units"],
        held_out=technology.provenance["held_out_units"],
        families=len({unit.family for unit in units}),
        generators=len({fitting_set.generator(unit) for unit in units}),
        unseen="".join(_UNSEEN.format(names=unseen.name) for unseen in technologies.unseen()),
        **KINDS,
    )


def _noise(loaded: list[Technology]) -> str:
    lines = [_NOISE, "| technology | area | delay |", "|---|---|---|"]
    for technology in loaded:
        means = [
            np.mean([row["noise_percent"][field] for row in technology.units])
            for field in ("area_um2", "delay_ns")
        ]
        lines.append(f"| {technology.name} | {means[0]:.1f} % | {means[1]:.1f} % |")
    return "\n".join([*lines, ""])


def _summary(loaded: list[Technology]) -> str:
    lines = ["## Errors", ""]
    for kind, label in KINDS.items():
        lines += [
            f"### {label[0].upper()}{label[1:]}",
            "",
            "| technology | area | delay | energy | energy with glitches |",
            "|---|---|---|---|---|",
        ]
        for technology in loaded:
            cells = [_errors(technology.errors[kind][quantity]) for quantity in fit.QUANTITIES]
            lines.append(f"| {technology.name} | {' | '.join(cells)} |")
        if kind == "unseen_units":
            lines.append(f"| wanted: at most | {' | '.join(_ALLOWED.values())} |")
        lines.append("")
    return "\n".join(lines)


def _errors(errors: dict[str, float]) -> str:
    return f"{errors['mean_percent']:.1f} % / {errors['max_percent']:.1f} % / {errors['rank']:.3f}"


def _section(technology: Technology) -> str:
    provenance = technology.provenance
    libraries = "; ".join(
        f"`{name}` (SHA-256 {digest}...)"
        for name, digest in provenance["libraries_sha256_prefix"].items()
    )
    tools = ", ".join(f"{name} {version}" for name, version in provenance["tools"].items())
    corner = ", ".join(f"{key} {value}" for key, value in provenance["corner"].items())
    lines = [
        f"## {technology.name}",
        "",
        f"Fitted on {provenance['date']} with {tools}. Corner: {corner}. Library: {libraries}.",
        f"Flow: {provenance['flow']}.",
        "",
        "Furthest off, of the held-out units:",
        "",
        *_worst([row for row in technology.units if row["held_out"]]),
        "",
        "Held-out units, synthesis and error of the estimate:",
        "",
        "| unit | area um^2 | error | delay ns | error | energy pJ/cycle | error "
        "| with glitches | error |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in technology.units:
        if row["held_out"]:
            cells = [
                f"{row['synthesis'][field]:.4g} | {100 * _error(row, field):+.1f} %"
                for field in fit.QUANTITIES.values()
            ]
            lines.append(f"| {_label(row)} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _worst(rows: list[dict[str, Any]]) -> list[str]:
    lines = []
    for quantity, field in fit.QUANTITIES.items():
        row = max(rows, key=lambda row: abs(_error(row, field)))
        lines.append(
            f"- {quantity.replace('_', ' ')}: {_label(row)} ({100 * _error(row, field):+.1f} %); "
            f"{_circumstances(row)}"
        )
    return lines


def _circumstances(row: dict[str, Any]) -> str:
    """Return what is known of a unit's synthesis that an estimate cannot follow."""
    styles, noise = row["styles"], row["noise_percent"]
    style = f"both in the multiplier style {styles['synthesis']}"
    if styles["synthesis"] != styles["estimate"]:
        style = f"synthesis in the multiplier style {styles['synthesis']}, the estimate in "
        style += styles["estimate"]
    return f"{style}; noise {noise['area_um2']:.1f} % of area, {noise['delay_ns']:.1f} % of delay"


def _error(row: dict[str, Any], field: str) -> float:
    return float(row["estimate"][field] / row["synthesis"][field] - 1)


def _label(row: dict[str, Any]) -> str:
    return make(row["family"], **row["parameters"]).name
