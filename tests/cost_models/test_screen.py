from dataclasses import replace

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from cost_models import screen, screening_set, technology
from cost_models.estimate import estimate
from cost_models.words import FEATURES, features
from hwsim.errors import InputError
from hwsim.units import make


class Words(wiring.Component):
    """``build`` makes the logic from the signals a and b to y."""

    a: In(8)
    b: In(4)
    s: In(1)
    y: Out(16)

    def __init__(self, build, copies=1):
        self.build = build
        self.copies = copies
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        if self.copies > 1:
            for k in range(self.copies):
                m.submodules[f"part_{k}"] = part = Words(self.build)
                m.d.comb += [part.a.eq(self.a), part.b.eq(self.b ^ k)]
            return m
        self.build(m, self)
        return m


def counted(build, copies=1):
    """Return the features that are not zero, by name."""
    text = rtlil.convert(Words(build, copies), name="top", emit_src=False)
    values = features(text, "top")
    return {name: value for name, value in zip(FEATURES, values, strict=True) if value}


def comb(expression):
    def build(m, words):
        m.d.comb += words.y.eq(expression(words))

    return build


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (lambda w: w.a * w.b, {"product_bits": 32, "product_sum_bits": 12}),
        (lambda w: w.a * 5, {"constant_product_bits": 24}),
        (lambda w: w.a + w.b, {"sum_bits": 9, "sum_bits_log": 9 * np.log2(9)}),
        (lambda w: w.a - 3, {"constant_sum_bits": 9}),
        (lambda w: w.a < w.b, {"compare_bits": 8}),
        (lambda w: w.a == w.b, {"equal_bits": 8}),
        (lambda w: w.a == 77, {"equal_constant_bits": 8}),
        (lambda w: Mux(w.s, w.a, w.b), {"mux_bits": 8}),
        (lambda w: Mux(w.s, w.a, 0), {"constant_mux_bits": 8}),
        (lambda w: w.a >> w.b, {"shift_bits": 32}),
        (lambda w: w.a >> 3, {}),
        (lambda w: w.a & w.b, {"and_or_bits": 8}),
        (lambda w: w.a ^ w.b, {"xor_bits": 8}),
        (lambda w: w.a.any(), {"reduced_bits": 8}),
    ],
)
def test_words_are_counted(expression, expected):
    assert counted(comb(expression)) == expected


def test_registers_are_counted():
    def build(m, words):
        register = Signal(5)
        m.d.sync += register.eq(words.a)
        m.d.comb += words.y.eq(register)

    assert counted(build)["flip_flop_bits"] == 5


def test_choices_of_a_switch_are_multiplexers():
    def build(m, words):
        with m.Switch(words.b):
            with m.Case(1):
                m.d.comb += words.y.eq(words.a)
            with m.Case(2):
                m.d.comb += words.y.eq(5)

    found = counted(build)
    assert found["mux_bits"] == 16
    assert found["constant_mux_bits"] == 16
    assert found["equal_constant_bits"] == 8


def test_every_instance_is_counted():
    build = comb(lambda w: w.a * w.b)
    assert counted(build, copies=3)["product_bits"] == 3 * counted(build)["product_bits"]


def test_a_shared_module_is_counted_as_often_as_it_is_used():
    text = """
module \\part
  cell $mul $1
    parameter \\A_WIDTH 4
    parameter \\B_WIDTH 4
    parameter \\Y_WIDTH 8
    connect \\A \\a
  end
end
module \\top
  cell \\part \\one
  end
  cell \\part \\two
  end
end
"""
    assert features(text, "top")[FEATURES.index("product_bits")] == 32


def test_fit_finds_the_coefficients_of_exact_areas():
    rng = np.random.default_rng(0)
    matrix = rng.integers(0, 50, (40, len(FEATURES))).astype(float)
    true = rng.uniform(0, 9, len(FEATURES))
    true[3] = 0.0
    np.testing.assert_allclose(screen.fit(matrix, matrix @ true), true, atol=1e-9)


def test_unseen_groups_are_predicted_without_themselves():
    matrix = np.ones((4, 1))
    predicted = screen.predict_unseen(matrix, np.array([1.0, 1.0, 4.0, 4.0]), list("aabb"))
    np.testing.assert_allclose(predicted, [4, 4, 1, 1])


def test_errors_are_relative():
    found = screen.errors(np.array([1.1, 2.0, 2.7]), np.array([1.0, 2.0, 3.0]))
    assert found == {"mean_percent": pytest.approx(6.67), "max_percent": 10.0, "rank": 1.0}


def test_every_technology_has_a_screen():
    for loaded in map(technology.load, technology.names()):
        coefficients = screen.coefficients(loaded)
        assert (coefficients >= 0).all()
        assert coefficients[FEATURES.index("flip_flop_bits")] > 0
        assert loaded.screen["unseen_units"]["rank"] > 0.9


def test_larger_units_have_larger_areas():
    sky130 = technology.load("sky130")
    # Lanes of a tree share its last adder.
    for adders, least in (("operators", 3), ("merged", 2)):
        units = [
            make("integer", lanes=k, weight="int4", activation="int8", adders=adders)
            for k in (1, 4, 8)
        ]
        areas = [screen.area(unit, sky130) for unit in units]
        assert areas == sorted(areas)
        assert areas[2] > least * areas[0]


def test_a_technology_without_a_screen_is_refused():
    unit = make("integer", lanes=1, weight="int4", activation="int8")
    with pytest.raises(InputError, match="no screen was fitted for sky130"):
        screen.area(unit, replace(technology.load("sky130"), screen=None))


def test_units_of_the_fit_do_not_depend_on_how_many_are_taken():
    assert screening_set.units(20) == screening_set.units()[:20]


def test_a_screen_is_fitted_to_estimates(monkeypatch):
    units = [
        make("integer", lanes=n, weight=f"int{w}", activation="int4")
        for n in (1, 2)
        for w in (2, 3, 4)
    ]
    units += [make("serial_add", lanes=n, weight="int2", activation="int4") for n in (2, 4)]
    monkeypatch.setattr(screening_set, "units", lambda count: units[:count])
    sky130 = technology.load("sky130")
    lines = []
    found = screen.fitted(sky130, 1, lines.append)
    assert len(lines) == len(units)
    # Few units do not determine all coefficients, but they are met.
    own = replace(sky130, screen=found)
    for unit in units:
        estimated = estimate(unit, sky130).area_um2
        assert screen.area(unit, own) == pytest.approx(estimated, rel=0.03)
    assert found["unseen_units"]["mean_percent"] > 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", technology.names())
def test_the_shipped_screens_are_those_of_a_fit(name):
    """Within what a change of Yosys' result for a few units may do to the areas."""
    loaded = technology.load(name)
    own = replace(loaded, screen=screen.fitted(loaded))
    units = screening_set.units(screen.UNITS)
    ratios = [screen.area(unit, own) / screen.area(unit, loaded) for unit in units]
    np.testing.assert_allclose(ratios, 1, atol=0.02)
