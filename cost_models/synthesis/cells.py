"""What a cell computes and what its transitions cost, from the text of a Liberty file.

Energy is in three places of a Liberty file: the tables of an output say what the cell dissipates
when that output toggles, by the slew of the input that caused it and by the load; those of an input
say what it dissipates when that input toggles; and charging a net of capacitance C to V and
discharging it takes C V^2. The tables are in units of V^2 times the unit of capacitance.

A library characterises some tables for a state of the cell (``when``). Such a table counts by the
share of the cell's states, all equally likely, in which its condition holds.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cost_models.synthesis.expressions import Bits, Expression, ExpressionError, parse
from hwsim.errors import InputError

Floats = NDArray[np.float64]

_STATEMENT = re.compile(
    r"""\s*([\w.\[\]]+)\s*
    (?: : \s* ("[^"]*" | [^;{}\n]*?) \s* (?:; | (?=[\n}]))
      | \( ((?: "[^"]*" | [^()"] )*) \) \s* ([{;]?) )\s*""",
    re.VERBOSE,
)
#: Of a cell; its states are enumerated.
_MOST_INPUTS = 12
_PREFIXES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}
_CLOCK_GATE = "clock_gating_integrated_cell"
#: Kinds of clock gates for rising edges; where the test pin enters does not matter at 0.
CLOCK_GATES = ("latch_posedge", "latch_posedge_precontrol", "latch_posedge_postcontrol")
_ENABLE_PIN = "clock_gate_enable_pin"
_CLOCK_PIN = "clock_gate_clock_pin"
_OUT_PIN = "clock_gate_out_pin"
_TEST_PIN = "clock_gate_test_pin"
_SLEW = "input_transition_time"
_LOAD = "total_output_net_capacitance"


@dataclass
class Group:
    """A Liberty group: its kind and arguments, simple attributes, and what it contains."""

    kind: str
    arguments: list[str]
    attributes: dict[str, str] = field(default_factory=dict)
    groups: list["Group"] = field(default_factory=list)

    def all(self, *kinds: str) -> Iterator["Group"]:
        """Yield the groups of some kinds inside it."""
        return (group for group in self.groups if group.kind in kinds)


class LibertySyntaxError(InputError):
    """What is no Liberty syntax, ``line`` lines after the begin of a text."""

    def __init__(self, text: str, start: int) -> None:
        super().__init__(f"Liberty syntax that is not understood: {text[start : start + 60]!r}")
        self.line = text.count("\n", 0, start)


def read_group(text: str) -> Group:
    """Return the group that ``text`` begins with; what follows it is not looked at.

    Raises
    ------
    LibertySyntaxError
        If the text is no Liberty syntax.
    """
    # Left open, a group at the end of the text is closed by it: the head of a library.
    open_groups: list[Group] = []
    end = 0
    root = None
    while match := _STATEMENT.match(text, end):
        end = match.end()
        name, value, arguments, closing = match.groups()
        if arguments is None:
            if open_groups:
                open_groups[-1].attributes[name] = value.strip().strip('"')
        elif closing == "{":
            group = Group(name, [a.strip().strip('"').strip() for a in arguments.split(",")])
            if open_groups:
                open_groups[-1].groups.append(group)
            open_groups.append(group)
            root = root or group
        elif open_groups:
            open_groups[-1].attributes[name] = arguments.replace("\\", " ").replace('"', " ")
        while end < len(text) and text[end] in "};":
            if text[end] == "}":
                if not open_groups:
                    break
                open_groups.pop()
            end += 1
            while end < len(text) and text[end].isspace():
                end += 1
        if root is not None and not open_groups:
            return root
    if root is None or end < len(text):
        raise LibertySyntaxError(text, end)
    return root


@dataclass(frozen=True, eq=False)
class Table:
    """Energy in fJ by slew in ns and load in fF, of shape (slews, loads)."""

    slews: Floats
    loads: Floats
    energy: Floats

    def at(self, slew: Floats, load: Floats) -> Floats:
        """Interpolate linearly, and extrapolate beyond the ends, as delay calculators do."""
        row, right = _position(self.slews, slew)
        column, up = _position(self.loads, load)
        last_row, last_column = np.array(self.energy.shape) - 1
        below, above = (
            self.energy[r, column] * (1 - up)
            + self.energy[r, np.minimum(column + 1, last_column)] * up
            for r in (row, np.minimum(row + 1, last_row))
        )
        return below * (1 - right) + above * right


def _position(axis: Floats, x: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return the interval of ``axis`` that ``x`` is in, and how far into it."""
    if len(axis) == 1:
        return np.zeros(x.shape, np.intp), np.zeros(x.shape)
    start = np.clip(np.searchsorted(axis, x) - 1, 0, len(axis) - 2)
    return start, (x - axis[start]) / (axis[start + 1] - axis[start])


