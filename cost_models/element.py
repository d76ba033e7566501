"""A unit as one of many in an array: what of it is shared, what it drives, and its parts.

The netlist of a unit says more than its totals. By what each net depends on:

- *Sharing.* Where a row's activations and a column's weights reach all elements at once, gates
  between these and nothing else (decoders, tables, Booth's digits) are the same in a whole row or
  column, and mapping keeps one of them. Gates behind registers of an element are its own.
- *Loads.* What is shared drives the pins of all that share it, and a register that hands an operand
  on drives the next one, too. Delay, hazards, and the area of gates on long paths follow it.
- *Parts.* What is made of activations alone, or of weights alone, through registers, too, are
  tables, terms and decoders; operands that are only kept are not. The registers that results leave
  from, and what depends on their state, are accumulators. All else are the units proper. Where a
  multiplexer keeps the value of a register, what selects it does not count.

The parts of an element are ends of a curve, all with the delay of the array: at a clock, each is as
far from its least area as the whole is.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from cost_models.activity import Activity
from cost_models.estimate import (
    End,
    Features,
    Flags,
    Floats,
    PathDelays,
    cached_counts,
    critical_gates,
    hazards_by_net,
    levels,
    vector,
)
from cost_models.netlist import FLIP_FLOP, GATES, TYPES, Int, Netlist
from cost_models.technology import Delays, Sizing
from hwsim.units import UnitSpec
from hwsim.units.array import Links
from hwsim.units.metadata import Operand

#: The parts of a unit.
PARTS = ("units", "tables and terms", "accumulators")
_UNITS, _GENERATORS, _ACCUMULATORS = range(len(PARTS))
#: Whose a net is: all elements', a row's, a column's, or of one element alone. The first three are
#: sums of what the net depends on, as bits; state is an element's own.
_COMMON, _ROW, _COLUMN, _OWN = range(4)
_STATE = 4
_SIDES = {Operand.ACTIVATION: _ROW, Operand.WEIGHT: _COLUMN, None: _COMMON}
#: Pins that a register between elements drives beside an element's: of the multiplexer that keeps
#: its value, and of the next one.
_HELD, _NEXT = 1, 1


class Surroundings(NamedTuple):
    """The array that a unit is an element of."""

    rows: int = 1
    cols: int = 1
    links: Links = Links.SYSTOLIC

    @property
    def alike(self) -> "Surroundings":
        """An array whose elements are surrounded alike, the same for as many as possible."""
        if self.links is Links.BROADCAST:
            return self
        return Surroundings(min(self.rows, 2), min(self.cols, 2), self.links)

    @property
    def copies(self) -> Int:
        """How often an array has what is common, of a row, of a column, and of an element."""
        every = self.rows * self.cols
        if self.links is Links.SYSTOLIC:
            return np.full(4, every)
        return np.array([1, self.rows, self.cols, every])


@dataclass(frozen=True, eq=False)
class Toggles:
    """Toggles per cycle of an element's cells.

    Attributes
    ----------
    own
        Of cells by part, sharing and type, shape (parts, 4, TYPES).
    loads
        Of the pins that cells have, by part and sharing of the cell that has them, shape
        (parts, 4); ports of the unit drive none.
    """

    own: Floats
    loads: Floats

    def fj(self, per_toggle: Floats, per_load: float, share: Floats) -> Floats:
        """Return the energy of each part in fJ, by the share of an element in what is shared."""
        return np.asarray((self.own @ per_toggle + self.loads * per_load) @ share)


@dataclass(frozen=True, eq=False)
class _Counted:
    """Toggles of an element, settled and idle.

    ``ports`` has those of the bits of activations and of weights, and of the pins that they drive,
    shape (2, 2).
    """

    own: Floats
    loads: Floats
    idle_own: Floats
    idle_loads: Floats
    ports: Floats


@dataclass(frozen=True, eq=False)
class Element:
    """A unit as it is in arrays.

    Attributes
    ----------
    measured
        Its features, with the operands at hand.
    sharing
        Whose every net is, shape (nets,).
    parts
        Index of ``PARTS`` of every cell, flip-flops and then gates.
    """

    measured: Features
    sharing: Int
    parts: Int

    @classmethod
    def of(cls, unit: UnitSpec, measured: Features) -> "Element":
        """Return a unit whose features are known as an element."""
        gates = measured.netlist
        operands = _operands(unit, gates)
        sharing = operands.copy()
        sharing[gates.first_flip_flop : gates.first_gate] = _STATE
        _pass_on(gates, sharing, gates.pins)
        return cls(measured, np.minimum(sharing, _OWN), _parts(gates, operands))

    @property
    def gates(self) -> Netlist:
        """The netlist."""
        return self.measured.netlist

    @cached_property
    def _cells(self) -> tuple[Int, Int]:
        """Sharing and type of every cell."""
        flip_flops = np.full(len(self.gates.data), TYPES.index(FLIP_FLOP))
        return self.sharing[self.gates.first_flip_flop :], np.append(flip_flops, self.gates.types)

    @cached_property
    def _loads(self) -> Int:
        """Pins on every net by the sharing of what has them, shape (nets, 4)."""
        gates = self.gates
        loads = np.zeros((gates.nets, 4), np.int64)
        of_gates = np.repeat(self.sharing[gates.first_gate :], gates.pins.shape[1])
        np.add.at(loads, (gates.pins.ravel(), of_gates), 1)
        for nets in (gates.data, *gates.outputs.values()):
            loads[:, _OWN] += np.bincount(nets, minlength=gates.nets)
        loads[:2] = 0
        return loads

    def fanout(self, around: Surroundings) -> Floats:
        """Return what every net drives in an array, shape (nets,)."""
        loads = (self._loads @ around.copies) / around.copies[self.sharing]
        if around.links is Links.SYSTOLIC and around.rows * around.cols > 1:
            inputs = np.arange(2, self.gates.first_flip_flop)
            for side, others in ((_ROW, around.cols), (_COLUMN, around.rows)):
                loads[inputs[self.sharing[inputs] == side]] += _HELD + _NEXT * (others > 1)
        return np.asarray(loads)

    def delay_ns(self, delays: Delays, around: Surroundings) -> float:
        """Return the longest path, :func:`~cost_models.estimate.critical_path` with these loads."""
        key = str(delays)
        if key not in self._fronts:
            self._fronts[key] = _Front.of(self, PathDelays.of(delays))
        return self._fronts[key].delay_ns(self.fanout(around))

    @cached_property
    def _fronts(self) -> "dict[str, _Front]":
        return {}

    @cached_property
    def _kinds(self) -> tuple[Int, Floats]:
        """Gates by part, sharing, whether they are on a long path, and loads; and how many.

        Shapes (kinds, 7) and (kinds,).
        """
        first = self.gates.first_gate
        rows = np.column_stack([
            self.parts[len(self.gates.data) :], self.sharing[first:], critical_gates(self.gates),
            self._loads[first:],
        ])  # fmt: skip
        kinds, counts = np.unique(rows, axis=0, return_counts=True)
        return kinds, counts.astype(np.float64)

    @cached_property
    def _counts(self) -> Floats:
        """Cells by part, sharing and type."""
        return self._sums(np.ones(len(self.parts)))

    def _sums(self, values: Floats) -> Floats:
        """Return what is known of every cell, summed by part, sharing and type."""
        sums = np.zeros((len(PARTS), 4, len(TYPES)))
        np.add.at(sums, (self.parts, *self._cells), values)
        return sums

    def areas_um2(self, sizing: Sizing, around: Surroundings) -> Floats:
        """Return the area of each part of an element, shape (parts,)."""
        copies = around.copies
        share = copies / copies[_OWN]
        kinds, counts = self._kinds
        part, sharing, critical = kinds[:, :3].T
        fanout = (kinds[:, 3:] @ copies) / copies[sharing]
        more = (fanout > 1) * sizing.area_um2_per_shared_gate
        more += critical * np.log2(1 + fanout) * sizing.area_um2_per_critical_doubling
        areas = (self._counts @ vector(sizing.area_um2, TYPES)) @ share
        areas += np.bincount(part, more * counts * share[sharing], len(PARTS))
        return np.asarray(areas)

    @cached_property
    def counted(self) -> _Counted:
        """Toggles without delays."""

        def count() -> _Counted:
            result = self.measured.simulated()
            settled, idle = (self._toggles(one.toggles) for one in (result, result.idle))
            return _Counted(settled.own, settled.loads, idle.own, idle.loads, self._ports(result))

        return cached_counts(self.measured.key, _Counted, count)

    def _ports(self, result: Activity) -> Floats:
        inputs = slice(2, self.gates.first_flip_flop)
        bits, sides = result.toggles[inputs], self.sharing[inputs]
        pins = bits * self._loads[inputs].sum(axis=1)
        return np.array(
            [[values[sides == side].sum() for values in (bits, pins)] for side in (_ROW, _COLUMN)]
        )

    def _toggles(self, toggles: Floats) -> Toggles:
        """Return the toggles of all nets by part and sharing of cells."""
        gates, first = self.gates, self.gates.first_flip_flop
        driven = np.where(np.arange(gates.nets) < first, 0.0, toggles)
        outputs = np.bincount(np.concatenate([*gates.outputs.values()]), minlength=gates.nets)
        pins = np.concatenate([driven[gates.data], driven[gates.pins].sum(axis=1)])
        pins += (driven * outputs)[first:]
        return Toggles(self._sums(toggles[first:]), self._sums(pins).sum(axis=2))

    def hazards(self, delays: Delays, around: Surroundings) -> Toggles:
        """Return the toggles that hazards add in an array."""
        fanout = self.fanout(around)

        def count() -> Toggles:
            transitions = self.measured.simulated().transitions
            return self._toggles(hazards_by_net(self.gates, transitions, delays, fanout))

        key = self.measured.key
        return cached_counts(key and (*key, str(delays), *map(str, around)), Toggles, count)

    def ends(
        self, sizing: Sizing, around: Surroundings, hazards: Toggles | None, delay_ns: float
    ) -> dict[str, End]:
        """Return what the parts of an element take at one end of their curve."""
        share = around.copies / around.copies[_OWN]
        per_toggle = vector(sizing.energy_fj_per_toggle, TYPES)
        per_load = sizing.energy_fj_per_toggle_and_load
        counted = self.counted
        clock = self._counts.sum(axis=1)[:, TYPES.index(FLIP_FLOP)] * sizing.clock_fj_per_cycle
        settled = Toggles(counted.own, counted.loads).fj(per_toggle, per_load, share)
        idle = Toggles(counted.idle_own, counted.idle_loads).fj(per_toggle, per_load, share)
        glitch = np.zeros(len(PARTS)) if hazards is None else hazards.fj(
            # Flip-flops have none.
            np.append(vector(sizing.glitch_fj_per_toggle, GATES), 0.0),
            sizing.glitch_fj_per_toggle_and_load, share,
        )  # fmt: skip
        leakage = (self._counts @ vector(sizing.leakage_nw, TYPES)) @ share
        areas = self.areas_um2(sizing, around)
        return {
            name: End(
                area_um2=float(areas[k]),
                delay_ns=delay_ns,
                settled_pj=float(settled[k] + clock[k]) * 1e-3,
                clock_pj=float(clock[k]) * 1e-3,
                glitch_pj=float(glitch[k]) * 1e-3,
                leakage_nw=float(leakage[k]),
                idle_pj=float(idle[k] + clock[k]) * 1e-3,
            )
            for k, name in enumerate(PARTS)
        }


@dataclass(frozen=True, eq=False)
class _Front:
    """The longest paths of an element, where only what is shared drives more or less.

    Attributes
    ----------
    delays
        Of gates.
    nets
        What is shared, ports included, in topological order; gates behind the first ``ports``.
    pins, types
        Of these gates; pins as places in ``nets``, the place behind the last one for constants.
    rest
        Longest path from each of the nets on, -inf where all that it drives is shared.
    longest
        Longest path from a register.
    """

    delays: PathDelays
    nets: Int
    ports: int
    runs: list[tuple[int, int]]
    pins: Int
    types: Int
    rest: Floats
    longest: float

    @classmethod
    def of(cls, element: Element, delays: PathDelays) -> "_Front":
        """Return the paths of an element with a technology's delays."""
        gates, first = element.gates, element.gates.first_gate
        doublings = delays.per_doubling * np.log2(1 + gates.fanout())
        own = element.sharing[first:] == _OWN
        rest = np.full(gates.nets, -np.inf)
        for nets in (gates.data, gates.groups()[0], *gates.outputs.values()):
            rest[nets] = delays.setup
        for start, end in reversed(levels(gates)):
            after = rest[first + start : first + end] + doublings[first + start : first + end]
            after = np.where(own[start:end], after + delays.gates[gates.types[start:end]], -np.inf)
            for pin in range(gates.pins.shape[1]):
                np.maximum.at(rest, gates.pins[start:end, pin], after)
        registers = slice(gates.first_flip_flop, first)
        from_registers = (delays.clock_to_output + doublings + rest)[registers]
        shared = np.flatnonzero(~own)
        nets = np.concatenate([np.arange(2, gates.first_flip_flop), first + shared])
        place = np.full(gates.nets, len(nets))
        place[nets] = np.arange(len(nets))
        ports = gates.first_flip_flop - 2
        borders = np.flatnonzero(np.diff(gates.levels[shared], prepend=-1)).tolist()
        return cls(
            delays, nets, ports, list(pairwise([*borders, len(shared)])),
            place[gates.pins[shared]], gates.types[shared], rest[nets],
            float(from_registers.max(initial=-np.inf)),
        )  # fmt: skip

    def delay_ns(self, fanout: Floats) -> float:
        """Return the longest path where nets drive so much, shape (nets,)."""
        added = self.delays.per_doubling * np.log2(1 + fanout[self.nets])
        arrival = np.append(self.delays.clock_to_output + added, 0.0)
        for start, end in self.runs:
            latest = arrival[self.pins[start:end]].max(axis=1)
            here = slice(self.ports + start, self.ports + end)
            arrival[here] = latest + self.delays.gates[self.types[start:end]] + added[here]
        return float(max(self.longest, (arrival[:-1] + self.rest).max()))


