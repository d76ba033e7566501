"""Mapping to a cell library with Yosys and ABC, buffers and sizes included.

A unit is a curve, from the smallest netlist to the fastest, and four points of it can be asked
for: the least area, the least delay, the least area that meets a clock, or the least area times
delay. ABC first chooses cells and then sizes them. For the least area it covers for area and takes
the smallest size of every cell. For speed it covers for delay and sizes for an impossible clock.
For a clock it does both, sizes for the period, and for less where registers take too much of it,
and the smallest netlist that OpenSTA lets pass is the result; what no netlist meets is answered by
the fastest, whose slack is negative. The least area times delay is that of the netlists for both
ends, and of those that are covered for delay and sized for periods between. ABC is told a cell that
drives inputs and flip-flops' outputs, the smallest buffer of the library: without, it takes them
for strong, and leaves them unbuffered.

ABC's result depends on the structure that it starts from: equivalent starts move the area of a unit
by a per cent, its delay by some and that of few units by 20 or 30, which is noise. For the least
area, the smaller multiplier style is mapped from four starts, and of the netlists that are at most
2 % larger than the smallest the fastest is the result.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from cost_models.netlist import STYLES, mapped_styles, rtlil_text
from cost_models.synthesis import opensta
from cost_models.synthesis.clock_gating import commands as clock_gating_commands
from cost_models.synthesis.liberty import DONT_USE, Library
from cost_models.synthesis.mapped import MappedNetlist, MappingError, read
from cost_models.synthesis.opensta import Bench, Register, Timing, Wanted
from hwsim.units import UnitSpec
from rtl import yosys

#: Load of an output in ABC, fF: a pin of the register behind it, about.
_LOAD_FF = 1.0

#: What comes before ABC maps to cells: nothing, or a mapping to gates that it takes apart again.
STARTS = {
    "direct": [],
    "gates": ["abc"],
    "and_xor": ["abc -g AND,XOR"],
    "and": ["abc -g AND"],
}
#: How much larger than the smallest a netlist may be that is faster.
LARGER = 0.02

#: Coverings by cells: for area, for delay, and for delay by the newer mapper.
_COVERS = {
    "small": "+strash;ifraig;scorr;dc2;dch,-f;map,-a;topo",
    "fast": "+strash;ifraig;scorr;dc2;dch,-f;map,-B,0.9;topo",
    "flow": "+strash;&get,-n;&dch,-f;&nf;&put",
}
_FAST = ["fast", "flow"]
#: For the least delay, ABC is given a period that nothing meets; for the least area, one that
#: everything meets. In ps.
_IMPOSSIBLE, _ENDLESS = 10, 10**6
#: By how much the period is tightened, and how often, where ABC's delays fall short of OpenSTA's.
_TIGHTER, _ATTEMPTS = 0.95, 3
#: Periods that are tried for the least area times delay, as shares of the way from the least delay
#: to that of the least area.
_SHARES = (0.0, 0.25, 0.5)


@dataclass(frozen=True, eq=False)
class Mapped:
    """A unit mapped to library cells.

    Attributes
    ----------
    netlist
        Its cells and nets.
    timing
        Slews and delays of the cells.
    style, variant
        Multiplier style of Yosys, and with which start or covering it was mapped.
    area_um2
        Sum of the cells' areas.
    delay_ns
        Shortest clock period in ns, between registers.
    candidates
        Area and delay of all netlists that it was chosen from; at the least area times delay, of
        those that were sized for the same as it.
    verilog, bench
        The file that OpenSTA read, and what it was timed in.
    """

    netlist: MappedNetlist
    timing: Timing
    style: str
    variant: str
    area_um2: float
    delay_ns: float
    candidates: Sequence[Mapping[str, Any]]
    verilog: Path
    bench: Bench


class Flow:
    """Yosys runs of one unit in one folder; a netlist is named by its style and its variant.

    All methods raise
    -----------------
    MappingError
        If a cell is left that is not in the library.
    InputError
        If a cell that is used lacks its function or its power.
    rtl.yosys.YosysError, cost_models.synthesis.opensta.StaError
        If a tool fails.
    """

    def __init__(
        self, unit: UnitSpec, library: Library, folder: Path, clock_gating: bool = False
    ) -> None:
        self.unit = unit
        self.gate_clocks = clock_gating_commands(library, folder) if clock_gating else []
        self.library = library
        self.folder = folder
        avoid = " ".join(f"-dont_use {pattern}" for pattern in DONT_USE)
        self.every = " ".join(f'-liberty "{path}"' for path in library.files)
        flip_flops = " ".join(f'-liberty "{path}"' for path in library.flip_flops)
        self.map_flip_flops = f"dfflibmap {avoid} {flip_flops}"
        self.abc = f"abc {self.every} {avoid} -constr constraints -script"
        self.areas: dict[str, float] = {}
        text = rtlil_text(unit)
        self.styles = mapped_styles(text)
        (folder / "unit.il").write_text(text)
        (folder / "constraints").write_text(
            f"set_driving_cell {library.buffer}\nset_load {_LOAD_FF}\n"
        )
        self._synthesize()

    def smallest(self) -> Mapped:
        """Return the netlist of least area, or a faster one that is hardly larger."""
        first = min(self._map(self._each(["direct"])), key=self.areas.__getitem__)
        style = first.split("__")[0]
        others = [(style, start) for start in STARTS if start != "direct"]
        return self._choose([first, *self._map(others)], Wanted(larger=LARGER))

    def fastest(self) -> Mapped:
        """Return the netlist of least delay."""
        return self._choose(self._map(self._each(_FAST), _IMPOSSIBLE), Wanted())

    def for_clock(self, clock_ns: float) -> Mapped:
        """Return the smallest netlist that meets a clock, the fastest if none does."""
        wanted = Wanted(clock_ns=clock_ns)
        period_ps = clock_ns * 1e3
        names = self._map(self._each(["direct"]))
        covers = list(_COVERS)
        for attempt in range(_ATTEMPTS):
            period = max(period_ps, _IMPOSSIBLE)
            names += self._map(self._each(covers), period, f"_{attempt}")
            mapped = self._choose(names, wanted)
            if mapped.delay_ns <= clock_ns:
                return mapped
            period_ps = _TIGHTER * (period_ps - 1e3 * (mapped.delay_ns - clock_ns))
            covers = _FAST
        return self._choose([*names, *self._map(self._each(_FAST), _IMPOSSIBLE)], wanted)

    def densest(self) -> Mapped:
        """Return the netlist of least area times delay."""
        smallest, fastest = self.smallest(), self.fastest()
        tried = [[*map(_name, end.candidates)] for end in (smallest, fastest)]
        for k, share in enumerate(_SHARES):
            period_ns = fastest.delay_ns + share * (smallest.delay_ns - fastest.delay_ns)
            tried.append(self._map(self._each(_FAST), period_ns * 1e3, f"_{k}"))
        mapped = self._choose([*chain(*tried)], Wanted(densest=True))
        (alike,) = (names for names in tried if f"{mapped.style}__{mapped.variant}" in names)
        rows = [row for row in mapped.candidates if _name(row) in alike]
        return replace(mapped, candidates=rows)

    def _each(self, variants: Iterable[str]) -> list[tuple[str, str]]:
        return [(style, variant) for style in self.styles for variant in variants]

    def _synthesize(self) -> None:
        """Make gates and library flip-flops of the unit in every style."""
        commands = ["read_rtlil unit.il", "design -save rtl"]
        for style in self.styles:
            commands += [
                "design -load rtl",
                f"synth -flatten -noabc -top {self.unit.name} {STYLES[style]}",
                *self.gate_clocks,
                # Plain flip-flops: enable and reset become multiplexers, in every library.
                "dfflegalize -cell $_DFF_P_ 01",
                self.map_flip_flops,
                "setundef -zero",
                f"write_rtlil {style}.il",
            ]
        self._run(commands)

    def _map(
        self, pairs: Sequence[tuple[str, str]], period_ps: float = _ENDLESS, suffix: str = ""
    ) -> list[str]:
        """Map styles by starts or coverings, size cells for a period, and return their names."""
        names = []
        commands = []
        for style, variant in pairs:
            name = f"{style}__{variant}{suffix}"
            before, cover = STARTS.get(variant, []), _COVERS.get(variant, _COVERS["small"])
            # Sizing up is for a period to meet; every size is tried downwards.
            size = "" if period_ps == _ENDLESS else f"upsize,-D,{period_ps:.0f};"
            names.append(name)
            commands += [
                "design -reset",
                f"read_rtlil {style}.il",
                *before,
                f"{self.abc} {cover};buffer,-c;topo;{size}dnsize,-D,{period_ps:.0f}",
                # Unused wires must go before the split: OpenSTA cannot read concatenated assigns.
                "opt_clean -purge",
                # The same names of cells in JSON and in Verilog.
                "rename -hide c:*",
                "rename -enumerate -pattern u% c:*",
                f"rename {self.unit.name} {name}",
                f"tee -q -o {name}.area stat -json {self.every}",
                f"write_json {name}.json",
                "splitnets -ports",
                f"write_verilog -simple-lhs -noattr -noexpr -nohex -nodec {name}.v",
            ]
        self._run(commands)
        self.areas |= {name: self._area(name) for name in names}
        return names

    def _run(self, commands: list[str]) -> None:
        try:
            yosys.run(commands, self.folder)
        except yosys.YosysError as error:
            raise yosys.YosysError(self.library.in_words(str(error))) from None

    def _area(self, name: str) -> float:
        """Return the sum of the cells' areas in um^2; check that the library has all of them."""
        statistics = yosys.read_json(self.folder / f"{name}.area")["design"]
        left = sorted(set(statistics["num_cells_by_type"]) - set(self.library.places))
        if left:
            raise MappingError(f"the library has no cell for {', '.join(left)} of {self.unit.name}")
        return float(statistics["area"])

    def _choose(self, names: Sequence[str], wanted: Wanted) -> Mapped:
        """Return the netlist that is wanted of some."""
        module = yosys.read_json(self.folder / f"{names[0]}.json")["modules"][names[0]]
        bench = Bench(
            {
                name: (port["direction"], len(port["bits"]))
                for name, port in module["ports"].items()
            },
            _register(read(module, self.library)),
        )
        timing = opensta.analyse(
            {self.folder / f"{name}.v": self.areas[name] for name in names},
            bench,
            self.library,
            wanted,
        )
        chosen = names[timing.chosen]
        if chosen != names[0]:
            module = yosys.read_json(self.folder / f"{chosen}.json")["modules"][chosen]
        style, variant = chosen.split("__")
        return Mapped(
            read(module, self.library),
            timing,
            style,
            variant,
            self.areas[chosen],
            timing.delays_ns[timing.chosen],
            [
                dict(zip(("style", "variant"), name.split("__"), strict=True))
                | {"area_um2": self.areas[name], "delay_ns": delay}
                for name, delay in zip(names, timing.delays_ns, strict=True)
            ],
            self.folder / f"{chosen}.v",
            bench,
        )


def _name(candidate: Mapping[str, Any]) -> str:
    return f"{candidate['style']}__{candidate['variant']}"


def _register(netlist: MappedNetlist) -> Register:
    """Return the flip-flop that a netlist is made of, for the registers around it."""
    for instance in netlist.instances:
        flip_flop = instance.cell.flip_flop
        if flip_flop is None or len(flip_flop.next_state.names) != 1:
            continue
        (data,) = flip_flop.next_state.names
        ties = {
            pin: instance.nets[pin]
            for pin in instance.cell.inputs
            if pin not in (flip_flop.clock_pin, data)
        }
        # Nets 0 and 1 are the constants.
        if all(net < 2 for net in ties.values()):
            return Register(
                cell=instance.cell.name,
                clock=flip_flop.clock_pin,
                data=data,
                output=next(iter(instance.cell.outputs)),
                ties=ties,
            )
    raise MappingError("the netlist has no plain flip-flop, which timing between registers needs")
