"""Verilog of a unit, its description as JSON, and a testbench that needs nothing but a simulator.

The text is that of Yosys, made repeatable: the same unit gives the same bytes. Yosys starts
combinational ``always`` blocks with a register that is initialised where it is declared; under
SystemVerilog rules that happens before the block can notice, and outputs stay undefined until an
input moves. Here the register is set by an ``initial`` block at the end of the module instead,
which works under -g2005 and -g2012 alike.
"""

import hashlib
import json
import os
import re
import shlex
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.back import rtlil

from hwsim import __version__, files
from hwsim.errors import InputError
from hwsim.numbers import whole
from hwsim.units import Scope, UnitSpec
from hwsim.units.base import check_unit
from hwsim.units.rounded_stimulus import directed
from hwsim.units.stimulus import corner_mix, corners, extremes, random_codes
from rtl import Unit, create, yosys
from rtl.base import ports
from rtl.in_order import in_order
from rtl.once import once
from rtl.player import PATIENCE, Kind, Script, Sink, Step, player
from rtl.verilog import HandMade

_TRIGGER = re.compile(r"  reg (\\\$auto\$verilog_backend\S+) +(= 0;)\n")
#: Between the name of a module and that of its submodule.
_BELOW = "___"
#: How files of a unit begin; what begins otherwise is not replaced.
_FIRST_LINE = "// {name}\n"
_DESCRIPTION_START = '{{\n  "name": "{name}",\n'

#: Seed of the vectors in an emitted testbench.
TESTBENCH_SEED = 1


def verilog(unit: UnitSpec, component: Unit | None = None) -> str:
    """Return the Verilog of ``unit``, top module :func:`top_module`.

    ``component`` is hardware to emit in the place of ``rtl.create(unit)``, with the same ports.
    Raises InputError for a ``unit`` that is none.
    """
    check_unit(unit)
    return _of_unit(unit) if component is None else _of_component(unit, component)


@lru_cache(maxsize=16)
def _of_unit(unit: UnitSpec) -> str:
    if isinstance(unit, HandMade):
        return f"{_banner(unit)}// {unit.verilog.label}\n{unit.verilog.text}"
    return _of_component(unit, create(unit if unit.writes_stages else replace(unit, stages=1)))


def _of_component(unit: UnitSpec, component: Unit) -> str:
    text = once(rtlil.convert(component, name=unit.name, emit_src=False))
    if unit.stages > 1 and not unit.writes_stages:
        # SciPy takes longer to import than most units to emit.
        from rtl.pipeline import pipelined

        text = pipelined(text, unit.name, unit.stages, unit.turns)
    names = ("generator", "top", "src", "amaranth.hierarchy", "amaranth.decoding", "hdlname")
    attributes = " ".join(f"-remove {name}" for name in names)
    with files.temporary_folder() as folder:
        (folder / "unit.il").write_text(text)
        yosys.run(
            [
                "read_rtlil unit.il",
                "proc -nomux -norom",
                "memory_collect",
                # Amaranth names every field of a port again; nothing reads those names.
                "opt_clean -purge",
                f"attrmap {attributes}",
                f"attrmap -modattr {attributes}",
                "write_verilog -norename unit.v",
            ],
            folder,
        )
        return _banner(unit) + in_order(_tidy((folder / "unit.v").read_text(), unit.name))


def _tidy(text: str, name: str) -> str:
    """Drop the tool's own header and names, and start combinational blocks portably."""
    body = text[text.index("\n\n") :].lstrip("\n")
    modules = []
    for module in re.split(r"(?<=\nendmodule\n)", body):
        trigger = _TRIGGER.search(module)
        if trigger:
            module = module.replace(trigger[0], "  reg _comb_init;\n")
            module = module.replace(f"{trigger[1]} )", "_comb_init)")
            module = module.replace("\nendmodule", "\n  initial _comb_init = 0;\nendmodule")
        modules.append(module)
    # Submodules are called "\top.sub "; give them plain names. No unit's name has so many "_" in a
    # row, so modules of different units have different names.
    plain = re.compile(rf"\\{name}\.([\w.]+) ")
    return plain.sub(
        lambda found: f"{name}{_BELOW}{found[1].replace('.', _BELOW)} ", "".join(modules)
    )


