"""Lanes and idle bricks proved apart, all operand pairs on the gates, and mutants of both."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import C, Cat, Module, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

import rtl
from cost_models import activity
from cost_models.netlist import netlist
from hwsim.formats.base import Codes
from hwsim.units import make
from hwsim.units.operands import Operands
from hwsim.units.rmmec import FORMATS, ROWS, Brick, Mode, RmmecUnit
from rtl import yosys
from rtl.base import beat_layout
from rtl.rmmec import Datapath, Decoder, Multiplier, QuireAdder, Rmmec, Select
from tests.rtl.mutants import ExtraCycle, SwappedLanes, failure_of

#: Lanes to prove apart; the way idle parts are isolated matters where lanes share rows.
LANES = [
    (mode, lane) for mode in (Mode.FP4, Mode.POSIT4, Mode.POSIT8) for lane in range(len(ROWS[mode]))
]


def prove(component: wiring.Component, folder: Path) -> bool:
    """Return whether the output ``holds`` is 1 for all inputs; a SAT solver decides."""
    (folder / "top.il").write_text(rtlil.convert(component, name="top", emit_src=False))
    log = yosys.run(
        [
            "read_rtlil top.il",
            "proc",
            "flatten",
            "opt -full",
            "sat -prove holds 1 -timeout 120 top",
        ],
        folder,
    )
    proved, refuted = "no model found: SUCCESS!" in log, "- model found: FAIL!" in log
    assert proved != refuted, log[-500:]
    return proved


class LanePair(wiring.Component):
    """The datapath twice, with free operands and registers but for those of one lane.

    ``holds`` is 1 where that lane's quire and flag are the same after the beat.
    """

    def __init__(self, spec: RmmecUnit, datapath: type[Datapath], mode: Mode, lane: int) -> None:
        self.spec, self.datapath, self.mode, self.lane = spec, datapath, mode, lane
        beat, state = beat_layout(spec), spec.result.bits
        super().__init__(
            {
                "first": In(beat),
                "second": In(beat),
                "first_state": In(state),
                "second_state": In(state),
                "holds": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        quire = slice(32 * self.lane, 32 * self.lane + 32)
        flag = self.spec.result.register_bits + self.lane
        after = []
        for name in ("first", "second"):
            state = getattr(self, f"{name}_state")
            joined = Cat(
                state[: quire.start],
                self.first_state[quire],
                state[quire.stop : flag],
                self.first_state[flag],
                state[flag + 1 :],
            )
            core = Module()
            m.submodules[name] = core
            result = self.datapath(self.spec).connect(core, self.beat(name), joined)
            after.append(Cat(result[quire], result[flag]))
        m.d.comb += self.holds.eq(after[0] == after[1])
        return m

    def beat(self, name: str) -> data.View:
        """The beat ``name``, with the lane's operands of the first."""
        bits, per_word = FORMATS[self.mode].bits, len(ROWS[self.mode])
        place, word = bits * (self.lane % per_word), self.lane // per_word
        given, first = getattr(self, name), self.first
        operands = []
        for side in ("activations", "weights"):
            words = [given[side][k] for k in range(self.spec.lanes)]
            own = first[side][word][place : place + bits]
            words[word] = Cat(words[word][:place], own, words[word][place + bits :])
            operands += words
        mode = C(self.spec.mode_list.index(self.mode), len(given.mode))
        return data.View(beat_layout(self.spec), Cat(*operands, mode, C(0, 1)))


