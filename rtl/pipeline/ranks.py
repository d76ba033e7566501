"""Writes the ranks of registers into a unit, and the handshake of every stage.

Stage s takes its beat from rank s - 1 and gives it to rank s, with which it leaves when that rank
is empty or given on itself. So bubbles close up, and a result that is not taken stalls the stages
behind it one after another. A stage's own registers, and what holds them, see the valid and ready
of the stage.
"""

import copy
from typing import Any

from hwsim import files
from rtl import yosys
from rtl.flat import Bit, Bits, Flat
from rtl.pipeline.graph import Cell, DataPath, Part
from rtl.pipeline.schedule import shortest_period, stages

_TO_CELLS = (
    "proc -norom",
    "flatten -separator _",
    "memory_collect",
    # Yosys would write what it selects among many with a name that Icarus refuses.
    "pmuxtree",
    "opt_expr",
    "opt_clean -purge",
)
_FROM_CELLS = ("opt_expr", "opt_clean -purge")


def pipelined(text: str, name: str, count: int, interleaved: int = 1) -> str:
    """Return a unit in ``count`` stages.

    Parameters
    ----------
    text
        The unit in one stage, as RTLIL.
    name
        Of its top module.
    count
        Stages.
    interleaved
        Sums that beats are added to in turn, and so the stages that an addition may take.

    Returns
    -------
    str
        RTLIL of one module.

    Raises
    ------
    InputError
        If results depend on a beat that is still offered, and for a memory that is written, or read
        at a clock edge.
    """
    path = data_path(text, name, interleaved)
    _Ranks(path, count - 1).write()
    with files.temporary_folder() as folder:
        path.flat.write(folder / "staged.json")
        written = ("read_json staged.json", *_FROM_CELLS, "write_rtlil staged.il")
        yosys.run(written, folder)
        return (folder / "staged.il").read_text()


def data_path(text: str, name: str, interleaved: int = 1) -> DataPath:
    """Return the data path of a unit; parameters and errors are those of :func:`pipelined`."""
    with files.temporary_folder() as folder:
        (folder / "unit.il").write_text(text)
        read = ("read_rtlil unit.il", f"hierarchy -top {name}", *_TO_CELLS, "write_json unit.json")
        yosys.run(read, folder)
        return DataPath(Flat.read(folder / "unit.json", name), interleaved)