@dataclass(frozen=True, eq=False)
class Arc:
    """Energy of a transition, for one pin that causes it.

    Attributes
    ----------
    pin
        The pin whose slew counts.
    rise, fall
        Weighted tables, whose sum is the energy in fJ.
    """

    pin: str
    rise: Sequence[tuple[float, Table]]
    fall: Sequence[tuple[float, Table]]

    def per_toggle(self, rise_slew: Floats, fall_slew: Floats, load: Floats) -> Floats:
        """Return the mean of rise and fall in fJ."""
        return (
            sum(
                (
                    weight * table.at(slew, load)
                    for tables, slew in ((self.rise, rise_slew), (self.fall, fall_slew))
                    for weight, table in tables
                ),
                np.zeros(load.shape),
            )
            / 2
        )


@dataclass(frozen=True)
class FlipFlop:
    """What a flip-flop stores, and when.

    Attributes
    ----------
    state, inverse
        Names of the stored bit and of its complement.
    clock_pin
        The input that clocks it.
    clocked_on, next_state
        Expressions over inputs.
    clear, preset
        Asynchronous ones, None where there are none.
    """

    state: str
    inverse: str
    clock_pin: str
    clocked_on: Expression
    next_state: Expression
    clear: Expression | None
    preset: Expression | None


@dataclass(frozen=True)
class ClockGate:
    """An integrated clock-gating cell: a latch keeps the enable while the clock is high.

    The output is the clock in cycles whose enable was 1 at the edge that they begin with, and 0 in
    others.

    Attributes
    ----------
    enable_pin, clock_pin, output_pin
        Its pins.
    test_pins
        Inputs that open it in tests, to be tied to 0.
    state
        Name of the latched bit.
    area_um2
        Its area.
    """

    enable_pin: str
    clock_pin: str
    output_pin: str
    test_pins: tuple[str, ...]
    state: str
    area_um2: float


@dataclass(frozen=True, eq=False)
class Cell:
    """A library cell.

    Attributes
    ----------
    name
        Its name.
    inputs
        Capacitance of each input in fF.
    outputs
        Function of each output, over inputs and the state of a flip-flop or a clock gate.
    flip_flop
        None for other cells.
    clock_gate
        None for other cells.
    area_um2
        Its area in um^2.
    leakage_nw
        Leakage in nW, the mean of its states.
    output_arcs
        By output, one arc for each pin that toggles it; a toggle takes their mean.
    input_arcs
        By input, what a toggle of it takes by itself.
    clock_arc
        Like ``input_arcs``, for the clock pin of a flip-flop whose state is about to change, or
        of a clock gate that is open; ``input_arcs`` has those whose state stays, or are closed.
    most_load
        Load in fF that an output may have, of those that the library states one for.
    most_slew
        Slew in ns that a pin may have, likewise.
    """

    name: str
    inputs: Mapping[str, float]
    outputs: Mapping[str, Expression]
    flip_flop: FlipFlop | None
    clock_gate: ClockGate | None
    area_um2: float
    leakage_nw: float
    output_arcs: Mapping[str, Sequence[Arc]]
    input_arcs: Mapping[str, Arc]
    clock_arc: Arc | None
    most_load: Mapping[str, float]
    most_slew: Mapping[str, float]

    @property
    def clock_pin(self) -> str | None:
        """The clock pin of a flip-flop or a clock gate, None for other cells."""
        clocked = self.flip_flop or self.clock_gate
        return clocked.clock_pin if clocked else None