class IdleBricks(wiring.Component):
    """``holds`` is 1 where the operands of all bricks that the mode does not use are 0."""

    def __init__(self, spec: RmmecUnit, multiplier: type[Multiplier]) -> None:
        self.spec, self.multiplier = spec, multiplier
        beat, state = beat_layout(spec), spec.result.bits
        super().__init__({"beat": In(beat), "state": In(state), "holds": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        observed = self.multiplier(spec)

        class Observed(Datapath):
            def multiplier(self) -> Multiplier:
                return observed

        Observed(spec).connect(m, self.beat, self.state)
        busy = [
            (self.beat.mode == k) & Cat(brick.a, brick.w).any()
            for k, mode in enumerate(spec.mode_list)
            for place, brick in observed.bricks.items()
            if place not in spec.bricks(mode)
        ]
        assert len(busy) == sum(49 - len(spec.bricks(mode)) for mode in spec.mode_list)
        m.d.comb += self.holds.eq(~Cat(busy).any())
        return m


class UngatedBrick(Multiplier):
    """One brick between the lanes of posit8 gets its operands in all modes."""

    def gate(self, select: Select, digit: Value, modes: list[Mode], brick: Brick) -> Value:
        return digit if brick == (2, 5) else super().gate(select, digit, modes, brick)


class WithUngatedBrick(Datapath):
    """The lanes of posit8 meet in a brick."""

    def multiplier(self) -> Multiplier:
        return UngatedBrick(self.spec)


class CarryAcross(QuireAdder):
    """A carry passes from the first quire to the second in every mode."""

    def guard(self, segment: int, carry: Value) -> Value:
        return C(1, 1) if segment == 1 else super().guard(segment, carry)


class WithCarryAcross(Datapath):
    """The quires of two lanes are joined."""

    def adder(self) -> QuireAdder:
        return CarryAcross(self.spec)


@pytest.mark.parametrize(
    ("isolation", "mode", "lane"),
    [("operands", *lane) for lane in LANES] + [("results", Mode.POSIT8, k) for k in range(2)],
)
def test_a_lane_depends_on_no_other(isolation: str, mode: Mode, lane: int, tmp_path: Path) -> None:
    spec = make("rmmec", isolation=isolation)
    assert prove(LanePair(spec, Datapath, mode, lane), tmp_path)


@pytest.mark.parametrize(
    ("mutant", "mode", "lane"),
    [(WithUngatedBrick, Mode.POSIT8, 0), (WithCarryAcross, Mode.FP4, 1)],
)
def test_a_leaking_lane_is_found(
    mutant: type[Datapath], mode: Mode, lane: int, tmp_path: Path
) -> None:
    assert not prove(LanePair(make("rmmec"), mutant, mode, lane), tmp_path)


@pytest.mark.parametrize("lanes", [1, 4])
def test_idle_bricks_get_zeros(lanes: int, tmp_path: Path) -> None:
    assert prove(IdleBricks(make("rmmec", lanes=lanes), Multiplier), tmp_path)


def test_an_ungated_brick_is_found(tmp_path: Path) -> None:
    assert not prove(IdleBricks(make("rmmec"), UngatedBrick), tmp_path)


def test_without_isolation_idle_bricks_get_operands(tmp_path: Path) -> None:
    assert not prove(IdleBricks(make("rmmec", isolation="results"), Multiplier), tmp_path)


def beats_of(spec: RmmecUnit, mode: Mode, a: Codes, w: Codes) -> Operands:
    """Dot products of four beats of one mode, from codes of shape (beats, lanes)."""
    words = [spec.pack_words(codes.reshape(-1, 4 * codes.shape[1]), mode) for codes in (a, w)]
    modes = np.full((len(words[0]), 4), spec.mode_list.index(mode), np.uint8)
    return Operands(words[0], words[1], {"mode": modes} if len(spec.mode_list) > 1 else {})


def all_pairs(spec: RmmecUnit, mode: Mode) -> Operands:
    """Every pair of codes in every lane, in an order of its own."""
    bits = FORMATS[mode].bits
    rng = np.random.default_rng(1)
    pairs = np.stack(
        [rng.permutation(1 << (2 * bits)) for _ in range(spec.lane_count(mode))], axis=-1
    )
    return beats_of(spec, mode, pairs & ((1 << bits) - 1), pairs >> bits)


@pytest.mark.parametrize(
    ("parameters", "mode"),
    [
        ({}, Mode.FP4),
        ({}, Mode.POSIT4),
        ({}, Mode.POSIT8),
        ({"modes": "posit8,posit16", "isolation": "results"}, Mode.POSIT8),
        ({"modes": "fp4,posit16", "lanes": 4}, Mode.FP4),
        ({"modes": "posit4,posit8", "lanes": 3}, Mode.POSIT4),
    ],
)
def test_all_pairs_of_narrow_codes_on_the_gates(parameters: dict[str, str], mode: Mode) -> None:
    spec = make("rmmec", **parameters)
    measured = activity.simulate(spec, netlist(spec), all_pairs(spec, mode))
    assert measured.macs_per_cycle == spec.lane_count(mode)


@pytest.mark.parametrize("modes", ["fp4", "posit4", "posit8"])
def test_all_pairs_in_fixed_units(modes: str) -> None:
    spec = make("rmmec", modes=modes)
    activity.simulate(spec, netlist(spec), all_pairs(spec, Mode(modes)))


@pytest.mark.parametrize("parameters", [{}, {"modes": "posit16"}], ids=["all_modes", "fixed"])
def test_posit16_corners_and_random_pairs_on_the_gates(parameters: dict[str, str]) -> None:
    """Corners are the neighbours of 0, NaR, powers of two of all regimes, and their negatives."""
    spec = make("rmmec", **parameters)
    powers = FORMATS[Mode.POSIT16].encode(np.exp2(np.arange(-28, 29))).astype(np.int64)
    corners = {0, 0x8000} | {int(c) + step for c in powers for step in (-1, 0, 1)}
    corners |= {-c % 0x10000 for c in corners}
    pairs = np.array(list(product(sorted(corners), repeat=2)))
    rng = np.random.default_rng(2)
    pairs = np.concatenate([pairs, rng.integers(0, 1 << 16, (40_000, 2))])
    pairs = rng.permutation(pairs)[: len(pairs) & ~3]
    operands = beats_of(spec, Mode.POSIT16, pairs[:, :1], pairs[:, 1:])
    activity.simulate(spec, netlist(spec), operands)


class ShiftedBrick(Multiplier):
    """Two bricks have each other's weight."""

    def recombine(self, products: dict[Brick, Value]) -> Value:
        moved = dict(products)
        moved[4, 6], moved[4, 5] = products[4, 5], products[4, 6]
        return super().recombine(moved)


class PositiveRegime(Decoder):
    """The regime has no sign."""

    def regime(self, m: Module, body: Value) -> tuple[Value, Value]:
        run, tail = super().regime(m, body)
        return Cat(run[:-1], C(0, 1)).as_signed(), tail


class Regimes(Datapath):
    """Decoders without the regime's sign."""

    def decoder(self, lane: int) -> Decoder:
        return PositiveRegime(self.spec, lane)


class Bricks(Datapath):
    """A wrong brick."""

    def multiplier(self) -> Multiplier:
        return ShiftedBrick(self.spec)


class StuckMode(Datapath):
    """The unit is in its second mode in every beat."""

    def one_hot(self, beat: data.View) -> Value:
        return C(2, 2)


@pytest.mark.parametrize("mutant", [Regimes, Bricks, StuckMode, WithUngatedBrick, WithCarryAcross])
def test_a_wrong_datapath_fails(mutant: type[Datapath]) -> None:
    shared = mutant in (WithUngatedBrick, WithCarryAcross)
    unit = make("rmmec", modes="posit8,posit16" if shared else "posit4,posit8")

    class Mutant(Rmmec):
        def datapath(self) -> Datapath:
            return mutant(self.spec)

    assert "expected" in failure_of(unit, Mutant(unit))


@pytest.mark.parametrize("mutant", [SwappedLanes, ExtraCycle])
def test_a_wrong_unit_fails(mutant: type[rtl.Unit]) -> None:
    unit = make("rmmec", lanes=2, modes="fp4,posit8")
    assert failure_of(unit, mutant(unit))


def test_a_fixed_unit_is_as_small_as_separate_multiply_accumulates() -> None:
    """Four exact E2M1 units with 32-bit accumulators have as many gates as the fixed fp4 unit."""
    fixed = netlist(make("rmmec", modes="fp4"))
    single = netlist(
        make(
            "float",
            lanes=1,
            weight="e2m1",
            activation="e2m1",
            accumulator_bits=32,
            adders="operators",
        )
    )
    assert single.outputs["o__payload"].size == 32
    assert fixed.counts().sum() <= 4 * single.counts().sum()
