"""An array that keeps weights or activations; see :mod:`hwsim.units.stationary_array`."""

from amaranth.hdl import C, Cat, Module, Mux, Signal, Value

from hwsim.units.array import Buffering
from hwsim.units.result import Result
from hwsim.units.stationary_array import StationaryArray as StationaryArraySpec
from rtl.base import Unit
from rtl.blocks.fold import Fold
from rtl.blocks.wire import counter, wire


class StationaryArray(Unit):
    """Elements with what they keep, chains of adders down the columns, and the last sum.

    Parameters and members are those of :class:`~rtl.base.Unit`, for a
    :class:`~hwsim.units.stationary_array.StationaryArray`; words have the fields of its
    ``beat_fields``.

    Timing: a word a cycle; a result comes ``rows + columns`` cycles after its word in a systolic
    array, two cycles after in a broadcast one. All stall while a result is not taken.

    Cost drivers: rows x columns elements without their accumulators, one or two registers of
    ``lanes`` stationary codes and an adder each; in a systolic array a register of a sum, too.
    """

    spec: StationaryArraySpec

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, word = self.spec, self.i.payload
        systolic = spec.skew > 0
        m.submodules.fold = fold = Fold(spec.result.bits)
        step = fold.i.ready
        m.d.comb += self.i.ready.eq(step)

        # Which row is loaded.
        row = counter(spec.rows, "row")
        valid = self.i.valid
        with m.If(step & valid & word.load):
            m.d.sync += row.eq(Mux(row == spec.rows - 1, 0, row + 1))
        none = C(0, 3)
        flags = Cat(word.load, word.compute, word.swap)
        control = [Cat(Mux(valid, flags, none), word.last, row)]
        for behind in range(1, spec.skew + 1):
            control.append(self.later(m, step, control[-1], f"control_{behind}", False))

        # Operands: streamed ones along the rows, stationary ones down the columns.
        names = ("activations", "weights") if spec.keeps_weights else ("weights", "activations")
        streamed = self.parts(word[names[0]].as_value(), spec.rows)
        kept = self.parts(word[names[1]].as_value(), spec.columns)
        if systolic:
            for sides, name in ((streamed, "row"), (kept, "column")):
                for k in range(len(sides)):
                    for behind in range(k):
                        sides[k] = self.later(m, step, sides[k], f"{name}_{k}_{behind}")
        products: list[list[Value]] = []
        for r in range(spec.rows):
            products.append([])
            for c in range(spec.columns):
                place, now = f"{r}_{c}", control[r + c if systolic else 0]
                m.submodules[f"element_{place}"] = element = spec.processing_element.create()
                own = self.kept(m, step, now, kept[c], r, place)
                m.d.comb += [
                    element.i.payload[names[0]].as_value().eq(streamed[r]),
                    element.i.payload[names[1]].as_value().eq(own),
                    element.i.payload.last.eq(1),
                    element.i.valid.eq(now[1]),
                    element.o.ready.eq(step),
                ]
                products[r].append(element.o.payload)
                if systolic and c + 1 < spec.columns:
                    streamed[r] = self.later(m, step, streamed[r], f"streamed_{place}")
                if systolic and r + 1 < spec.rows:
                    kept[c] = self.later(m, step, kept[c], f"stationary_{place}")

        # Sums: down the columns, then over the words.
        ended = self.later(m, step, control[-1][:4], "ended", False)
        totals = []
        for c in range(spec.columns):
            total = products[0][c]
            for r in range(1, spec.rows):
                if systolic:
                    total = self.later(m, step, total, f"above_{r}_{c}")
                total = self.add(m, products[r][c], total, f"sum_{r}_{c}")
            for behind in range(spec.columns - 1 - c if systolic else 0):
                total = self.later(m, step, total, f"total_{c}_{behind}")
            totals.append(total)
        width = len(totals[0])
        for c, total in enumerate(totals):
            here = slice(c * width, (c + 1) * width)
            following = self.add(m, fold.state[here], total, f"following_{c}")
            m.d.comb += fold.i.payload.value[here].eq(following)
        m.d.comb += [
            fold.i.valid.eq(ended[1]),
            fold.i.payload.last.eq(ended[3]),
            self.o.payload.eq(fold.o.payload),
            self.o.valid.eq(fold.o.valid),
            fold.o.ready.eq(self.o.ready),
        ]
        return m

    def parts(self, value: Value, count: int) -> list[Value]:
        """Return ``value`` in equal parts."""
        width = len(value) // count
        return [value[k * width : (k + 1) * width] for k in range(count)]

    def later(
        self, m: Module, step: Value, value: Value, name: str, reset_less: bool = True
    ) -> Value:
        """Return ``value`` a step later."""
        register = Signal(len(value), name=name, reset_less=reset_less)
        with m.If(step):
            m.d.sync += register.eq(value)
        return register

    def kept(
        self, m: Module, step: Value, control: Value, value: Value, row: int, place: str
    ) -> Value:
        """Return what an element uses; it takes ``value`` when its row is loaded."""
        take = wire(m, control[0] & (control[4:] == row), f"take_{place}")
        loaded = Signal(len(value), name=f"loaded_{place}", reset_less=True)
        with m.If(step & take):
            m.d.sync += loaded.eq(value)
        if self.spec.buffering is Buffering.SINGLE:
            return loaded
        used = Signal(len(value), name=f"used_{place}", reset_less=True)
        with m.If(step & control[2]):
            m.d.sync += used.eq(Mux(take, value, loaded))
        return used

    def add(self, m: Module, first: Value, second: Value, name: str) -> Value:
        """Return the sum of two results, which wraps, with the flags of either."""
        result = self.spec.processing_element.result
        assert isinstance(result, Result)
        width = result.width
        total = (first[:width] + second[:width])[:width]
        return wire(m, Cat(total, first[width:] | second[width:]), name)