def _operands(unit: UnitSpec, gates: Netlist) -> Int:
    """Return which operand each net of a port is of, 0 for all other nets; shape (nets,)."""
    found = np.zeros(gates.nets, np.int64)
    sides = sides_of(unit)
    payload, low = gates.inputs["i__payload"], 0
    for name, width in unit.beat_fields.items():
        found[payload[low : low + width]] = _SIDES[sides[name]]
        low += width
    return found


def sides_of(unit: UnitSpec) -> dict[str, Operand | None]:
    """Return which operand each field of a beat goes with; None are common to all of an array."""
    found: dict[str, Operand | None] = dict.fromkeys(unit.beat_fields)
    found |= {"activations": Operand.ACTIVATION, "weights": Operand.WEIGHT}
    return found | {field.name: field.operand for field in unit.metadata}


def _pass_on(gates: Netlist, found: Int, pins: Int) -> None:
    """Give every gate the bits of all that its pins have."""
    for start, end in levels(gates):
        at = gates.first_gate + start
        found[at : at + end - start] = np.bitwise_or.reduce(found[pins[start:end]], axis=1)


def _parts(gates: Netlist, operands: Int) -> Int:
    """Return the part of every cell."""
    registers = slice(gates.first_flip_flop, gates.first_gate)
    pins = _without_keeping(gates)
    depends = operands.copy()
    while True:
        before = depends[registers].copy()
        _pass_on(gates, depends, pins)
        depends[registers] |= depends[gates.data]
        if (depends[registers] == before).all():
            break
    both = depends == _ROW | _COLUMN
    sums = np.zeros(gates.nets, np.int64)
    sums[registers] = (_before_results(gates) & both)[registers]
    _pass_on(gates, sums, gates.pins)
    found = np.full(gates.nets, _UNITS)
    made = ((depends == _ROW) | (depends == _COLUMN)) & ~_moved(gates)
    found[made] = _GENERATORS
    found[sums > 0] = _ACCUMULATORS
    return found[gates.first_flip_flop :]