def command(unit: UnitSpec) -> str:
    """Return the command that generates ``unit``, or verifies Verilog of its own."""
    given = {key: value for key, value in unit.parameters().items() if value is not None}
    parameters = " ".join(f"{key}={value}" for key, value in given.items())
    if isinstance(unit, HandMade):
        own = " ".join(map(shlex.quote, unit.verilog.names))
        return f"hwsim verify {unit.family} {parameters} --verilog {own} --top {unit.verilog.top}"
    return f"hwsim generate {unit.family} {parameters}"


def _banner(unit: UnitSpec) -> str:
    timing = unit.timing()
    fields = ", ".join(f"{name} [{high}:{low}]" for name, low, high in _beat_fields(unit))
    groups = "".join(f"// {line}\n" for line in _group_notes(unit))
    interval = f"{timing.interval}"
    if timing.min_interval != timing.interval:
        interval = f"{timing.min_interval} to {timing.interval}"
    return (
        f"{_FIRST_LINE.format(name=unit.name)}"
        f"// {command(unit)}\n"
        f"// hwsim {__version__}, Yosys {yosys.version()}. Licence: the output is yours.\n"
        f"// i__payload: {fields}; lane 0 lowest\n"
        f"{groups}"
        f"// latency {timing.latency}, initiation interval {interval} cycles\n"
        # Verilog's own rules of extension and truncation are meant everywhere, and every block
        # assigns a default before it looks at cases.
        "/* verilator lint_off WIDTHEXPAND */\n/* verilator lint_off WIDTHTRUNC */\n"
        "/* verilator lint_off CASEINCOMPLETE */\n\n"
    )


def _group_notes(unit: UnitSpec) -> list[str]:
    group = f"{unit.group_beats} beats" if unit.group_beats else "all beats of a dot product"
    read_in = {
        Scope.GROUP: f"the last beat of a group of {group}",
        Scope.DOT: "the first beat of a dot product",
    }
    notes = []
    for scope, beat in read_in.items():
        names = [field.name for field in unit.metadata if field.scope is scope]
        if names:
            notes.append(f"{', '.join(names)}: read in {beat}")
    return notes


def top_module(unit: UnitSpec) -> str:
    """Return the name of the module that is the unit."""
    return unit.verilog.top if isinstance(unit, HandMade) else unit.name


def _beat_fields(unit: UnitSpec) -> list[tuple[str, int, int]]:
    fields, low = [], 0
    for name, width in unit.beat_fields.items():
        if width:
            fields.append((name, low, low + width - 1))
        low += width
    return fields


def _metadata(unit: UnitSpec) -> list[dict[str, Any]]:
    return [
        {
            "field": field.name,
            "format": field.format.name,
            "scope": field.scope,
            "lowest": field.codes[0],
            "highest": field.codes[-1],
        }
        for field in unit.metadata
    ]


