"""Liberty files of all kinds: what is legal is read, what is not is refused by name."""

import contextlib
import gzip
import random
import re

import pytest

from cost_models.synthesis import liberty, opensta, synthesize
from hwsim import cli
from hwsim.cli import _parser
from hwsim.errors import InputError
from hwsim.units import make

SMALL = make("integer", lanes=1, weight="int2", activation="int2")
HEAD = "library(osu018_stdcells) {"
TEXT = liberty.OSU018.read_text() if liberty.OSU018.is_file() else ""
#: Seeds and sizes of the damaged libraries.
DAMAGED = 150


@pytest.fixture(scope="module")
def expected():
    return synthesize(SMALL, "osu018")


def inside(text):
    """Return osu018 with something at the begin of its library group."""
    return TEXT.replace(HEAD, f"{HEAD}\n{text}\n", 1)


def unquoted(text):
    names = "when|function|next_state|clocked_on|clear|preset|related_pin"
    return re.sub(rf'((?:{names})\s*:\s*)"([^"]*)"', r"\1\2", text)


@pytest.mark.parametrize(
    "content",
    [
        # OpenSTA warns that these are not found, and times all the same.
        inside('  default_operating_conditions : "typical";'),
        inside('  default_wire_load : "None";'),
        inside("  default_operating_conditions : none;\n  default_wire_selection : none;"),
        b"\xef\xbb\xbf" + TEXT.encode(),
        inside("/* caf\xe9 */").encode("latin-1"),
        inside('  comment : "\u00b5 { /* } // \\" ";'),
        TEXT.replace("\n", "\r\n"),
        unquoted(TEXT),
        re.sub(r";[ \t]*\n", "\n", TEXT),
        re.sub(r"/\*.*?\*/", "", TEXT, flags=re.DOTALL).replace("\\\n", " ").replace("\n", " "),
        TEXT.replace(") {", ") /* { */\n// }\n{"),
        TEXT.replace("area : ", "area\n :\n "),
        TEXT.replace("capacitance : ", "capacitance : \\\n "),
        inside('  my_group (x) { table : "L L : - \\\n L, \\ \n H H : -\n H"; }'),
        inside("  my_attribute : 7;\n  my_group (x) { y : 2; z (1, 2); }"),
        re.sub(r"nom_voltage : [^;]*;", "", TEXT),
        TEXT.replace("cell (INVX1)", 'cell ( "INVX1" )'),
    ],
    ids=[
        "operating conditions defined later", "wire load not defined", "conditions not defined",
        "byte-order mark", "latin-1", "odd string", "CRLF", "unquoted", "no semicolons", "one line",
        "brace in the next line", "colon in the next line", "continued lines", "continued string",
        "unknown group",
        "voltage of the operating conditions", "quoted name",
    ],
)  # fmt: skip
def test_what_is_legal_gives_the_same_cost(tmp_path, content, expected):
    path = tmp_path / "my own.lib"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    cost = synthesize(SMALL, "osu018", [path])
    for name in ("area_um2", "delay_ns", "energy_pj", "glitch_pj", "leakage_nw"):
        assert getattr(cost, name) == getattr(expected, name)