class _Ranks:
    """The registers of a unit's stages.

    Parameters
    ----------
    path
        The unit, whose cells are to be changed.
    ranks
        Ranks of registers to add.
    """

    def __init__(self, path: DataPath, ranks: int) -> None:
        self.flat = flat = path.flat
        self.ranks = ranks
        self.path = path
        forward, behind = path.forward, path.behind
        before = [shortest_period(forward.graph, count) for count in range(ranks + 1)]
        after = [shortest_period(behind.graph, count) for count in range(ranks + 1)]
        # Of equal splits the one with the most ranks before the sum, which see fewer stalls.
        self.last = 1 + min(
            range(ranks, -1, -1), key=lambda count: max(before[count], after[ranks - count])
        )
        split = ranks - self.last + 1
        period = max(before[self.last - 1], after[split])
        self.stage: dict[int, int] = {}
        self._place(forward, stages(forward.graph, self.last - 1, period), 0)
        self._place(behind, stages(behind.graph, split, period), self.last - 1)
        self.names = flat.names()
        self.made: dict[tuple[str, int], Cell] = {}
        self.delayed: dict[tuple[int, int], Bit] = {}
        self.clock = flat.port("clk")
        self.reset = flat.port("rst")
        self.full: list[Bits] = [[self.path.valid], *(flat.new(1) for _ in range(ranks))]

    def _place(self, part: Part, found: list[int], shift: int) -> None:
        for bits, cell, stage in zip(part.bits, part.cells, found, strict=True):
            if cell is not None or not shift:
                self.stage |= dict.fromkeys(bits, stage + shift)

    def write(self) -> None:
        """Replace the cells by those of the stages."""
        cells = dict(self.flat.cells)
        self.flat.cells.clear()
        self.accept: dict[int, Bit] = {}
        end = self.ranks + 1
        # The handshake of the ranks behind the result, of the unit itself, and of those before it.
        for rank in range(self.ranks, self.last - 1, -1):
            following = self.accept.get(rank + 1, self.path.taken)
            self.accept[rank] = self._accepts(rank, following)
        self.inner_ready = self._driven(self.path.ready, self.last)
        for rank in range(self.last - 1, 0, -1):
            following = self.accept[rank + 1] if rank + 1 < self.last else self.inner_ready
            self.accept[rank] = self._accepts(rank, following)
        for name, cell in cells.items():
            if name not in self.path.controls:
                self._copy(Cell(name, cell))
        outputs = {
            "i__ready": [self._ready(1)],
            "o__valid": [
                self.full[self.ranks][0]
                if self.ranks >= self.last
                else self._at(self.path.offered, self.last)
            ],
            "o__payload": [self._at(bit, end) for bit in self.flat.port("o__payload")],
        }
        self._forget()
        for name, bits in outputs.items():
            self.flat.module["ports"][name]["bits"] = bits
            self.flat.module["netnames"][name]["bits"] = bits
        self._registers()

    def _forget(self) -> None:
        """Drop names of nets that no stage has: parts of the beat, the handshake of one stage."""
        kept = {bit for cell in self.flat.cells.values() for bit in Cell("", cell).bits("output")}
        names = self.flat.module["netnames"]
        ports = self.flat.module["ports"]
        for name in [*names]:
            bits = [bit for bit in names[name]["bits"] if isinstance(bit, int)]
            if name not in ports and not kept.issuperset(bits):
                del names[name]

    def _accepts(self, rank: int, following: Bit) -> Bit:
        """Return whether a rank is empty or given on."""
        empty = self.flat.add("not", 1, A=self.full[rank])
        return self._named(f"rank_{rank}_ready", "or", A=empty, B=[following])[0]

    def _named(self, name: str, kind: str, **connections: Bits) -> Bits:
        """Add a gate whose output has a name."""
        output = self.flat.add(kind, 1, **connections)
        self._name(name, output)
        return output

    def _ready(self, stage: int) -> Bit:
        """Return whether a beat leaves a stage if there is one."""
        return self.inner_ready if stage == self.last else self.accept[stage]

    def _at(self, bit: Bit, stage: int) -> Bit:
        """Return what a net of the unit is in a stage."""
        path = self.path
        if not isinstance(bit, int) or bit in path.common:
            return bit
        if bit == path.valid:
            return self.full[stage - 1][0]
        if bit == path.ready:
            return self._ready(stage)
        if bit == path.taken:
            assert stage == self.last, "results are offered by the last stage of sums"
            return self.accept.get(self.last, path.taken)
        if not path.is_data(bit):
            return self._driven(bit, stage)
        own = self.stage[bit]
        if bit in path.states and self.last - path.interleaved < stage < own:
            # What the beat before in the same turn has left, which is there by now.
            return bit
        assert own <= stage, "a net is used in its stage or later"
        for rank in range(own, stage):
            key = (bit, rank)
            if key not in self.delayed:
                self.delayed[key] = self.flat.new(1)[0]
        return bit if own == stage else self.delayed[bit, stage - 1]

    def _driven(self, bit: int, stage: int) -> Bit:
        """Return what a net that depends on the handshake is in a stage, which has its own."""
        driver = self.path.drivers.get(bit)
        if driver is None:
            return bit
        key = (driver.name, stage)
        if key not in self.made:
            # Outputs first: a cell is not looked at twice.
            new = copy.deepcopy(driver.cell)
            name = driver.name if stage == self.last else f"{driver.name}_stage_{stage}"
            self.made[key] = made = Cell(name, new)
            if stage != self.last:
                self._renew(new)
            self._connect(made, driver.cell, stage)
        outputs = dict(zip(driver.bits("output"), self.made[key].bits("output"), strict=True))
        return outputs[bit]

    def _renew(self, cell: dict[str, Any]) -> None:
        """Let a cell drive nets of its own."""
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "output":
                cell["connections"][port] = self.flat.new(len(bits))

    def _copy(self, cell: Cell) -> None:
        """Put a cell of the data path in its stage."""
        outputs = [*cell.bits("output")]
        if outputs and outputs[0] in self.stage:
            new = Cell(cell.name, copy.deepcopy(cell.cell))
            self._connect(new, cell.cell, self.stage[outputs[0]])

    def _connect(self, new: Cell, old: dict[str, Any], stage: int) -> None:
        self.flat.cells[new.name] = new.cell
        for port, bits in old["connections"].items():
            if old["port_directions"][port] == "input":
                new.cell["connections"][port] = [self._at(bit, stage) for bit in bits]

    def _registers(self) -> None:
        """Add the ranks."""
        for rank in range(1, self.ranks + 1):
            accept, full = [self.accept[rank]], self.full[rank]
            offered: Bits = (
                [self._at(self.path.offered, self.last)]
                if rank == self.last
                else self.full[rank - 1]
            )
            if rank == self.last:
                self._name("sum_valid", offered, init="0")
            self._name(f"rank_{rank}_valid", full, init="0")
            self._register(f"rank_{rank}_valid", offered, full, accept, SRST=self.reset)
            load = self._named(f"rank_{rank}_load", "and", A=accept, B=offered)
            for name, places in self._words(rank).items():
                d = [self._at(bit, rank) for bit in places]
                q: Bits = [self.delayed[bit, rank] for bit in places]
                self._name(f"rank_{rank}_{name}", q)
                self._register(f"rank_{rank}_{name}", d, q, load)

    def _words(self, rank: int) -> dict[str, list[int]]:
        """Return the nets that cross a rank, those of one word together, by the word's name."""
        words: dict[str, list[tuple[int, int]]] = {}
        last = self.path.beat[-1]
        for bit, at in self.delayed:
            if at == rank:
                name = "last[0]" if bit == last else self.names.get(bit, f"net_{bit}[0]")
                word, _, place = name.rpartition("[")
                words.setdefault(word, []).append((int(place.removesuffix("]")), bit))
        return {word: [bit for _, bit in sorted(bits)] for word, bits in sorted(words.items())}

    def _name(self, name: str, bits: Bits, **attributes: str) -> None:
        self.flat.module["netnames"][name] = {
            "hide_name": 0,
            "bits": bits,
            "attributes": attributes,
        }

    def _register(self, name: str, d: Bits, q: Bits, enable: Bits, **reset: Bits) -> None:
        """Add a register that is loaded when enabled, and is 0 after a reset if it has one."""
        kind = "$sdffe" if reset else "$dffe"
        parameters = {"WIDTH": f"{len(d):032b}", "CLK_POLARITY": "1", "EN_POLARITY": "1"}
        if reset:
            parameters |= {"SRST_POLARITY": "1", "SRST_VALUE": "0" * len(d)}
        connections = {"CLK": self.clock, "D": d, "EN": enable, **reset, "Q": q}
        self.flat.cells[f"$rank${name}"] = {
            "hide_name": 1,
            "type": kind,
            "parameters": parameters,
            "attributes": {},
            "port_directions": {port: "output" if port == "Q" else "input" for port in connections},
            "connections": connections,
        }