def description(unit: UnitSpec, text: str) -> dict[str, Any]:
    """Return what a user of the Verilog ``text`` needs to know, as plain data for JSON.

    Raises InputError for a ``unit`` that is none.
    """
    check_unit(unit)
    timing = unit.timing()
    return {
        "name": unit.name,
        "command": command(unit),
        "unit": unit.family,
        "parameters": unit.parameters(),
        "ports": [
            {"name": name, "direction": direction, "bits": bits, "meaning": meaning}
            for name, direction, bits, meaning in ports(unit)
        ],
        "beat": [
            {"field": name, "low": low, "high": high} for name, low, high in _beat_fields(unit)
        ],
        "metadata": _metadata(unit),
        "group_beats": unit.group_beats,
        "result": unit.result.describe(),
        "latency_cycles": timing.latency,
        "interval_cycles": timing.interval,
        "min_interval_cycles": timing.min_interval,
        "safe_beats": unit.safe_beats,
        "versions": {
            "hwsim": __version__,
            "amaranth": installed("amaranth"),
            "yosys": yosys.version(),
        },
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def self_checking_testbench(unit: UnitSpec, dots: int = 64) -> str:
    """Return a self-checking testbench with vectors from the golden model.

    It applies corner pairs alone in a lane and in all lanes, sums that run to either end of the
    accumulator, and ``dots`` random dot products of 1 to 4 beats, some of 17 and some longer than
    two groups where the unit has groups; with pauses and stalls on both sides, short and long, with
    resets in the middle, and with junk wherever nothing counts. It prints ``PASS`` with the number
    of results, and ends with a non-zero status (``$fatal``) on a wrong, undefined, missing or
    surplus result.

    Raises InputError for a ``unit`` that is none, and fewer than 1 dot product.
    """
    check_unit(unit)
    whole("dots", dots, 1)
    script = _script(unit, dots)
    steps = [*script.steps, Step(Kind.END)]
    beats = [step.word for step in steps if step.has_word]
    expected = [code for segment in script.segments for code in segment.expected]
    return _FIRST_LINES.format(name=unit.name) + player(
        unit,
        name=f"{unit.name}_tb",
        top=top_module(unit),
        patience=PATIENCE + unit.timing().latency,
        running="1",
        declarations=_MEMORIES.format(
            steps=len(steps),
            beats=len(beats),
            results=len(expected),
            beat_msb=unit.beat_bits - 1,
            result_msb=unit.result.bits - 1,
            data="\n".join(
                (
                    _memory("steps", 32, [step.code for step in steps]),
                    _memory("beats", unit.beat_bits, beats),
                    _memory("expected", unit.result.bits, expected),
                )
            ),
        ),
        fetch=_FETCH,
        deliver=_COMPARE,
        log_beat="",
        log_start="",
        log_segment="          first = left;",
        log_limit="          limit = left;",
        failed=_FAILED,
        ended=_ENDED.format(name=unit.name),
    )


def _script(unit: UnitSpec, dots: int) -> Script:
    """Return what the self-checking testbench does."""
    rng = np.random.default_rng(TESTBENCH_SEED)
    group = unit.group_beats or 1
    script = Script(unit, rng)
    script.start()
    script.dots(corners(unit, rng))
    script.dots(corner_mix(unit, 16, 1, rng), *extremes(unit, rng, _LONG))
    for sink, amount, pause in ((Sink.COIN, 2, 0.25), (Sink.PATIENT, 1, 0.0)):
        script.sink(sink, amount)
        count = -(-dots // 8)
        stimuli = [random_codes(unit, count, beats, rng) for beats in (1, 2, 3, 4)]
        stimuli.append(random_codes(unit, 1, 17, rng))
        if unit.group_beats:
            stimuli.append(random_codes(unit, 2, 2 * group + 1, rng))
        script.dots(*stimuli, pause=pause, mixed=True)
    # One beat right after many.
    script.dots(random_codes(unit, 1, _LONG, rng), random_codes(unit, 2, 1, rng))
    rounded = directed(unit, -(-dots // 4), rng)
    if rounded is not None:
        script.dots(rounded)
    script.sink(Sink.PATIENT, _STALL)
    script.dots(random_codes(unit, 3, 2, rng))
    script.drain()
    script.sink(Sink.READY)
    # Resets while a beat is offered, in the middle of a sum or before its result was taken.
    latency = unit.timing().latency
    for k in range(9):
        taken = k // 3 != 2
        script.sink(Sink.READY if taken else Sink.NEVER)
        script.dots(random_codes(unit, 1, 1, rng))
        beats = min(k, group) if taken else 0
        script.begin(random_codes(unit, 1, beats + 2, rng), beats, latency * k * (k % 2))
        (words,) = unit.words(random_codes(unit, 1, 2, rng))
        script.reset(1 + k, (None, words[-1], words[0])[k % 3], cut=True)
        script.sink(Sink.READY)
        script.dots(random_codes(unit, 1, group + 1, rng), random_codes(unit, 1, 1, rng))
        script.drain()
    for words, golden in unit.programs(rng)[:2]:
        script.load(words, golden)
        script.dots(random_codes(unit, dots, 1, rng))
        script.drain()
        script.reset(2)
        script.dots(random_codes(unit, dots, 1, rng))
        script.drain()
    # Nothing may come by itself.
    script.idle(_PAUSE)
    script.dots(random_codes(unit, 2, 2, rng))
    script.drain()
    script.idle(20)
    return script


#: Beats of the longest dot products in a testbench, cycles of a long stall and of a long pause.
_LONG, _STALL, _PAUSE = 64, 40, 250


def _memory(name: str, bits: int, words: list[int]) -> str:
    return "\n".join(f"    {name}[{k}] = {bits}'h{word:x};" for k, word in enumerate(words))


def texts(unit: UnitSpec) -> dict[str, str]:
    """Return the text of ``<name>.v``, ``<name>.json`` and ``<name>_tb.v`` by these names.

    Raises InputError for a ``unit`` that is none.
    """
    text = verilog(unit)
    return {
        f"{unit.name}.v": text,
        f"{unit.name}.json": json.dumps(description(unit, text), indent=2) + "\n",
        f"{unit.name}_tb.v": self_checking_testbench(unit),
    }


def write(unit: UnitSpec, folder: Path, force: bool = False) -> list[Path]:
    """Write ``<name>.v``, ``<name>.json`` and ``<name>_tb.v`` into a folder.

    The folder is made if it is missing, and may hold other files, such as other units. A file that
    is there with the same text stays; one with another text is replaced with ``force`` only, and
    only if hwsim wrote it for a unit of this name.

    Returns the paths of the three files.

    Raises
    ------
    InputError
        For a ``unit`` that is none, a folder that cannot be used, and a file that may not be
        replaced; then nothing is written.
    """
    check_unit(unit)
    folder = files.as_path("folder", folder)
    files.make_folder(folder)
    made = {folder / name: text for name, text in texts(unit).items()}
    others = [path for path, content in made.items() if not _holds(path, content)]
    for path in others:
        if os.path.lexists(path):
            _check_replaceable(path, unit.name, force)
    for path in others:
        files.write_text(path, made[path])
    return list(made)


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _check_replaceable(path: Path, name: str, force: bool) -> None:
    """Raise InputError for a file in the way, unless it is one of hwsim's and ``force`` is set."""
    start = b""
    if path.is_file() and not path.is_symlink():
        with path.open("rb") as file:
            start = file.read(4096)
    beginnings = (_FIRST_LINE, _DESCRIPTION_START, _FIRST_LINES.partition("{name}")[0] + "{name}:")
    if not start.startswith(tuple(text.format(name=name).encode() for text in beginnings)):
        raise InputError(
            f"{path} exists and was not written by hwsim; remove it, or choose another folder"
        )
    if not force:
        raise InputError(
            f"{path} exists and differs from what would be written; --force (in Python force=True) "
            "replaces it"
        )


_FIRST_LINES = """\
// Self-checking testbench of {name}: iverilog -g2012 {name}.v {name}_tb.v && vvp a.out

"""

_MEMORIES = """\
  // Steps of the script, their beats, and the results.
  reg [31:0] steps [0:{steps}-1];
  reg [{beat_msb}:0] beats [0:{beats}-1];
  reg [{result_msb}:0] expected [0:{results}-1];
  integer step = 0;
  integer beat = 0;
  integer total = 0;
  integer first = 0;
  integer limit = 0;

  initial begin
{data}
  end
"""

_FETCH = """\
      code = steps[step];
      step = step + 1;
      if (code[31:28] == 1 || code[31:28] == 2 || (code[31:28] == 3 && code[24])) begin
        word = beats[beat];
        beat = beat + 1;
      end"""

_COMPARE = """\
          if (received == limit) begin
            $display("FAIL: surplus result %h", seen);
            $fatal(1);
          end else if (seen !== expected[first + received]) begin
            $display("FAIL: result %0d is %h, expected %h", first + received, seen,
                     expected[first + received]);
            $fatal(1);
          end
          total = total + 1;"""

_FAILED = """\
      $display("FAIL: %0s in cycle %0d", message, cycle);
      $fatal(1);"""

_ENDED = """\
          $display("PASS: %0d results of {name}", total);
          $finish;"""
