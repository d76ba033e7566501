"""The page of a family of units: mechanism, parameters, an example with its files and its costs."""

import shlex
from collections.abc import Sequence

from cost_models.bands import LEVELS
from cost_models.cost import Cost
from cost_models.metrics import METRICS, errors, percents
from cost_models.phrases import corner_phrase, errors_phrase
from cost_models.published import Published
from hwsim import __version__, tables
from hwsim.units import FAMILIES, UnitSpec, manual
from hwsim.units.manual import Parameter
from rtl import yosys
from rtl.base import ports
from sweeps.atlas import html, prose, svg
from sweeps.atlas.costs import PARTS_BITS, Examined
from sweeps.atlas.published import related
from sweeps.atlas.survey import Survey, example
from sweeps.markup import Markup, tag

ROOT = "../"
#: Columns of estimates.
COLUMNS = ("area_um2", "delay_ns", "fmax_mhz", "macs_per_cycle", "energy_pj_per_mac",
           "leakage_nw", "gmacs_per_s_per_mm2")  # fmt: skip
#: What parts are shares of.
SHARES = ("area_um2", "energy_pj_per_mac")


def page(found: Survey, family: str, examined: Sequence[Examined]) -> str:
    """Return the page of a family; ``examined`` has its example first, or is empty."""
    unit = example(family)
    text = prose.doc(FAMILIES[family])
    explained, sources = prose.split_sources(f"{prose.summary(text)}\n\n{prose.body(text)}")

    def address(role: str) -> str | None:
        return found.address(role, ROOT)

    return html.page(
        f"{family}: unit",
        ROOT,
        html.trail(ROOT, "Units", "units", family),
        tag(
            "header",
            tag("h1", family),
            tag("p", manual.summary(family), class_="lede"),
        ),
        html.section("Example", *_example(unit), id_="example"),
        html.section("Verilog", *_files(unit, examined), id_="verilog"),
        html.section("How it works", prose.to_html(explained, address), id_="how"),
        html.section("Parameters", _parameters(manual.parameters(family))),
        html.section("Formats it takes", *_formats(found, family), id_="formats"),
        html.section("Estimated costs", *_costs(examined), id_="costs")
        if any(one.costs or one.failure for one in examined)
        else None,
        _published(related(family)),
        html.section("Literature", prose.to_html(sources, address)) if sources else None,
        html.around([(name, f"{name}.html") for name in found.families], family),
    )


# The example.


def _example(unit: UnitSpec) -> list[Markup]:
    timing = unit.timing()
    interval = f"{timing.interval}"
    if timing.min_interval != timing.interval:
        interval = f"{timing.min_interval} to {timing.interval}"
    beat = ", ".join(f"{name} {bits}" for name, bits in unit.beat_fields.items() if bits)
    return [
        tag("p", _breakable(unit.name), class_="name"),
        tag("p", datapath(unit)),
        html.facts([
            ("latency, in cycles", str(timing.latency)),
            ("initiation interval, in cycles a beat", interval),
            ("throughput", f"{tables.cell(unit.macs_per_cycle)} MAC/cycle"),
            ("beat", f"{unit.beat_bits} bits: {beat}"),
            ("result", f"{unit.result.bits} bits"),
            ("beats that cannot overflow", str(unit.safe_beats)),
        ]),
        html.table(
            ["port", "direction", "bits", "meaning"],
            [html.row(tag("td", tag("code", name)), way, str(bits), meaning, number=(2,))
             for name, way, bits, meaning in ports(unit)],
            label="Ports",
            class_="ports",
            numbers=(2,),
        ),
    ]  # fmt: skip


def datapath(unit: UnitSpec) -> str:
    """Return what a unit does in a beat, in words."""
    operands = f"{unit.activation.name} activations by {unit.weight.name} weights"
    lanes = f"{unit.lanes} lane{'' if unit.lanes == 1 else 's'}"
    parts = [
        f"{lanes} multiply {operands} and add up: {tables.cell(float(unit.macs_per_cycle))} "
        "MAC/cycle."
    ]
    if unit.macs_per_beat != unit.lanes:
        parts.append(f"A beat has {unit.macs_per_beat} MACs.")
    parts.append(
        "Sums are exact until the end."
        if unit.is_exact
        else "Products or sums are rounded or approximate."
    )
    if unit.metadata:
        names = ", ".join(f"{field.name} ({field.scope})" for field in unit.metadata)
        parts.append(f"Beats carry metadata: {names}.")
    return " ".join(parts)


def _files(unit: UnitSpec, examined: Sequence[Examined]) -> list[Markup]:
    first = FAMILIES[unit.family].configurations[0]
    words = shlex.join([unit.family, *(f"{key}={value}" for key, value in first.items())])
    lines = [
        f"hwsim generate {words} -o verilog",
        f"(cd verilog && iverilog -g2012 {unit.name}.v {unit.name}_tb.v && vvp a.out)",
        f"hwsim verify {words}",
        f"hwsim cost {words}",
        f"hwsim units {unit.family}",
    ]
    kinds = {".json": "description", "_tb.v": "self-checking testbench", ".v": "hardware"}
    rows = [
        html.row(
            tag("td", tag("a", _breakable(name), href=f"{ROOT}verilog/{name}", download=True)),
            next(kind for ending, kind in kinds.items() if name.endswith(ending)),
            f"{len(text.encode()) / 1000:.1f} kB",
            number=(2,),
        )
        for one in examined[:1]
        for name, text in one.files.items()
    ]
    listing = html.table(["file", "what", "size"], rows, label="Files", numbers=(2,))
    return [*([listing] if rows else []), html.commands(lines)]


# Parameters and formats.