def _without_keeping(gates: Netlist) -> Int:
    """Return pins without selections of multiplexers that keep the value of their register."""
    pins = gates.pins.copy()
    own = np.arange(gates.first_flip_flop, gates.first_gate)
    driven = gates.data >= gates.first_gate
    gate, own = gates.data[driven] - gates.first_gate, own[driven]
    keeps = (gates.pins[gate, :2] == own[:, np.newaxis]).any(axis=1)
    keeps &= gates.types[gate] == GATES.index("MUX")
    pins[gate[keeps], 2] = 0
    return pins


def _moved(gates: Netlist) -> Flags:
    """Return which nets have bits of ports as they are, in registers and behind selections."""
    found = np.ones(gates.nets, np.bool_)
    registers = slice(gates.first_flip_flop, gates.first_gate)
    selects = gates.types == GATES.index("MUX")
    while True:
        before = found[registers].copy()
        for start, end in levels(gates):
            moved = found[gates.pins[start:end, :2]].all(axis=1) & selects[start:end]
            found[gates.first_gate + start : gates.first_gate + end] = moved
        found[registers] &= found[gates.data]
        if (found[registers] == before).all():
            return found


def _before_results(gates: Netlist) -> Flags:
    """Return which nets results depend on without a register between."""
    found = np.zeros(gates.nets, np.bool_)
    found[gates.outputs["o__payload"]] = True
    for start, end in reversed(levels(gates)):
        reached = found[gates.first_gate + start : gates.first_gate + end]
        found[gates.pins[start:end][reached]] = True
    return found