@dataclass(frozen=True, eq=False)
class Header:
    """Units and table templates of a Liberty file.

    Attributes
    ----------
    voltage
        Supply in V.
    capacitance_ff, time_ns, leakage_nw
        Size of the file's units.
    templates
        Templates of power tables by name.
    leakage
        Leakage in the file's unit of a cell that states none; None if the file does not say.
    input_capacitance
        The same for inputs.
    most_load, most_slew
        The same for the load that an output may have and the slew of a pin.
    """

    voltage: float
    capacitance_ff: float
    time_ns: float
    leakage_nw: float
    templates: Mapping[str, Group]
    leakage: float | None
    input_capacitance: float | None
    most_load: float | None
    most_slew: float | None

    @property
    def energy_fj(self) -> float:
        """Size of the unit of energy: fF times V^2 is fJ."""
        return self.capacitance_ff


def read_header(text: str, source: str) -> Header:
    """Return what the head of a library says.

    Raises
    ------
    InputError
        If a unit or the supply voltage is missing or no such unit.
    """
    library = read_group(text)
    found = library.attributes
    if _unit(found, "voltage_unit", "V", source) != 1:
        raise InputError(f"{source}: voltage_unit must be 1V, not {found['voltage_unit']}")
    parts = found.get("capacitive_load_unit", "").replace(",", " ").split()
    if len(parts) != 2 or parts[1].lower() not in ("ff", "pf"):
        raise InputError(f"{source}: capacitive_load_unit must be in fF or pF, not {parts}")
    return Header(
        voltage=_voltage(library, source),
        capacitance_ff=_positive(parts[0], source) * {"ff": 1.0, "pf": 1e3}[parts[1].lower()],
        time_ns=_unit(found, "time_unit", "s", source) * 1e9,
        leakage_nw=_unit(found, "leakage_power_unit", "W", source) * 1e9,
        templates={group.arguments[0]: group for group in library.all("power_lut_template")},
        leakage=_default(found, "default_cell_leakage_power", source),
        input_capacitance=_default(found, "default_input_pin_cap", source),
        most_load=_default(found, "default_max_capacitance", source),
        most_slew=_default(found, "default_max_transition", source),
    )


def _voltage(library: Group, source: str) -> float:
    """Return the supply voltage, which may be that of the operating conditions alone."""
    found = library.attributes
    conditions = found.get("default_operating_conditions")
    voltage = found.get("nom_voltage")
    for group in library.all("operating_conditions"):
        if voltage is None and group.arguments[0] == conditions:
            voltage = group.attributes.get("voltage")
    if voltage is None:
        raise InputError(f"{source} has no nom_voltage, which energy follows from")
    return _positive(voltage, source)


def _unit(found: Mapping[str, str], name: str, base: str, source: str) -> float:
    match = re.fullmatch(
        rf"\s*(10{{0,2}})(?:\.0*)?\s*([fpnum]?){base}\s*", found.get(name, ""), re.IGNORECASE
    )
    if match is None:
        raise InputError(
            f"{source}: {name} is {found.get(name, 'missing')!r}; 1, 10 or 100 and a multiple of "
            f"{base} is needed"
        )
    return float(match[1]) * _PREFIXES[match[2].lower()]


def _default(found: Mapping[str, str], name: str, source: str) -> float | None:
    return _number(found[name], source) if name in found else None


def _positive(text: str, source: str) -> float:
    value = _number(text, source)
    if value <= 0:
        raise InputError(f"{source}: {text!r} must be positive")
    return value