def library(*cells):
    """Return a library with some of osu018's cells."""
    text = TEXT[: TEXT.index("cell (")]
    for name in cells:
        start = TEXT.index(f"cell ({name})")
        text += TEXT[start : TEXT.index("\n}\n", start) + 3]
    return text + "}\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"my\.lib is not a Liberty file"),
        (b"\x00\x01\x02", r"my\.lib, line 1: the byte 0x00"),
        (TEXT.encode("utf-16"), r"my\.lib, line 1: the byte 0x00"),
        (gzip.compress(TEXT.encode())[:-2000], r"cannot read the Liberty file .*my\.lib"),
        (TEXT.encode() + b"}\n", r"my\.lib, line \d+: a closing brace too many"),
        (TEXT.encode() * 2, r"my\.lib, line \d+: there is more behind the library"),
        (b"hello\n" + TEXT.encode(), r"my\.lib is not a Liberty file"),
        (inside("include_file(x.lib);").encode(), r"my\.lib, line \d+: include_file is not supp"),
        ((library()[:-2] + "/* no end").encode(), r"my\.lib, line \d+: a comment without an end"),
        (inside("{ }").encode(), r"my\.lib, line 9: a brace without a group's name"),
        (TEXT.replace("(INVX2)", "(INVX1)").encode(), r"line \d+: a second cell, .*'INVX1'"),
        (
            TEXT.replace('"1ns"', '"0.001ns"').encode(),
            r"my\.lib: time_unit is '0\.001ns'; 1, 10 or",
        ),
        (library("DFFPOSX1").encode(), r"no cell in my\.lib has a function"),
        (library("DFFPOSX1", "NAND2X1").encode(), r"no inverter in my\.lib"),
        (library("DFFPOSX1", "INVX1", "NAND2X1").encode(), r"no buffer in my\.lib"),
        (library("DFFPOSX1", "INVX1", "BUFX2").encode(), r"no AND, OR, NAND or NOR of two inputs"),
        (library("INVX1", "NAND2X1").encode(), r"no flip-flop in my\.lib"),
        (library("LATCH", "INVX1", "NAND2X1").encode(), r"no flip-flop in my\.lib"),
    ],
)
def test_what_is_not_is_refused_by_the_name_of_the_file(tmp_path, content, message, capsys):
    path = tmp_path / "my.lib"
    path.write_bytes(content)
    arguments = ["cost", "integer", "lanes=1", "weight=int2", "activation=int2"]
    arguments += ["--method", "synthesis", "--technology", "mine", "--liberty", str(path)]
    assert cli.main(arguments) == 2
    assert re.search(message, capsys.readouterr().err)


def everything(path):
    """Read a library with all of its cells; return the error if it is refused."""
    try:
        with liberty.opened("mine", [path]) as opened:
            for name in opened.places:
                with contextlib.suppress(InputError):
                    opened.cell(name)
    except InputError as error:
        return str(error)
    return ""


def test_a_truncated_library_is_refused(tmp_path):
    text = library("DFFPOSX1", "INVX1", "BUFX2", "NAND2X1", "FAX1").encode().rstrip()
    path = tmp_path / "my.lib"
    assert not path.write_bytes(text) or everything(path) == ""
    source = random.Random(1)
    for end in [*range(200), *source.sample(range(len(text)), DAMAGED), len(text) - 1]:
        path.write_bytes(text[:end])
        assert "my.lib" in everything(path)
        packed = gzip.compress(text)
        path.write_bytes(packed[: end * len(packed) // len(text)])
        assert "my.lib" in everything(path)


def test_a_damaged_library_is_read_or_refused(tmp_path):
    text = library("DFFPOSX1", "DFFSR", "INVX1", "BUFX2", "NAND2X1", "FAX1").encode()
    packed = gzip.compress(text)
    path = tmp_path / "my.lib"
    source = random.Random(2)
    refused = 0
    for _ in range(DAMAGED):
        damaged = bytearray(source.choice([text, text, packed]))
        for _ in range(source.choice([1, 3, 30])):
            damaged[source.randrange(len(damaged))] = source.choice(b'{}();:"\\/*\n ,0!x\xff\x00')
        path.write_bytes(damaged)
        refused += bool(everything(path))
    assert refused > DAMAGED // 4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('time_unit : "1ns"', 'time_unit : "1ps"', "different units of time: 0.001 and 1 ns"),
        ("(1,pf)", "(1,ff)", "different units of capacitance: 1 and 1000 fF"),
        ("nom_voltage : 1.8", "nom_voltage : 1.62", "different corners: voltage_v 1.8 and 1.62"),
        (
            "nom_temperature : 25",
            "nom_temperature : 125",
            "different corners: temperature_c 25.0 and 125.0; give those of one",
        ),
        (
            "default_operating_conditions : typical",
            "default_operating_conditions : slow",
            "different corners: name typical and slow",
        ),
    ],
)
def test_files_of_different_units_or_corners_are_refused(tmp_path, old, new, message):
    parts = [library("DFFPOSX1", "INVX1"), library("NAND2X1").replace(old, new)]
    assert parts[1] != library("NAND2X1")
    paths = [tmp_path / f"{number}.lib" for number in range(2)]
    for path, part in zip(paths, parts, strict=True):
        path.write_text(part)
    with pytest.raises(InputError, match=message):
        synthesize(SMALL, "mine", paths)


