"""Bad input ends in one line that names it and says what is allowed, and exit status 2 or 3.

Each case is the words of a command and what the line must contain. ``{w}`` is a folder with things
to trip over: ``file``, ``full/`` (not empty), ``loop`` (a link to itself), ``dangling`` (a link to
nothing), ``tech.yaml`` (a technology), ``matrices.npz``.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from shlex import quote, split
from typing import Any

import numpy as np
import pytest
import yaml

import rtl
import sweeps
from cost_models import (
    breakdown,
    estimate,
    memory,
    netlist,
    operands,
    published,
    scaling,
    synthesis,
    technology,
)
from hwsim import cli, files
from hwsim.errors import InputError
from hwsim.formats import parse
from hwsim.tensors import sources
from hwsim.units import FAMILIES, make
from rtl import emit, icarus
from rtl.verification import suite, verify

TINY = "integer lanes=1 weight=int2 activation=int2"
SRAM = "memory sram capacity=8192 node=45"
LONG = "a" * 300
COMMANDS = "formats, units, generate, verify, prove, mutate, cost, memory, published, simulate"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad")
    (folder / "file").write_text("x")
    (folder / "full").mkdir()
    (folder / "full" / "mine").write_text("x")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "dangling").symlink_to(folder / "nowhere")
    technology.write(technology.load("asap7"), folder / "tech.yaml")
    matrices = {"norm": np.ones(4), "dense": np.ones((4, 4)), "dense.input": np.ones((4, 4))}
    np.savez(folder / "matrices.npz", **matrices)
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Run in an empty folder, which must be empty afterwards."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


def status(words: list[str]) -> int:
    try:
        return cli.main(words)
    except SystemExit as end:  # argparse's way.
        return int(end.code or 0)


def refused(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = status(words)
    out, err = capsys.readouterr()
    assert (code, out) == (cli.BAD_INPUT, "")
    assert message in err
    assert err.startswith("hwsim")
    assert err.count("\n") == 1


#: Where output cannot go, and why.
NO_OUTPUT = {
    "{w}/file": "File exists",
    "{w}/file/x": "Not a directory",
    "{w}/file/x/y": "Not a directory",
    "{w}/loop": "File exists",
    "{w}/loop/x": "Too many levels of symbolic links",
    "{w}/dangling": "File exists",
    f"{{w}}/{LONG}": "File name too long",
    f"{{w}}/{LONG}/x": "File name too long",
    "/dev/null": "File exists",
    "/dev/null/x": "Not a directory",
    "/proc/x": "No such file or directory",
    "": "allowed: the path of a file or folder, not ''",
    "a\0b": "allowed: the path of a file or folder, not 'a\\x00b'",
}
TO_FOLDERS = (f"generate {TINY} -o", "cost-model report -o", "atlas -o")

#: Where files of a technology cannot be read, and why.
NO_INPUT = {
    "{w}/none.yaml": "No such file or directory",
    "{w}/file/x.yaml": "Not a directory",
    "{w}/loop/x.yaml": "Too many levels of symbolic links",
    f"{{w}}/{LONG}.yaml": "File name too long",
    "a\0b.yaml": "allowed: a path as text",
}

#: What a command line refuses, and with which words.
CASES: list[tuple[str, str]] = [
    # The command line itself.
    ("", "required: COMMAND (see hwsim --help)"),
    ("genrate", f"unknown 'genrate'; did you mean 'generate'? allowed: {COMMANDS}"),
    ("Units", "did you mean 'units'?"),
    ("costs", "did you mean 'cost'?"),
    ("$x", "unknown '$x'; allowed: formats"),
    ("--verison", "required: COMMAND"),
    ("units --jsn", "unknown argument '--jsn'; did you mean '--json'?"),
    ("units integer float", "unknown argument 'float'"),
    ("units intger", "unknown unit 'intger'; did you mean 'integer'?"),
    ("units ''", "unknown unit ''"),
    ("doctor now", "unknown argument 'now'"),
    (f"cost {TINY} --technolgy sky130", "did you mean '--technology'?"),
    (f"cost {TINY} --technology", "--technology: expected one argument"),
    ("generate", "required: UNIT, key=value, -o/--output"),
    (f"generate {TINY}", "required: -o/--output"),
    ("sweep x.yaml", "required: -o/--output"),
    ("characterise", "required: --liberty, -o/--output"),
    ("atlas", "required: -o/--output"),
    ("atlas e4m3 -o x", "unknown argument 'e4m3'"),
    ("atlas -o x --workers 0", "--workers='0': allowed: whole numbers from 1"),
    (
        "atlas -o {w}/full",
        "/full is not empty and holds no atlas; choose another folder, or --force",
    ),
    ("atlas -o {w}/full --no-costs -q", "/full is not empty and holds no atlas"),
    # Units and parameters.
    ("generate intger -o x", "unknown unit 'intger'; did you mean 'integer'?"),
    ("generate INTEGER lanes=1 -o x", "did you mean 'integer'?"),
    ("generate '' -o x", "unknown unit ''; known: integer, float"),
    ("generate $x -o x", "unknown unit '$x'"),
    ("generate é -o x", "unknown unit 'é'"),
    (f"generate {LONG} -o x", f"unknown unit '{LONG}'"),
    ("generate integer -o x", "unit integer needs the parameter 'lanes'"),
    ("generate integer lanes=1 weight=int2 -o x", "needs the parameter 'activation'"),
    ("cost integer lanes=1 weight=int2 activation=fp8", "activation: unknown format 'fp8'"),
    ("generate integer lanes=1 weight=int4 activation=mxfp -o x", "activation: unknown format"),
    (
        "generate integer lanes=1 weight=int4 activation=mxfp4 -o x",
        "activation=mxfp4: integer has no hardware for it; allowed: scalar formats and ",
    ),
    (
        "cost integer lanes=1 weight=int2 activation=int2 --operands .",
        "config.json: cannot be read",
    ),
    ("generate integer lanes -o x", "parameters are written key=value, not 'lanes'"),
    ("generate integer '' -o x", "written key=value, not ''"),
    ("generate integer =4 -o x", "no parameter ''"),
    ("generate integer lanes=1 lanes=1 -o x", "the parameter 'lanes' is given twice"),
    ("generate integer lanse=1 -o x", "no parameter 'lanse'; did you mean 'lanes'?"),
    (f"generate {TINY} depth=1 -o x", "no parameter 'depth'; it takes lanes, weight"),
    (f"generate {TINY} accumulator_bits=1 -o x", "accumulator_bits=1 cannot hold"),
    (f"generate {TINY} accumulator_bits=99999999 -o x", "to 1024"),
    (f"generate {TINY} accumulator_bits={'9' * 400} -o x", "accumulator_bits"),
    *(
        (f"generate integer lanes={value} weight=int2 activation=int2 -o x", "lanes must be")
        for value in (
            "0",
            "-1",
            "1025",
            "1.5",
            "1e3",
            "nan",
            "inf",
            "''",
            "x",
            "[1]",
            "0x10",
            "1_6",
            "٤",
            "' 4'",
        )
    ),
    *(
        (f"generate integer lanes=1 weight={value} activation=int2 -o x", "weight")
        for value in ("e4m3", "posit8_0")
    ),
    (f"generate bit_serial {TINY[8:]} recoding=both -o x", "recoding 'both'; did you mean 'booth'"),
    ("generate bitmod lanes=8 activation=fp16 special_values=1,2 -o x", "special_values"),
    ("generate rmmec modes= -o x", "unknown mode ''; known: fp4"),
    # Verify.
    ("verify lanes=2", "name a unit before its parameter 'lanes=2'"),
    ("verify flaot", "unknown unit 'flaot'; did you mean 'float'?"),
    ("verify ''", "unknown unit ''"),
    (f"verify {TINY} {TINY}", "integer_lanes_1_weight_int2_activation_int2 is given twice"),
    ("verify integer integer", "is given twice"),
    ("accuracy x --weight int4 --weight int8", "argument --weight: given twice; allowed: once"),
    *(
        (
            f"verify {TINY} --seed={quote(seed)}",
            f"--seed={seed!r}: allowed: whole numbers from 0 to",
        )
        for seed in ("-1", "1.5", "x", "nan", "1_6", " 4", "٣", str(2**32), "9" * 5000)
    ),
    (f"verify {TINY} --seed ''", "--seed=''"),
    # Cost.
    ("cost", "required: UNIT"),
    ("cost lanes=2", "name a unit before its parameter 'lanes=2'"),
    (f"cost {TINY} {TINY}", "is given twice"),
    (f"cost {TINY} --technology sky13", "did you mean 'sky130'?"),
    (f"cost {TINY} --technology ''", "unknown technology ''; known: asap7, osu018, sky130"),
    (f"cost {TINY} --technology sky130 --technology sky130", "technology sky130 is given twice"),
    (f"cost {TINY} --technology asap7 --technology {{w}}/tech.yaml", "asap7 is given twice"),
    (f"cost {TINY} --technology {{w}}/file", "unknown technology"),
    (f"cost {TINY} --technology /dev/zero.yaml", "cannot read the technology /dev/zero.yaml"),
    (f"cost {TINY} --operands quite", "operands=quite: no such file; did you mean 'quiet'?"),
    (f"cost {TINY} --operands {{w}}/file", "tensors are read from .npy, .npz, .safetensors"),
    (f"cost {TINY} --operands {{w}}/matrices.npz", "choose the matrices with match"),
    (f"cost {TINY} --operands {{w}}/matrices.npz --match d*s", "no tensor matches 'd*s'"),
    (f"cost {TINY} --operands {{w}}/matrices.npz --match ''", "no tensor matches ''"),
    (
        f"cost {TINY} --match *.weight",
        "--match *.weight: goes with a file or package; --operands normal",
    ),
    (f"cost {TINY} --group 8", "--group 8: goes with a file or package; --operands normal is none"),
    (
        f"cost {TINY} --operands {{w}}/matrices.npz --group 0",
        "--group='0': allowed: whole numbers from 1",
    ),
    (f"cost {TINY} --method fast", "unknown 'fast'; allowed: estimate, synthesis"),
    (f"cost {TINY} --objective fast", "unknown 'fast'; allowed: area, speed, density"),
    (f"cost {TINY} --objective speed --clock 5", "--clock: not allowed with argument --objective"),
    (f"cost {TINY} --liberty {{w}}/file", "--liberty goes with --method synthesis"),
    (f"cost {TINY} --liberty /dev/zero", "/dev/zero is a device or socket; allowed: files"),
    (f"cost {TINY} --method synthesis", "takes one --technology"),
    (f"cost {TINY} --method synthesis --technology sky130", "give --liberty FILE"),
    (f"cost {TINY} --breakdown --method synthesis", "--breakdown is an estimate"),
    (f"cost {TINY} --breakdown --scale-to 45", "it does not go with --breakdown"),
    (f"cost {TINY} --scale-to 7", "node=7: allowed: 45, 28, 16, in nm"),
    (
        f"cost {TINY} --wires --utilisation 1.5",
        "--utilisation='1.5': allowed: above 0 and at most 1",
    ),
    (
        f"cost {TINY} --wires --utilisation 70%",
        "--utilisation='70%': allowed: above 0 and at most 1",
    ),
    (f"cost {TINY} --scale-to 0", "--scale-to='0': allowed: whole numbers from 1"),
    (f"cost {TINY} --scale-to 4_5", "--scale-to='4_5': allowed"),
    # Memories and published numbers.
    ("memory", "required: kind, key=value"),
    ("memory rom", "unknown 'rom'; did you mean 'sram'? allowed: sram, regfile, dram"),
    ("memory sram capacity=8192", "sram needs node"),
    (f"{SRAM} size=1", "unknown parameter of sram 'size'"),
    (f"{SRAM} =1", "unknown parameter of sram ''"),
    (f"{SRAM} bank", "written key=value, not 'bank'"),
    (f"{SRAM} node=45", "the parameter 'node' is given twice"),
    ("memory sram capacity=8192 node=44", "node 44 nm: cacti7-hp has"),
    ("memory sram capacity=1 node=45", "outside the table, which has"),
    (f"{SRAM} width=65", "a multiple of 64"),
    (f"{SRAM} banks=3", "does not divide into 3 macros"),
    (f"{SRAM} table=cacti", "unknown table 'cacti'; did you mean 'cacti7-hp'?"),
    *(
        (f"memory sram capacity={value} node=45", f"capacity={value!r}: allowed: whole numbers")
        for value in ("0", "-8", "8k", "1e3", "nan", "8_192", "٨", "9" * 5000)
    ),
    ("memory regfile words=1000 width=1000", "up to 1024 bytes"),
    ("memory dram kind=hbm", "unknown DRAM 'hbm'"),
    ("memory dram kind=hbm2 boundary=pcb", "boundary 'pcb': hbm2 has"),
    ("published node", "written key=value, not 'node'"),
    ("published nodes=28", "unknown filter 'nodes'; did you mean 'node'?"),
    ("published node=[", "unknown node '['"),
    ("published node=3", "unknown node '3'"),
    ("published node=*x", "no published number has a node like '*x'"),
    ("published node=28 node=28", "the parameter 'node' is given twice"),
    # The cost model and characterisation.
    ("cost-model", "required: action"),
    ("cost-model reprot", "unknown 'reprot'; did you mean 'report'?"),
    ("cost-model report --technology nope", "--technology goes with measure"),
    ("cost-model report --technology ''", "--technology goes with measure"),
    ("cost-model report --liberty {w}/file", "--liberty goes with measure"),
    ("cost-model report --json -o x", "give one of them"),
    ("cost-model measure -o x", "-o goes with report"),
    ("cost-model measure --technology nope", "unknown technology 'nope'"),
    ("characterise --liberty {w}/file -o {w}/file", "{w}/file exists; choose another file"),
    ("characterise --liberty {w}/file -o {w}/dangling", "dangling exists; choose another file"),
    ("characterise --liberty {w}/file -o x.yaml", "is not a Liberty file"),
    ("characterise --liberty {w}/file --name a/b -o x.yaml", "--name must be up to 64 letters"),
    ("characterise --liberty {w}/file --name '' -o x.yaml", "--name must be up to 64 letters"),
    ("characterise --liberty {w}/file -o 'a b.yaml'", "the name of a b.yaml must be"),
    ("characterise --liberty /dev/zero -o x.yaml", "/dev/zero is a device"),
    # Sweeps.
    ("sweep /dev/zero -o x", "/dev/zero is a device"),
    ("sweep '' -o x", "allowed: the path of a file or folder, not ''"),
    *(
        (f"sweep {{w}}/file -o x --workers={value}", f"--workers={value!r}: allowed")
        for value in ("0", "-1", "x", "1.5", "1_0")
    ),
]


@pytest.mark.parametrize(("command", "message"), CASES)
def test_the_command_line_names_what_is_wrong(
    command: str,
    message: str,
    place: Path,
    elsewhere: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = split(command.replace("{w}", str(place)))
    refused(given, message.replace("{w}", str(place)), capsys)


@pytest.mark.parametrize("command", TO_FOLDERS)
@pytest.mark.parametrize("path", NO_OUTPUT)
def test_output_that_cannot_be_written_is_named(
    command: str, path: str, place: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused([*split(command), path.replace("{w}", str(place))], NO_OUTPUT[path], capsys)


@pytest.mark.parametrize("path", NO_INPUT)
def test_technologies_that_cannot_be_read_are_named(
    path: str, place: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = path.replace("{w}", str(place))
    refused([*split(f"cost {TINY} --technology"), given], NO_INPUT[path], capsys)


def document(**changes: Any) -> str:
    return yaml.safe_dump(asdict(technology.load("osu018")) | {"units": []} | changes)


def with_least_area(**changes: Any) -> str:
    return document(least_area=asdict(technology.load("osu018").least_area) | changes)


def with_errors(**changes: Any) -> dict[str, Any]:
    return technology.load("osu018").errors | changes


NUMBER = "setup_ns must be a non-negative number, not"
#: Technology files, and what is said of them.
DAMAGED = {
    "empty": ("", "not a technology, which has the keys name, least_area"),
    "null": ("~", "not a technology"),
    "list": ("[1, 2]", "not a technology"),
    "open": ("a: [", ":2: did not find expected node content"),
    "tab": ("a:\n\t- b", ":2: found character that cannot start any token"),
    "control": ("a: \x07", "control characters are not allowed"),
    "two documents": ("--- a\n--- b", ":2: but found another document"),
    "python": ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
    "deep": ("a: " + "[" * 5000 + "]" * 5000, "exceeded maximum nesting depth"),
    "indented": ("\n".join(" " * k + "a:" for k in range(3000)), "maximum nesting depth"),
    "date": ("name: 2024-13-45", "month must be in 1..12"),
    "digits": ("name: " + "9" * 5000, "Exceeds the limit"),
    "list as key": ("[a]: b", "unhashable key"),
    "merged": ("<<: {name: x}", "could not determine a constructor"),
    "misspelt": ("clock: 1", ":1: unknown key 'clock'; did you mean 'clock_ns'?"),
    "misspelt in a set": (with_least_area(setup=1), "least_area: unknown key 'setup'; did you"),
    "missing in a set": (document(curve={"area": 1.0}), "curve: the key energy is missing"),
    "no set": (document(curve=1.0), "curve must be a mapping with area, energy"),
    "missing": ("name: x", "the key least_area is missing"),
    "twice": (document() + "name: again\n", "the key name is there twice"),
    "text": (with_least_area(setup_ns="fast"), f"{NUMBER} 'fast'"),
    "exponent": (document().replace("setup_ns: ", "setup_ns: 1e-3 #"), f"{NUMBER} '1e-3'"),
    "negative": (with_least_area(setup_ns=-1.0), f"{NUMBER} -1.0"),
    "nan": (with_least_area(setup_ns=float("nan")), f"{NUMBER} nan"),
    "infinite": (with_least_area(setup_ns=float("inf")), f"{NUMBER} inf"),
    "huge": (with_least_area(setup_ns=10**400), f"{NUMBER} 1000"),
    "boolean": (with_least_area(setup_ns=True), f"{NUMBER} True"),
    "nothing": (with_least_area(setup_ns=None), f"{NUMBER} None"),
    "short table": (
        with_least_area(area_um2={"NOT": 1.0}),
        "area_um2 must have one number for each of",
    ),
    "no table": (
        with_least_area(delay_ns=3.0),
        "delay_ns must have one number for each of NOT, XOR",
    ),
    "name": (document(name=3), "name must be up to 64 letters"),
    "path as name": (document(name="../x"), "name must be up to 64 letters"),
    "no errors": (document(errors={}), "errors: unseen_units is missing"),
    "errors as text": (document(errors="small"), "errors: unseen_units is missing"),
    "an error missing": (
        document(errors=with_errors(unseen_units={"area": {}})),
        "errors.unseen_units must have area, delay",
    ),
    "provenance": (document(provenance=3), "provenance must be a mapping, not 3"),
    "units": (document(units=3), "units must be a list, not 3"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_technologies_are_named(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, message = DAMAGED[damage]
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    refused([*split(f"cost {TINY} --technology"), str(path)], message, capsys)
    with pytest.raises(InputError, match=r"mine\.yaml"):
        technology.read(path)


def test_technologies_in_another_encoding_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"name: caf\xe9")
    refused([*split(f"cost {TINY} --technology"), str(path)], "byte 9 is not UTF-8", capsys)


def test_match_chooses_from_a_file(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = f"cost {TINY} --technology sky130 --operands {place}/matrices.npz --match dense"
    assert cli.main(split(given)) == 0
    assert "matrices.npz operands" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("{w}/none", "allowed: a folder that can be written"),
        ("{w}/file", "allowed: a folder that can be written"),
        ("/proc", "allowed: a folder that can be written"),
        ("{w}/with space", "allowed: a path of letters, digits"),
        ("{w}/$x", "allowed: a path of letters, digits"),
    ],
)
def test_an_unusable_folder_for_tools_is_named(
    folder: str,
    message: str,
    place: Path,
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = folder.replace("{w}", str(place))
    if message.startswith("allowed: a path"):
        Path(given).mkdir(exist_ok=True)
    monkeypatch.setenv("TMPDIR", given)
    monkeypatch.setattr(files.tempfile, "tempdir", None)
    icarus.version.cache_clear()
    emit._of_unit.cache_clear()
    netlist.netlist.cache_clear()
    never_mapped = TINY.replace("lanes=1", f"lanes={500 + len(folder)}")
    for command in (f"verify {TINY}", f"cost {never_mapped} --technology sky130"):
        refused(split(command), f"TMPDIR={given}: {message}", capsys)


def test_a_full_disk_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    emit.verilog(make("integer", lanes=1, weight="int2", activation="int2"))
    monkeypatch.setattr("os.fsync", full)
    name = "integer_lanes_1_weight_int2_activation_int2.v"
    words = split(f"generate {TINY} -o {tmp_path}/pe")
    refused(words, f"cannot write {tmp_path}/pe/{name}: No space left on device", capsys)
    assert list((tmp_path / "pe").iterdir()) == []


def test_a_missing_tool_exits_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert status(split(f"verify {TINY}")) == cli.MISSING_TOOL
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "apt-get install iverilog" in err


def shell(command: str) -> subprocess.CompletedProcess[str]:
    hwsim = f"{quote(sys.executable)} -m hwsim.cli"
    return subprocess.run(
        ["bash", "-c", command.replace("hwsim", hwsim, 1)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("hwsim units > /dev/full", 2, "hwsim: output: No space left on device\n"),
        ("hwsim units >&-", 2, "hwsim: the standard output is closed; send it to a file"),
        ("hwsim units | head -1 > /dev/null; exit ${PIPESTATUS[0]}", 0, ""),
        ("PYTHONIOENCODING=ascii hwsim units integer > /dev/null", 0, ""),
        ("hwsim genrate 2>&-", 2, ""),
    ],
)
def test_output_that_nobody_takes(command: str, code: int, message: str) -> None:
    done = shell(command)
    assert done.returncode == code
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") <= 1
    assert done.stdout == ""


UNIT = make("integer", lanes=1, weight="int2", activation="int2")
WRONG: tuple[Any, ...] = (None, 3, -1, 1.5, "x", [], {}, b"x", object, float("nan"))
NO_UNIT = "unit=.*: allowed: a unit, as hwsim.units.make returns it"
#: Functions of one argument, with what is said of values of the wrong type.
PYTHON: dict[str, tuple[Callable[[Any], object], str]] = {
    "make": (make, "unknown unit"),
    "make lanes": (
        lambda x: make("integer", lanes=x, weight="int2", activation="int2"),
        "lanes must be",
    ),
    "make weight": (
        lambda x: make("integer", lanes=1, weight=x, activation="int2"),
        "weight(:| must be)",
    ),
    "parse": (parse, "unknown format|name of a format"),
    "read": (sources.read, "path=.*: allowed: a path|tensors are read from"),
    "emit.write": (lambda x: emit.write(x, Path("out")), NO_UNIT),
    "emit.verilog": (emit.verilog, NO_UNIT),
    "emit.description": (lambda x: emit.description(x, ""), NO_UNIT),
    "emit.testbench": (emit.self_checking_testbench, NO_UNIT),
    "emit.testbench dots": (lambda x: emit.self_checking_testbench(UNIT, x), "dots=.*: allowed"),
    "rtl.create": (rtl.create, NO_UNIT),
    "verify": (verify, NO_UNIT),
    "verify seed": (lambda x: verify(UNIT, seed=x), "seed=.*: allowed: whole numbers from 0"),
    "verify dots": (lambda x: verify(UNIT, random_dots=x), "random_dots=.*: allowed"),
    "suite": (suite, "unknown unit"),
    "estimate": (lambda x: estimate.estimate(x, "sky130"), NO_UNIT),
    "estimate technology": (lambda x: estimate.estimate(UNIT, x), "technology"),
    "estimate technologies": (
        lambda x: estimate.estimate_all(UNIT, x),
        "technolog(y|ies)=",
    ),
    "estimate operands": (lambda x: estimate.estimate(UNIT, "sky130", x), "operands=.*: allowed"),
    "breakdown": (lambda x: breakdown.breakdown(x, "sky130"), NO_UNIT),
    "technology.load": (technology.load, "technology"),
    "technology.read": (technology.read, "technology"),
    "technology.parse": (lambda x: technology.parse(x, "f.yaml"), "f.yaml"),
    "memory.make": (lambda x: memory.make(x, {}), "unknown memory"),
    "memory.make parameters": (lambda x: memory.make("sram", x), "parameters=|sram needs"),
    "memory.sram": (lambda x: memory.sram(x, 45), "capacity=.*: allowed|outside the table"),
    "memory.sram node": (lambda x: memory.sram(8192, x), "node"),
    "memory.sram table": (lambda x: memory.sram(8192, 45, x), "unknown table"),
    "memory.register_file": (lambda x: memory.register_file(x, 10**6), "words"),
    "memory.dram": (memory.dram, "unknown DRAM"),
    "memory.contents": (memory.contents, "unknown memory"),
    "published.select": (lambda x: published.select({"node": x}), "node"),
    "operands.create": (lambda x: operands.create(UNIT, x), "operands="),
    "operands.default": (operands.default_operands, NO_UNIT),
    "operands.gaussian": (lambda x: operands.gaussian(UNIT, x, 0, 0), "dot_products=|beats="),
    "scaling.bands": (lambda x: scaling.bands(x, 45), "cost=.*: allowed"),
    "synthesize": (lambda x: synthesis.synthesize(UNIT, x), "technology|synthesis for"),
    "run_sweep": (lambda x: sweeps.run_sweep(x, Path("out")), "specification|cannot be read"),
}


#: What is right after all.
RIGHT = {
    "make lanes": ["3"],
    "emit.testbench dots": ["3"],
    "verify seed": ["3"],
    "verify dots": ["3"],
    "suite": ["None"],
    "estimate technologies": ["[]", "{}"],
    "estimate operands": ["None"],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in PYTHON for value in WRONG if repr(value) not in RIGHT.get(name, [])],
)
def test_wrong_types_in_python_are_named(name: str, value: Any, elsewhere: Path) -> None:
    function, message = PYTHON[name]
    with pytest.raises(InputError, match=message):
        function(value)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_example_of_units_generates(
    family: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["units", family]) == 0
    lines = capsys.readouterr().out.splitlines()
    command = split(lines[lines.index("For example:") + 1])
    assert command[:3] == ["hwsim", "generate", family]
    assert command[-2:] == ["-o", "pe"]
    assert cli.main([*command[1:-1], str(tmp_path / "pe")]) == 0
    assert len(list((tmp_path / "pe").iterdir())) == 3