def _number(text: str, source: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{source}: {text!r} is no number") from None
    if not np.isfinite(value):
        raise InputError(f"{source}: {text!r} is no finite number")
    return value


@lru_cache(maxsize=8)
def header(path: Path, end: int, source: str) -> Header:
    """Return the header that the first ``end`` bytes of a file hold; ``source`` is its name."""
    with path.open("rb") as file:
        text = file.read(end).decode("latin-1")
    try:
        return read_header(text, source)
    except LibertySyntaxError as error:
        raise InputError(f"{source}, line {error.line + 1}: {error}") from None


@lru_cache(maxsize=4096)
def cell(path: Path, header_end: int, start: int, end: int, source: str) -> Cell:
    """Return the cell whose text is the bytes ``start`` to ``end`` of a file."""
    with path.open("rb") as file:
        file.seek(start)
        text = file.read(end - start).decode("latin-1")
    head = header(path, header_end, source)
    try:
        return read_cell(text, head)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def read_cell(text: str, head: Header) -> Cell:
    """Return the cell that ``text`` begins with.

    Raises
    ------
    InputError
        If it lacks a function, power, leakage or a capacitance, or is a latch that is no clock
        gate of rising edges.
    """
    return _Reader(read_group(text.replace("\\\n", " ")), head).cell()


class _Reader:
    def __init__(self, group: Group, head: Header) -> None:
        self.group = group
        self.head = head
        self.name = group.arguments[0]
        pins = {name: pin for pin in group.all("pin") for name in pin.arguments}
        self.inputs = {n: p for n, p in pins.items() if p.attributes.get("direction") == "input"}
        self.outputs = {n: p for n, p in pins.items() if p.attributes.get("direction") == "output"}

    def cell(self) -> Cell:
        if _CLOCK_GATE in self.group.attributes:
            return self.gating_cell()
        for kind in ("latch", "statetable", "latch_bank", "ff_bank"):
            if any(self.group.all(kind)):
                raise self.error(f"is a {kind}; units are made of gates and flip-flops")
        functions = {
            name: self.expression(pin, "function", f"output {name}")
            for name, pin in self.outputs.items()
        }
        if not functions:
            raise self.error("has no output with a function")
        flip_flop = self.flip_flop()
        if len(self.inputs) > _MOST_INPUTS:
            raise self.error(f"has {len(self.inputs)} inputs, more than {_MOST_INPUTS}")
        stored = (flip_flop.state, flip_flop.inverse) if flip_flop else ()
        states = self.states(functions, *stored)
        arcs = {name: self.arc(pin, name, states) for name, pin in self.inputs.items()}
        changing = None
        if flip_flop is not None:
            clock = self.inputs[flip_flop.clock_pin]
            if not any(clock.all("internal_power")):
                raise self.error(f"has no internal_power at its clock pin {flip_flop.clock_pin}")
            running = np.ones(len(states[flip_flop.state]), bool)
            for asynchronous in (flip_flop.clear, flip_flop.preset):
                if asynchronous is not None:
                    running &= ~asynchronous.evaluate(states)
            stays = flip_flop.next_state.evaluate(states) == states[flip_flop.state]
            rest, change = (
                self.arc(clock, flip_flop.clock_pin, _subset(states, running & keep))
                for keep in (stays, ~stays)
            )
            arcs[flip_flop.clock_pin], changing = rest, change
        return Cell(
            name=self.name,
            inputs={name: self.capacitance(name, pin) for name, pin in self.inputs.items()},
            outputs=functions,
            flip_flop=flip_flop,
            clock_gate=None,
            area_um2=self.area(),
            leakage_nw=self.leakage(),
            output_arcs={name: self.output_arcs(pin, name) for name, pin in self.outputs.items()},
            input_arcs={name: arc for name, arc in arcs.items() if arc.rise or arc.fall},
            clock_arc=changing,
            most_load=self.most_load(),
            most_slew=self.most_slew(),
        )

    def gating_cell(self) -> Cell:
        gate = self.clock_gate()
        if not any(self.inputs[gate.clock_pin].all("internal_power")):
            raise self.error(f"has no internal_power at its clock pin {gate.clock_pin}")
        enable, output = gate.enable_pin, gate.output_pin
        # That of a latch is a function, that of a state table has a name of its own.
        kind = "function" if any(self.group.all("latch")) else "state_function"
        functions = {output: self.expression(self.outputs[output], kind, f"output {output}")}
        states = self.states(functions, gate.state)
        clock, latched = states[gate.clock_pin], states[gate.state]
        untested = np.ones(len(clock), bool)
        for pin in gate.test_pins:
            untested &= ~states[pin]
        if (untested & (states[output] != (clock & latched))).any():
            raise self.error(f"does not gate {gate.clock_pin} with the latched {enable}")
        # The latch follows the enable while the clock is low.
        possible = untested & (clock | (latched == states[enable]))
        closed = _subset(states, possible & ~states[enable] & ~latched)
        # The output moves with the clock: what a clock takes that leaves it at 0 is not taken.
        opened = _subset(states, possible & states[enable] & latched & clock)
        arcs = {pin: self.arc(self.inputs[pin], pin, closed) for pin in gate.test_pins}
        arcs[enable] = self.arc(self.inputs[enable], enable, _subset(states, possible))
        rest = {gate.clock_pin: self.arc(self.inputs[gate.clock_pin], gate.clock_pin, closed)}
        return Cell(
            name=self.name,
            inputs={name: self.capacitance(name, pin) for name, pin in self.inputs.items()},
            outputs=functions,
            flip_flop=None,
            clock_gate=gate,
            area_um2=self.area(),
            leakage_nw=self.leakage(),
            output_arcs={output: self.output_arcs(self.outputs[output], output, opened)},
            input_arcs={name: arc for name, arc in arcs.items() if arc.rise or arc.fall} | rest,
            clock_arc=self.arc(self.inputs[gate.clock_pin], gate.clock_pin, opened),
            most_load=self.most_load(),
            most_slew=self.most_slew(),
        )

    def clock_gate(self) -> ClockGate:
        kind = self.group.attributes[_CLOCK_GATE]
        if kind not in CLOCK_GATES:
            raise self.error(f"is a clock gate of the kind {kind}; allowed: {CLOCK_GATES}")
        pins: dict[str, list[str]] = {
            attribute: [
                name
                for name, pin in (self.inputs | self.outputs).items()
                if pin.attributes.get(attribute) == "true"
            ]
            for attribute in (_ENABLE_PIN, _CLOCK_PIN, _OUT_PIN, _TEST_PIN)
        }
        for attribute in (_ENABLE_PIN, _CLOCK_PIN, _OUT_PIN):
            if len(pins[attribute]) != 1:
                raise self.error(f"is a clock gate with {len(pins[attribute])} {attribute}s, not 1")
        (enable,), (clock,), (output,) = (pins[a] for a in (_ENABLE_PIN, _CLOCK_PIN, _OUT_PIN))
        test = pins[_TEST_PIN]
        if {*self.inputs, *self.outputs} != {enable, clock, output, *test}:
            raise self.error("is a clock gate with more than enable, clock, output and test pins")
        latch = next(self.group.all("latch", "statetable"), None)
        if latch is None or len(latch.arguments) != 2:
            raise self.error("is a clock gate without a latch or a statetable of one bit")
        # latch (state, complement), statetable (inputs, state).
        state = latch.arguments[0 if latch.kind == "latch" else 1]
        if "area" not in self.group.attributes:
            raise self.error("has no area")
        return ClockGate(
            enable_pin=enable,
            clock_pin=clock,
            output_pin=output,
            test_pins=tuple(test),
            state=state,
            area_um2=self.number(self.group.attributes["area"]),
        )

    def most_load(self) -> dict[str, float]:
        default, size = self.head.most_load, self.head.capacitance_ff
        return self.limits(self.outputs, "max_capacitance", default, size)

    def most_slew(self) -> dict[str, float]:
        pins = self.inputs | self.outputs
        return self.limits(pins, "max_transition", self.head.most_slew, self.head.time_ns)

    def limits(
        self, pins: Mapping[str, Group], attribute: str, default: float | None, size: float
    ) -> dict[str, float]:
        """Return a limit of pins, as far as it is stated."""
        found = {
            name: self.number(pin.attributes[attribute]) if attribute in pin.attributes else default
            for name, pin in pins.items()
        }
        return {name: limit * size for name, limit in found.items() if limit}

    def error(self, message: str) -> InputError:
        return InputError(f"library cell {self.name} {message}")

    def expression(self, group: Group, attribute: str, where: str) -> Expression:
        text = group.attributes.get(attribute)
        if text is None:
            raise self.error(f"has no {attribute} for its {where}")
        try:
            return parse(text)
        except ExpressionError as error:
            raise self.error(f"has a {attribute} that is not understood: {error}") from None

    def flip_flop(self) -> FlipFlop | None:
        group = next(self.group.all("ff"), None)
        if group is None:
            return None
        clocked_on = self.expression(group, "clocked_on", "flip-flop")
        if len(clocked_on.names) != 1:
            raise self.error("is not clocked by one pin")
        if len(group.arguments) != 2:
            raise self.error("does not name a state and its complement")
        state, inverse = group.arguments
        clear, preset = (
            self.expression(group, name, "flip-flop") if name in group.attributes else None
            for name in ("clear", "preset")
        )
        (clock_pin,) = clocked_on.names
        next_state = self.expression(group, "next_state", "flip-flop")
        self.check(clocked_on.names, set(self.inputs), "a clock")
        known = {*self.inputs, state, inverse}
        for expression in (next_state, clear, preset):
            if expression is not None:
                self.check(expression.names, known, "a flip-flop")
        return FlipFlop(state, inverse, clock_pin, clocked_on, next_state, clear, preset)

    def check(self, names: Iterable[str], known: Container[str], what: str) -> None:
        """Refuse names of pins that there are not."""
        for name in names:
            if name not in known:
                raise self.error(f"has {what} of {name}, which is no input")

    def states(
        self, functions: Mapping[str, Expression], stored: str = "", inverse: str = ""
    ) -> dict[str, Bits]:
        """Return all states of the cell: values of inputs, a stored bit, and outputs."""
        free = [*self.inputs, *([stored] if stored else [])]
        columns = np.array(list(product([False, True], repeat=len(free))), bool).T
        states = dict(zip(free, columns, strict=True))
        if inverse:
            states[inverse] = ~states[stored]
        one = np.ones(2 ** len(free), bool)
        for name, function in functions.items():
            self.check(function.names, states, "a function")
            states[name] = function.evaluate(states) & one
        return states

    def capacitance(self, name: str, pin: Group) -> float:
        value = self.head.input_capacitance
        if "capacitance" in pin.attributes:
            value = self.number(pin.attributes["capacitance"])
        if value is None:
            raise self.error(f"has no capacitance for its input {name}")
        return value * self.head.capacitance_ff

    def number(self, text: str) -> float:
        return _number(text, f"library cell {self.name}")

    def area(self) -> float:
        if "area" not in self.group.attributes:
            raise self.error("has no area")
        value = self.number(self.group.attributes["area"])
        if value < 0:
            raise self.error(f"has the area {value:g}, less than 0")
        return value

    def leakage(self) -> float:
        value = self.group.attributes.get("cell_leakage_power")
        if value is not None:
            return self.number(value) * self.head.leakage_nw
        # By supply; of each the mean of its states, or the one without a state.
        groups: dict[str, dict[bool, list[float]]] = {}
        for group in self.group.all("leakage_power"):
            supply = groups.setdefault(group.attributes.get("related_pg_pin", ""), {})
            of_state = "when" in group.attributes
            supply.setdefault(of_state, []).append(
                self.number(group.attributes.get("value", "missing"))
            )
        if not groups and self.head.leakage is not None:
            return self.head.leakage * self.head.leakage_nw
        if not groups:
            raise self.error("has no leakage power")
        means = [float(np.mean(by.get(False) or by[True])) for by in groups.values()]
        return sum(means) * self.head.leakage_nw

    def output_arcs(
        self, pin: Group, name: str, states: Mapping[str, Bits] | None = None
    ) -> list[Arc]:
        """Return the energy of a toggle of an output, in any of some states, or in all."""
        groups: dict[str, list[Group]] = {}
        for group in pin.all("internal_power"):
            if states is not None and self.share(group, name, states) == 0:
                continue
            for related in group.attributes.get("related_pin", "").split():
                groups.setdefault(related, []).append(group)
        if not groups and self.inputs:
            raise self.error(f"has no internal_power for its output {name}")
        self.check(groups, {*self.inputs, *self.outputs}, "power at its output by a toggle")
        return [
            Arc(related, *(self.mean(group, edge) for edge in ("rise_power", "fall_power")))
            for related, group in groups.items()
        ]

    def mean(self, groups: Iterable[Group], edge: str) -> list[tuple[float, Table]]:
        """Return tables that add up to the mean over states, summed over supplies."""
        supplies: dict[str, list[Table]] = {}
        for group in groups:
            for values in group.all(edge):
                supply = group.attributes.get("related_pg_pin", "")
                supplies.setdefault(supply, []).append(self.table(values))
        return [(1 / len(tables), table) for tables in supplies.values() for table in tables]

    def arc(self, pin: Group, name: str, states: Mapping[str, Bits]) -> Arc:
        """Return the energy of a toggle of an input, the mean over ``states``."""
        tables: dict[str, list[tuple[float, Table]]] = {"rise_power": [], "fall_power": []}
        supplies: dict[str, list[Group]] = {}
        for group in pin.all("internal_power"):
            supplies.setdefault(group.attributes.get("related_pg_pin", ""), []).append(group)
        for groups in supplies.values():
            shares = [self.share(group, name, states) for group in groups]
            rest = 1 - sum(share for share in shares if share is not None)
            for group, share in zip(groups, shares, strict=True):
                for edge, found in tables.items():
                    weight = rest if share is None else share
                    found += [(weight, self.table(v)) for v in group.all(edge) if weight > 0]
        return Arc(name, tables["rise_power"], tables["fall_power"])

    def share(self, group: Group, name: str, states: Mapping[str, Bits]) -> float | None:
        """Return the share of ``states`` in which a group applies, None for one of all others."""
        if "when" not in group.attributes:
            return None
        condition = self.expression(group, "when", f"power at {name}")
        unknown = condition.names - set(states)
        if unknown:
            raise self.error(f"has power that depends on {', '.join(unknown)}, which is no pin")
        return float(np.mean(condition.evaluate(states)))

    def table(self, group: Group) -> Table:
        kind = group.arguments[0]
        template = self.head.templates.get(kind)
        if template is None and kind != "scalar":
            raise self.error(f"has a table of the unknown template {kind}")
        axes = {_SLEW: np.zeros(1), _LOAD: np.zeros(1)}
        order = []
        for number in (1, 2, 3):
            variable = template.attributes.get(f"variable_{number}") if template else None
            if variable is None:
                break
            variable = variable.replace("input_net_transition", _SLEW)
            if variable not in axes or variable in order:
                raise self.error(f"has a power table over {variable}")
            assert template is not None
            index = group.attributes.get(f"index_{number}") or template.attributes.get(
                f"index_{number}"
            )
            if index is None:
                raise self.error(f"has a table of {kind} without index_{number}")
            axes[variable] = self.numbers(index)
            if not axes[variable].size or np.any(np.diff(axes[variable]) <= 0):
                raise self.error(f"has a table of {kind} whose index_{number} does not increase")
            order.append(variable)
        values = self.numbers(group.attributes.get("values", ""))
        shape = tuple(len(axes[variable]) for variable in order)
        if values.size != np.prod(shape, dtype=int):
            raise self.error(f"has a table of {kind} with {values.size} values, not {shape}")
        energy = values.reshape(shape)
        if order == [_LOAD, _SLEW]:
            energy = energy.T
        return Table(
            axes[_SLEW] * self.head.time_ns,
            axes[_LOAD] * self.head.capacitance_ff,
            energy.reshape(len(axes[_SLEW]), len(axes[_LOAD])) * self.head.energy_fj,
        )

    def numbers(self, text: str) -> Floats:
        try:
            values = np.array(text.replace(",", " ").split(), np.float64)
        except ValueError:
            values = np.array([np.nan])
        if not np.isfinite(values).all():
            raise self.error(f"has a table that is no list of numbers: {text[:40]!r}")
        return values


def _subset(states: Mapping[str, Bits], keep: Bits) -> dict[str, Bits]:
    return {name: values[keep] for name, values in states.items()}
