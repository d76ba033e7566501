import json
import math
import shlex
from fractions import Fraction
from pathlib import Path

import pytest

from cost_models import data, memory
from hwsim import cli
from hwsim.errors import InputError

DOCUMENT = Path(__file__).parents[2] / "docs" / "memory.md"
TABLES = [(row["table"], row["node"]) for row in memory.contents("sram")]
CACTI = [(table, node) for table, node in TABLES if table.startswith("cacti7")]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        # Printed by CACTI for these macros.
        (memory.sram(1024, 90), ("read", 5.0739)),
        (memory.sram(8192, 45), ("write", 7.4136)),
        (memory.sram(32768, 32), ("area", 53739)),
        (memory.sram(131072, 22, "cacti7-lop"), ("leakage", 7.00803)),
        (memory.sram(1048576, 45, "cacti7-lop"), ("access_time", 3.19394)),
        (memory.sram(32768, 45), ("cycle_time", 0.466822)),
        # Papers.
        (memory.sram(32768, 45, "horowitz2014"), ("read", 20)),
        (memory.sram(8192, 7, "jouppi2021"), ("access", 7.5)),
    ],
)
def test_numbers_of_the_table_come_back(made, expected):
    name, value = expected
    figure = made.figures()[name]
    assert figure.low == figure.high == value
    assert figure.derivation == ""


def test_every_row_of_the_sram_table_comes_back():
    for row in data.read("sram.csv"):
        made = memory.sram(int(row["capacity"]), int(row["node"]), row["table"])
        columns = {"read": "read_pj", "write": "write_pj", "access": "access_pj"}
        for name, column in columns.items():
            figure = made.figures().get(name)
            assert (figure.low if figure else None) == (float(row[column]) if row[column] else None)


def test_missing_numbers_are_none():
    made = memory.sram(8192, 45, "horowitz2014")
    assert set(made.figures()) == {"read"}
    assert made.write is made.access is made.area is made.leakage is made.bandwidth is None


@pytest.mark.parametrize(("table", "node"), TABLES)
def test_interpolation_grows_with_capacity(table, node):
    smallest = 8192 if table in ("horowitz2014", "jouppi2021") else 1024
    made = [memory.sram(smallest + step, node, table) for step in range(0, 2**20 - smallest, 9973)]
    for name in set(made[0].figures()) - {"bandwidth"}:
        values = [one.figures()[name].low for one in made]
        assert values == sorted(values)
        assert values[0] < values[-1]


def test_interpolation_is_a_power_law():
    ends = [memory.sram(capacity, 22) for capacity in (8192, 32768)]
    middle = memory.sram(16384, 22)
    expected = math.sqrt(ends[0].read.low * ends[1].read.low)
    assert middle.read.low == pytest.approx(expected, rel=1e-12)
    assert middle.read.derivation == "between 8192 and 32768 bytes"


def test_interpolated_evidence_is_the_weaker():
    assert memory.sram(8192, 45, "horowitz2014").read.evidence == "secondary"
    assert memory.sram(9000, 45, "horowitz2014").read.evidence == "recalled"


@pytest.mark.parametrize("capacity", [1023, 2**20 + 1])
def test_nothing_is_extrapolated(capacity):
    with pytest.raises(
        InputError, match=f"{capacity} bytes is outside .* 1024 to 1048576; nothing"
    ):
        memory.sram(capacity, 45)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"capacity": 8192, "node": 28}, "node 28 nm: cacti7-hp has 22, 32, 45, 65, 90 nm"),
        ({"capacity": 8192, "node": 45, "table": "cacti7"}, "did you mean 'cacti7-"),
        ({"capacity": 8192, "node": 45, "width": 32}, "width 32: .* multiple of 64"),
        ({"capacity": 8192, "node": 45, "width": 96}, "width 96"),
        ({"capacity": 8192, "node": 45, "banks": 0}, "banks=0: allowed: whole numbers from 1"),
        ({"capacity": 8192, "node": 45, "banks": 3}, "8192 bytes does not divide into 3"),
        ({"capacity": 8192, "node": 45, "banks": 16}, "a macro of 512 bytes is outside"),
    ],
)
def test_what_the_tables_cannot_tell_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        memory.sram(**arguments)


@pytest.mark.parametrize(("table", "node"), CACTI)
def test_wide_and_banked_memories_sum_macros(table, node):
    macro = memory.sram(8192, node, table)
    made = memory.sram(8 * 8192, node, table, width=128, banks=4)
    assert made.read.low == 2 * macro.read.low
    assert made.write.low == 2 * macro.write.low
    assert made.area.low == 8 * macro.area.low
    assert made.leakage.low == 8 * macro.leakage.low
    assert made.cycle_time.low == macro.cycle_time.low
    assert made.bandwidth.low == pytest.approx(8 * 64 / macro.cycle_time.low, rel=1e-12)
    assert "2 macros side by side" in made.read.derivation
    assert "8 macros" in made.area.derivation