def test_another_corner_is_another_library(tmp_path):
    """The same cells at nine tenths of the voltage: every load takes 0.81 of the energy."""
    cells = library("DFFPOSX1", "INVX1", "BUFX2", "NAND2X1", "NOR2X1")
    slow = cells
    for old, new in (
        ("nom_voltage : 1.8", "nom_voltage : 1.62"),
        ("nom_temperature : 25", "nom_temperature : 125"),
        ("default_operating_conditions : typical", "default_operating_conditions : slow"),
    ):
        assert old in slow
        slow = slow.replace(old, new)
    costs = []
    for name, text in (("typical", cells), ("slow", slow)):
        path = tmp_path / f"{name}.lib"
        path.write_text(text)
        costs.append(synthesize(SMALL, name, [path]))
    typical, other = costs
    assert typical.provenance["corner"] == {
        "name": "typical", "voltage_v": 1.8, "temperature_c": 25.0,
    }  # fmt: skip
    assert other.provenance["corner"] == {
        "name": "slow", "voltage_v": 1.62, "temperature_c": 125.0,
    }  # fmt: skip
    assert other.area_um2 == typical.area_um2
    assert 0.81 < other.settled_pj / typical.settled_pj < 1


def test_a_library_of_several_files_is_one(tmp_path):
    cells = ["DFFPOSX1", "INVX1", "BUFX2", "NAND2X1", "NOR2X1"]
    whole = tmp_path / "whole.lib"
    whole.write_text(library(*cells))
    for folder, part in (("a", cells[:1]), ("b", cells[1:])):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "part.lib").write_text(library(*part))
    parts = [tmp_path / "a" / "part.lib", tmp_path / "b" / "part.lib"]
    one, several = synthesize(SMALL, "mine", [whole]), synthesize(SMALL, "mine", parts)
    assert (one.area_um2, one.delay_ns) == (several.area_um2, several.delay_ns)
    assert len(several.provenance["libraries"]) == 2


def test_what_is_not_understood_is_named_by_file_and_line(tmp_path):
    path = tmp_path / "my.lib"
    path.write_text(inside("  time_unit ;"))
    with (
        pytest.raises(InputError, match=r"my\.lib, line 9: .*'time_unit ;"),
        liberty.opened("mine", [path]),
    ):
        pass


def test_paths_may_be_text(tmp_path):
    path = tmp_path / "my.lib"
    path.write_text(TEXT)
    with liberty.opened("mine", [str(path)]) as opened:
        assert opened.sources == (path,)
    for one in (path, str(path)):
        with pytest.raises(InputError, match=r"liberty='.*my.lib': allowed: a list of paths"):
            synthesize(SMALL, "mine", one)


def test_corners_are_compared_before_cells(tmp_path):
    paths = [tmp_path / "cold.lib", tmp_path / "hot.lib"]
    for path, kelvin in zip(paths, (25, 125), strict=True):
        path.write_text(inside(f"  nom_temperature : {kelvin};"))
    with (
        pytest.raises(InputError, match=r"of different corners: temperature_c 25\.0 and 125\.0"),
        liberty.opened("mine", paths),
    ):
        pass


def test_opensta_names_the_file_of_the_user(tmp_path):
    path = tmp_path / "my.lib"
    before, timing, after = TEXT.partition("timing() {")
    path.write_text(f"{before}{timing}\n  timing_sense ;{after}")
    line = before.count("\n") + 2
    with pytest.raises(opensta.StaError, match=rf"my\.lib, line {line} "):
        synthesize(SMALL, "mine", [path])


@pytest.mark.parametrize(
    "words",
    [
        "--liberty a.lib b.lib.gz integer lanes=1",
        "integer lanes=1 --liberty a.lib b.lib.gz",
        "--liberty a.lib --liberty b.lib.gz integer lanes=1",
        "integer lanes=1 --liberty=a.lib --liberty b.lib.gz",
    ],
)
def test_liberty_files_add_up_and_leave_units_alone(words):
    given = ["cost", *words.split()]
    options = _parser(given).parse_args(given)
    assert [str(path) for path in options.liberty] == ["a.lib", "b.lib.gz"]
    assert options.units == ["integer", "lanes=1"]
