import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.sim import Simulator

from rtl.blocks.recode import binary_digits, booth_digit, booth_word, fixed_window, window


@pytest.mark.parametrize("bits", [1, 2, 5, 6])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("radix_bits", [1, 2])
@pytest.mark.parametrize("fixed", [False, True])
def test_digits_add_up(bits: int, signed: bool, radix_bits: int, fixed: bool) -> None:
    m = Module()
    value, precision = Signal(bits), Signal(range(bits + 1))
    used = fixed_window(bits) if fixed else window(m, bits, precision)
    if radix_bits == 1:
        digits = binary_digits(value, signed, used)
    else:
        word = booth_word(m, value, signed, used, "w")
        digits = [booth_digit(word[k : k + 3]) for k in range(0, len(word) - 2, 2)]
    flags = Signal(3 * len(digits))
    m.d.comb += flags.eq(Cat(Cat(d.nonzero, d.negative, d.double) for d in digits))

    async def bench(ctx) -> None:
        for count in [bits] if fixed else range(1, bits + 1):
            ctx.set(precision, count)
            for code in range(1 << bits):
                ctx.set(value, code)
                found = ctx.get(flags)
                low = code % (1 << count)
                expected = low - (1 << count) * (signed and low >> (count - 1))
                total = 0
                for k in range(len(digits)):
                    nonzero, negative, double = (found >> (3 * k + j) & 1 for j in range(3))
                    total += (nonzero << double << radix_bits * k) * (-1 if negative else 1)
                assert total == expected

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