def test_register_file_counts_bits():
    made = memory.register_file(32, 64)
    assert made.area.low == pytest.approx(2048 * 5.981433)
    assert made.leakage.low == pytest.approx(2048 * 7.395312e-5)
    assert made.read == made.write
    assert made.read.low == pytest.approx(64 * 0.008999495)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 8), "words=0: allowed: whole numbers from 1"),
        ((8, 0), "width=0: allowed: whole numbers from 1"),
        ((129, 64), "up to 1024 bytes"),
    ],
)
def test_register_file_has_limits(shape, message):
    with pytest.raises(InputError, match=message):
        memory.register_file(*shape)


@pytest.mark.parametrize(
    ("kind", "boundary", "low", "high"),
    [
        ("hbm2", "device", 3.97, 3.97),
        ("hbm2", "io", Fraction(250, 64), Fraction(450, 64)),
        ("lpddr4_8gb", None, 8, 9),
        ("ddr3", None, Fraction(1300, 64), Fraction(2600, 64)),
    ],
)
def test_dram_comes_back_per_bit(kind, boundary, low, high):
    figure = memory.dram(kind, boundary).access
    assert (figure.low, figure.high, figure.unit) == (low, high, "pJ/bit")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hbm2",), "hbm2 needs a boundary, one of io, device"),
        (("hbm2", "system"), "boundary 'system': hbm2 has io, device"),
        (("lpddr4",), "did you mean 'lpddr"),
    ],
)
def test_dram_names_its_boundary(arguments, message):
    with pytest.raises(InputError, match=message):
        memory.dram(*arguments)


def every_memory():
    for row in memory.contents("sram"):
        for capacity in map(int, row["bytes"].split()):
            yield memory.sram(capacity, row["node"], row["table"])
    for row in memory.contents("dram"):
        yield memory.dram(row["kind"], row["boundary"])
    yield memory.register_file(16, 16)


def test_every_number_has_a_source_and_evidence():
    figures = [figure for made in every_memory() for figure in made.figures().values()]
    assert len(figures) > 350
    for figure in figures:
        assert len(figure.source) > 10
        assert figure.evidence in data.EVIDENCE
        assert 0 < figure.low <= figure.high


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["sram", "capacity=8192", "node=45"], 0, "6.0479"),
        (["regfile", "words=32", "width=64"], 0, "12250"),
        (["dram", "kind=ddr5"], 0, "system: device, interface, controller and transport"),
        (["dram"], 0, "lpddr5x"),
        (["sram", "capacity=8192"], 2, "sram needs node"),
        (["sram", "capacity=8k", "node=45"], 2, "capacity='8k': allowed: whole numbers from 1"),
        (["sram", "size=8192"], 2, "unknown parameter of sram"),
    ],
)
def test_command_line(words, status, text, capsys):
    assert cli.main(["memory", *words]) == status
    printed = capsys.readouterr()
    assert text in printed.out + printed.err


@pytest.mark.parametrize("kind", memory.KINDS)
def test_listings_are_json(kind, capsys):
    assert cli.main(["memory", kind, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == memory.contents(kind)


def test_a_memory_is_json(capsys):
    assert cli.main(["memory", "dram", "kind=gddr5", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["access"]["low"] == 14.0
    assert "MICRO 2017" in made["access"]["source"]
    assert made["area"] is None


def consoles():
    """Yield every command of the page with what it prints there."""
    for block in DOCUMENT.read_text().split("```console\n")[1:]:
        for part in block.split("```")[0].split("$ ")[1:]:
            command, _, output = part.partition("\n")
            yield command, output


@pytest.mark.parametrize(("command", "output"), list(consoles()))
def test_the_page_has_what_the_commands_print(command, output, capsys):
    program, *arguments = shlex.split(command)
    assert program == "hwsim"
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == output


def test_the_page_has_the_interpolation_errors():
    """Leave a capacity out, interpolate it between its neighbours, compare."""
    worst: dict[str, float] = {}
    for table, node in CACTI:
        rows = [row for row in data.read("sram.csv")
                if (row["table"], row["node"]) == (table, str(node))]  # fmt: skip
        for column in ("read_pj", "write_pj", "area_um2", "leakage_mw", "access_ns", "cycle_ns"):
            points = [(math.log(float(r["capacity"])), math.log(float(r[column]))) for r in rows]
            for (x0, y0), (x, y), (x1, y1) in zip(points, points[1:], points[2:], strict=False):
                error = abs(math.exp(y0 + (y1 - y0) * (x - x0) / (x1 - x0) - y) - 1)
                worst[column] = max(worst.get(column, 0), error)
    printed = "read energy {read_pj:.0f} %, write energy {write_pj:.0f} %, area {area_um2:.0f} %, "
    printed += (
        "leakage {leakage_mw:.0f} %, access time {access_ns:.0f} %, cycle time {cycle_ns:.0f} %"
    )
    expected = printed.format(**{name: 100 * error for name, error in worst.items()})
    assert expected in " ".join(DOCUMENT.read_text().split())