def _parameters(parameters: Sequence[Parameter]) -> Markup:
    rows = [
        html.row(
            tag("th", tag("code", one.name), scope="row"),
            " | ".join(one.choices) or one.type,
            _default(one),
            one.meaning + "".join(f" Formerly {name}." for name in one.formerly),
        )
        for one in parameters
    ]
    headings = ["parameter", "values", "default", "meaning"]
    return html.table(headings, rows, label="Parameters", class_="parameters")


def _default(one: Parameter) -> str:
    if one.required:
        return "required"
    return "chosen by the unit" if one.default is None else str(one.default)


def _formats(found: Survey, family: str) -> list[Markup]:
    parts = []
    for key, names in found.taken[family].items():
        pairs = [(name, ROOT + (found.format_page(name) or "")) for name in names]
        parts += [
            tag("h3", tag("code", key)),
            html.links(pairs) if pairs else tag("p", "none here"),
        ]
    note = (
        "Of the formats in this atlas, those that a configuration of the family takes in the place "
        "of its own. Many formats have further parameters, so others may fit, too."
    )
    return [tag("p", note, class_="quiet"), *parts]


# Costs.


def _costs(examined: Sequence[Examined]) -> list[Markup]:
    known = [one for one in examined if not one.failure]
    failed = [
        tag("p", f"{one.unit.name} has no estimate: {one.failure}", class_="notice")
        for one in examined
        if one.failure
    ]
    if not known:
        return failed
    metrics = [METRICS[name] for name in COLUMNS]
    shown = [(one, cost) for one in known for cost in one.costs.values()]
    rows = [
        html.row(
            tag("th", _breakable(one.unit.name), scope="row"),
            cost.technology,
            *[_value(cost, metric.name) for metric in metrics],
            number=range(2, 2 + len(metrics)),
        )
        for one, cost in shown
    ]
    headings = ["unit", "technology", *(metric.label for metric in metrics)]
    levels = " / ".join(f"{level} %" for level in LEVELS)
    note = (
        f"Estimates by hwsim {__version__} with Yosys {yosys.version()}, fitted to synthesis: no "
        "synthesis, and no published numbers. Mapped for the least area, normal operands, hazards "
        f"in the energy, no wires. ± what {levels} of units stay within."
    )
    return [
        tag("p", tag("span", "estimate", class_="badge"), " ", note),
        html.table(
            headings,
            rows,
            label="Estimated costs",
            numbers=range(2, 2 + len(metrics)),
            sortable=True,
            class_="costs",
        ),
        tag("ul", *[tag("li", _technology(cost)) for cost in known[0].costs.values()]),
        *failed,
        tag("h3", "Where it goes"),
        *_parts(known[0]),
    ]


def _breakable(name: str) -> Markup:
    """Return a name that may be broken behind an underscore."""
    first, *others = name.split("_")
    return tag("code", first, *[piece for one in others for piece in ("_", tag("wbr"), one)])


def _value(cost: Cost, name: str) -> Markup:
    value = getattr(cost, name)
    levels = percents(cost).get(name)
    error = "/".join(f"{percent:.1f}" for percent in levels.values()) if levels else ""
    return tag(
        "td",
        tables.cell(float(value)),
        tag("small", f" ±{error} %") if error else None,
        class_="number",
        data_value=repr(float(value)),
    )


def _technology(cost: Cost) -> str:
    corner = corner_phrase(cost.provenance["coefficients"]["corner"])
    large = ", mapped with bounded effort" if cost.provenance["effort"] == "bounded" else ""
    return f"{cost.technology}: {corner}; {errors_phrase(errors(cost))}{large}"


def _parts(examined: Examined) -> list[Markup]:
    if not examined.breakdowns:
        note = f"Parts are told apart in examples with beats of up to {PARTS_BITS} bits."
        return [tag("p", note, class_="quiet"), html.commands(["hwsim cost UNIT --breakdown"])]
    found = []
    for name, one in examined.breakdowns.items():
        total = one.metrics(one.total)
        rows = []
        for label, part in one.parts.items():
            values = one.metrics(part)
            cells: list[Markup] = []
            for key in SHARES:
                share = values[key] / total[key] if total[key] else 0.0
                cells += [
                    tag("td", f"{100 * share:.0f} %", class_="number"),
                    tag("td", svg.share_bar(share)),
                ]
            rows.append(html.row(tag("th", label, scope="row"), *cells))
        labels = [METRICS[key].label.partition(" (")[0] for key in SHARES]
        headings = ["part", labels[0], None, labels[1], None]
        found.append(
            tag(
                "figure",
                tag("figcaption", f"{name}, estimate: shares of the sum of parts of the example"),
                html.table(headings, rows, label=f"Parts, {name}", numbers=(1, 3), class_="parts"),
            )
        )
    return found


def _published(numbers: Sequence[Published]) -> Markup | None:
    if not numbers:
        return None
    headings = ["system", "unit", "weight", "activation", "node nm", "what", "value", "measure",
                "evidence", "source"]  # fmt: skip
    rows = [
        html.row(
            one.system,
            one.unit,
            one.weight,
            one.activation,
            str(one.node),
            one.metric.replace("_", " "),
            f"{one.value:g}",
            one.measure,
            one.evidence + (", derived" if one.derived else ""),
            f"{one.source}. {one.note}",
            number=(4, 6),
        )
        for one in numbers
    ]
    note = (
        "As papers print them: other tools, libraries and operands, and more or less of a unit. "
        "Nothing here compares with an estimate number by number."
    )
    return html.section(
        "Published numbers",
        tag("p", tag("span", "published", class_="badge published"), " ", note),
        html.table(headings, rows, label="Published", numbers=(4, 6), sortable=True, class_="wide"),
        id_="published",
    )
