import re

import pytest
from amaranth.sim import Simulator

from hwsim.units import make
from hwsim.units.bitmod import TERMS, WeightType, _decode_table, term_pair
from rtl import emit
from rtl.bitmod import RANKS, Bitmod, TermGenerator, term_bits
from rtl.verification.run import first_failure


def test_term_generator_gives_every_weight() -> None:
    """All codes of all types, with every special value that two terms can make."""
    spec = make("bitmod", lanes=1, activation="fp16", group_size=6)
    dut = TermGenerator(spec)
    pairs = {}
    for half in range(-40, 41):
        try:
            pairs[half] = term_pair(half)
        except ValueError:
            continue
    specials = {half: term_bits(a) << 4 | term_bits(b) for half, (a, b) in pairs.items()}
    assert {10, -10, 16, -16, 6, -6, 12, -12, 14, -14} <= set(specials)

    async def bench(ctx) -> None:
        for kind in WeightType:
            for code in range(256):
                # The special value matters for one code of each short type.
                chosen = specials if code & 15 in (4, 8) else {10: specials[10]}
                for half, bits in chosen.items():
                    expected = int(_decode_table((half,) * 4)[kind, 0, code])
                    ctx.set(dut.weights, [code])
                    ctx.set(dut.weight_type, int(kind))
                    ctx.set(dut.special, bits)
                    ctx.set(dut.load, 1)
                    await ctx.tick()
                    ctx.set(dut.load, 0)
                    ctx.set(dut.step, 1)
                    total = 0
                    for _ in range(TERMS[kind]):
                        term = ctx.get(dut.terms[0])
                        magnitude = int(term["mantissa"]) << int(term["exponent"])
                        total = 4 * total + (-magnitude if term["negative"] else magnitude)
                        await ctx.tick()
                    assert total == expected

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_special_values_can_be_programmed() -> None:
    """A unit whose register file was written equals one that was made with those values."""
    written = make("bitmod", lanes=4, activation="fp16", group_size=24)
    made = make("bitmod", lanes=4, activation="fp16", group_size=24, special_values="7,3,-6,0.5")
    dut = Bitmod(written)
    activations = written.activation.encode([1.0, -2.0, 0.5, 3.0])
    results = []
    expected = []

    async def bench(ctx) -> None:
        ctx.set(dut.o.ready, 1)
        ctx.set(dut.i.valid, 1)
        for selector, (first, second) in enumerate(made.special_terms()):
            pair = term_bits(first) << 4 | term_bits(second)
            beat = {"weights": [pair, 0, 0, 0], "selector": selector, "program": 1}
            ctx.set(dut.i.payload, beat)
            await ctx.tick().until(dut.i.ready)
        for selector in range(4):
            metadata = {"weight_type": [WeightType.FP4], "selector": [selector], "scale": [3]}
            expected.append(int(made.dot(activations, [8, 8, 5, 2], program=[0], **metadata)))
            ctx.set(
                dut.i.payload,
                {
                    "activations": activations.tolist(),
                    "weights": [8, 8, 5, 2],
                    "weight_type": WeightType.FP4,
                    "selector": selector,
                    "scale": 3,
                    "last": 1,
                },
            )
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)
            (payload,) = await ctx.tick().sample(dut.o.payload).until(dut.o.valid)
            results.append(payload)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert results == expected
    assert len(set(results)) == 4


STAGED = make("bitmod", lanes=2, activation="e4m3", group_size=16, stages=4)
#: Faults of ranks: a pattern in the emitted Verilog, and what stands in its place.
FAULTS = {
    "never frozen": (r"assign frozen = .*;", "assign frozen = 1'h0;"),
    "no wait between groups": (r"= \| \\wait ;", "= 1'h0;"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_wrong_rank_fails(name: str) -> None:
    text, count = re.subn(*FAULTS[name], emit.verilog(STAGED))
    assert count
    assert first_failure(STAGED, text)


def test_stages_have_a_rank_each() -> None:
    assert {*RANKS} == {*range(1, STAGED.most_stages + 1)}
    assert [sum(ranks) + 1 for ranks in RANKS.values()] == [*RANKS]
