"""An array of units, output-stationary; see :mod:`hwsim.units.array`."""

from dataclasses import dataclass
from functools import reduce
from operator import and_

from amaranth.hdl import C, Cat, Module, Signal, Value

from hwsim.units.array import ArrayUnit
from hwsim.units.metadata import Operand
from rtl.base import Unit, beat_layout
from rtl.blocks.wire import counter, wire


@dataclass(frozen=True)
class Control:
    """What is common to the elements that are as many steps behind the first.

    Attributes
    ----------
    valid
        Whether they have a beat in this step.
    last, common
        ``last`` and the metadata of no operand.
    """

    valid: Value
    last: Value
    common: Value


class Array(Unit):
    """Elements, the registers between them, and what keeps them in step.

    Parameters and members are those of :class:`~rtl.base.Unit`, for an
    :class:`~hwsim.units.array.ArrayUnit`.

    Timing: that of an element; in a systolic array, results come ``rows + columns - 2`` beats
    later. The input stalls while an element does, or cannot leave its result.

    Cost drivers: rows x columns elements; in a systolic array as many registers of an element's
    activations and weights, as many of results, and half as many again of operands at the edges.
    """

    spec: ArrayUnit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.elements = [
            [self.spec.processing_element.create() for _ in range(self.spec.columns)]
            for _ in range(self.spec.rows)
        ]
        for row, line in enumerate(self.elements):
            for column, element in enumerate(line):
                m.submodules[f"element_{row}_{column}"] = element

        step = Signal()
        waits = self.distance(m, step)
        control = self.control(m, step, self.i.valid & ~waits)
        self.connect(m, step, control)
        self.keep_step(m, step, control)
        m.d.comb += self.i.ready.eq(step & ~waits)
        if self.spec.skew:
            self.collect(m)
        else:
            self.join(m)
        return m

    @property
    def is_fixed(self) -> bool:
        """Whether all beats take an element as long."""
        timing = self.spec.processing_element.timing()
        return timing.interval == timing.min_interval

    def distance(self, m: Module, step: Value) -> Value:
        """Return whether a last beat waits, as the one before is fewer steps away than the skew."""
        if self.spec.skew < 2:
            return C(0, 1)
        left = counter(self.spec.skew, "left")
        last = self.i.payload.last
        waits = wire(m, last & (left != 0), "waits")
        with m.If(step):
            with m.If(self.i.valid & last & ~waits):
                m.d.sync += left.eq(self.spec.skew - 1)
            with m.Elif(left != 0):
                m.d.sync += left.eq(left - 1)
        return waits

    # Operands.

    def control(self, m: Module, step: Value, valid: Value) -> list[Control]:
        """Return the control of every number of steps behind the first element."""
        beat = self.i.payload
        names = [one.name for one, _ in self.spec.element_fields() if one.operand is None]
        found = [Control(valid, beat.last, Cat(beat[name] for name in names))]
        for behind in range(1, self.spec.skew + 1):
            before = found[-1]
            following = Signal(name=f"valid_{behind}")
            with m.If(step):
                m.d.sync += following.eq(before.valid)
            both = self.handed_on(
                m, step & before.valid, Cat(before.last, before.common), f"control_{behind}"
            )
            found.append(Control(following, both[0], both[1:]))
        return found

    def connect(self, m: Module, step: Value, control: list[Control]) -> None:
        """Give the elements their operands, from one to the next in a systolic array."""
        systolic = self.spec.skew > 0
        loads = [step & one.valid for one in control]
        rows = [self.side(Operand.ACTIVATION, row) for row in range(self.spec.rows)]
        columns = [self.side(Operand.WEIGHT, column) for column in range(self.spec.columns)]
        if systolic:
            for sides, name in ((rows, "row"), (columns, "column")):
                for k in range(len(sides)):
                    for behind in range(k):
                        sides[k] = self.handed_on(
                            m, loads[behind], sides[k], f"{name}_{k}_{behind}"
                        )
        for row, line in enumerate(self.elements):
            activations = rows[row]
            for column, element in enumerate(line):
                behind = row + column if systolic else 0
                self.offer(m, element, activations, columns[column], control[behind])
                if not systolic:
                    continue
                place = f"{row}_{column}"
                if column + 1 < self.spec.columns:
                    activations = self.handed_on(
                        m, loads[behind], activations, f"activations_{place}"
                    )
                if row + 1 < self.spec.rows:
                    columns[column] = self.handed_on(
                        m, loads[behind], columns[column], f"weights_{place}"
                    )

    def handed_on(self, m: Module, load: Value, value: Value, name: str) -> Value:
        """Return ``value`` a step later."""
        register = Signal(len(value), name=name, reset_less=True)
        with m.If(load):
            m.d.sync += register.eq(value)
        return register

    def side(self, operand: Operand, k: int) -> Value:
        """Return the operands of a row or a column of the beat, with their metadata."""
        beat, one = self.i.payload, self.spec.processing_element
        own = beat_layout(one)
        name = "activations" if operand is Operand.ACTIVATION else "weights"
        width = own[name].width
        codes = beat[name].as_value()[k * width : (k + 1) * width]
        fields = [
            beat[names[k]] for of, names in self.spec.element_fields() if of.operand is operand
        ]
        return Cat(codes, *fields)

    def offer(
        self, m: Module, element: Unit, activations: Value, weights: Value, control: Control
    ) -> None:
        """Connect an element's beat but for ``valid``."""
        own = beat_layout(self.spec.processing_element)
        sources = {Operand.ACTIVATION: activations, Operand.WEIGHT: weights, None: control.common}
        low: dict[Operand | None, int] = {None: 0}
        for operand, name in ((Operand.ACTIVATION, "activations"), (Operand.WEIGHT, "weights")):
            low[operand] = own[name].width
            codes = sources[operand][: own[name].width]
            m.d.comb += element.i.payload[name].as_value().eq(codes)
        for one, _ in self.spec.element_fields():
            field = element.i.payload[one.name]
            source = sources[one.operand][low[one.operand] :][: len(field)]
            low[one.operand] += len(field)
            m.d.comb += field.eq(source)
        m.d.comb += element.i.payload.last.eq(control.last)

    # Steps.

    def keep_step(self, m: Module, step: Value, control: list[Control]) -> None:
        """Offer beats to the elements, and end the step when all have taken theirs."""
        timing = self.spec.processing_element.timing()
        every = [
            (element, control[row + column if self.spec.skew else 0], f"{row}_{column}")
            for row, line in enumerate(self.elements)
            for column, element in enumerate(line)
        ]
        if not self.spec.skew and self.is_fixed:
            # Elements that get the same at the same time are in the same state.
            m.d.comb += step.eq(self.elements[0][0].i.ready)
            m.d.comb += [element.i.valid.eq(one.valid) for element, one, _ in every]
        elif timing.stores_beats or timing.interval == 1:
            # Whether an element is ready does not depend on the beat.
            m.d.comb += step.eq(Cat(element.i.ready for element, _, _ in every).all())
            m.d.comb += [element.i.valid.eq(one.valid & step) for element, one, _ in every]
        else:
            # An element is done with its beat, and waits for the others.
            ends = []
            for element, one, place in every:
                done = Signal(name=f"done_{place}")
                m.d.comb += element.i.valid.eq(one.valid & ~done)
                ends.append(~one.valid | done | element.i.ready)
                m.d.sync += done.eq(~step & one.valid & (done | element.i.ready))
            m.d.comb += step.eq(reduce(and_, ends))

    # Results.

    def join(self, m: Module) -> None:
        """Offer the results of all elements when the last of them is there."""
        every = [element for line in self.elements for element in line]
        offered = every[0].o.valid if self.is_fixed else Cat(e.o.valid for e in every).all()
        m.d.comb += self.o.valid.eq(offered)
        taken = self.o.ready if self.is_fixed else self.o.ready & self.o.valid
        m.d.comb += [element.o.ready.eq(taken) for element in every]
        self.deliver(m, [[element.o.payload for element in line] for line in self.elements])

    def collect(self, m: Module) -> None:
        """Keep results until that of the last element is there, and offer them with it."""
        last = self.elements[-1][-1]
        m.d.comb += [self.o.valid.eq(last.o.valid), last.o.ready.eq(self.o.ready)]
        taken = wire(m, self.o.valid & self.o.ready, "taken")
        results: list[list[Value]] = []
        for row, line in enumerate(self.elements):
            results.append([])
            for column, element in enumerate(line):
                if element is last:
                    results[-1].append(element.o.payload)
                    continue
                full = Signal(name=f"full_{row}_{column}")
                m.d.comb += element.o.ready.eq(~full | taken)
                load = wire(m, element.o.valid & element.o.ready, f"load_{row}_{column}")
                m.d.sync += full.eq(load | (full & ~taken))
                name = f"result_{row}_{column}"
                results[-1].append(self.handed_on(m, load, element.o.payload, name))
        self.deliver(m, results)

    def deliver(self, m: Module, results: list[list[Value]]) -> None:
        """Order results by the rows and columns of outputs."""
        one = self.spec.processing_element
        rows, columns = one.tile_shape
        bits = one.result.bits // (rows * columns)
        ordered = [
            result[(row * columns + column) * bits :][:bits]
            for line in results
            for row in range(rows)
            for result in line
            for column in range(columns)
        ]
        m.d.comb += self.o.payload.eq(Cat(*ordered))
