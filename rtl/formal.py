"""Properties of the stream protocol, proved for all inputs and all time by Yosys' SAT solver.

A monitor is put around the unit, without initial values of registers, with a reset in the first
cycle and whenever the environment likes. Temporal induction proves that it never sees anything
wrong: it starts from any state that went right for some cycles, and looks at the next one. Where
that does not do, reachability does (:mod:`rtl.reachability`).

``reset`` runs two copies of the unit side by side (:mod:`rtl.induction`). Registers with a reset
have its value after one cycle of it, from whatever state; all others hold anything, and another
thing in each copy, as after a power-up or after beats that were offered during the reset. Outputs
must not tell the copies apart. So nothing needs an initial value and nothing leaves a trace.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from hwsim.files import temporary_folder
from hwsim.units import FAMILIES, Result, UnitSpec, make
from hwsim.units.base import check_unit
from hwsim.units.stimulus import longest
from rtl import emit, yosys
from rtl.flat import PLAIN, Flat, commands
from rtl.induction import Proof, Search, last_model, read, reset_values
from rtl.reachability import Outcome, reach

#: Processor time that all proofs of a unit may take.
SECONDS = 300.0
#: Results that may be owed, one bound after the other, and the check that no more are.
_OWED, _BOUND = (1, 2, 3, 4, 6, 8), "many"
#: Beats that the accumulator of a small unit holds at least.
_SAFE_BEATS = 32
#: Small units of families whose coefficients are not fitted, or whose fitted ones wrap late.
_SMALL: dict[str, dict[str, Any]] = {
    "array": {
        "element": "integer", "rows": 2, "columns": 1, "lanes": 1, "weight": "int2",
        "activation": "int2", "accumulator_bits": 6,
    },
    "rmmec": {"modes": "posit8"},
}  # fmt: skip


class Property(StrEnum):
    """What is proved of every unit."""

    #: ``o.valid`` does not depend on ``o.ready`` in the same cycle.
    INDEPENDENT = "independent"
    #: A result that is not taken stays as it is.
    STABLE = "stable"
    #: There is one result after every beat with ``last`` that was taken, within the latency.
    CONSERVED = "conserved"
    #: A reset of one cycle forgets everything.
    RESET = "reset"
    #: It does what a sum of products does that is written plainly; of ``integer`` in one stage.
    REFERENCE = "reference"


@dataclass(frozen=True)
class Finding:
    """What came of proving one property of a unit.

    Attributes
    ----------
    unit
        Name of the unit.
    property
        The property.
    outcome
        ``proved``, ``refuted`` or ``open``.
    said
        How, or how far it got.
    seconds
        Wall-clock time.
    """

    unit: str
    property: Property
    outcome: Outcome
    said: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.unit}: {self.property}: {self.outcome}, {self.said}, {self.seconds:.1f} s"


def small(family: str) -> UnitSpec:
    """Return the unit of a family that it is proved of by default, a small one.

    Simulations of it reach the ends of its accumulator, where that has a parameter.
    """
    cls = FAMILIES[family]
    values = _SMALL.get(family, (*cls.fitting, *cls.configurations)[0])
    unit = make(family, **values)
    result = unit.result
    if "accumulator_bits" not in unit.parameters() or not isinstance(result, Result):
        return unit
    if unit.safe_beats <= longest(unit):
        return unit
    spare = (unit.safe_beats // _SAFE_BEATS).bit_length() - 1
    return make(family, **{**values, "accumulator_bits": result.width - spare})


def prove(
    unit: UnitSpec,
    text: str | None = None,
    properties: Sequence[Property] = tuple(Property),
    seconds: float = SECONDS,
) -> list[Finding]:
    """Try to prove properties of a unit.

    Parameters
    ----------
    unit
        The unit.
    text
        Verilog in the place of what is emitted for it, with the same top module.
    properties
        Which ones, by default all; those that do not apply to the unit are left out.
    seconds
        Processor time of a property, which is open then: half of it each for induction and for
        reachability, and of *conserved* for every bound on what is owed.

    Raises
    ------
    InputError
        For a ``unit`` that is none.
    rtl.yosys.YosysError
        If Yosys fails.
    """
    check_unit(unit)
    emitted = emit.verilog(unit) if text is None else text
    findings = []
    for one in properties:
        if one is Property.REFERENCE and (unit.family != "integer" or unit.stages > 1):
            continue
        started = time.perf_counter()
        with temporary_folder() as folder:
            (folder / "unit.v").write_text(emitted)
            try:
                outcome, said = _PROVE[one](_Claim(unit, emitted, folder, seconds / 2))
            except yosys.TimeOverError:
                outcome, said = Outcome.OPEN, f"more than {seconds:.0f} s of processor time"
        took = time.perf_counter() - started
        findings.append(Finding(unit.name, one, outcome, said, took))
    return findings


_Said = tuple[Outcome, str]
#: What registers hold after a reset, if both versions are to start with that.
_Values = Mapping[str, str] | None


@dataclass(frozen=True)
class _Claim:
    """A unit and its text, the folder to work in, and the time of either way to prove something."""

    unit: UnitSpec
    text: str
    folder: Path
    seconds: float

    @property
    def top(self) -> str:
        return emit.top_module(self.unit)

    def session(self) -> AbstractContextManager[yosys.Session]:
        """Return a new Yosys process."""
        return yosys.session(self.folder, self.seconds)

    def resets(self, text: str) -> dict[str, str]:
        """Return what registers of a text hold after a reset."""
        with self.session() as session:
            return reset_values(session, self.folder, text, self.top)

    def search(self, search: Callable[[Search], Proof], gold: str, values: _Values) -> Proof:
        """Search for a proof that versions do the same: a text, and the unit's own."""
        with self.session() as session:
            plain, own = (read(session, self.folder, text, self.top) for text in (gold, self.text))
            return search(Search(session, self.folder, self.unit, plain, own, values))


def _independent(claim: _Claim) -> _Said:
    with claim.session() as session:
        flat = read(session, claim.folder, claim.text, claim.top)
    if set(flat.port("o__ready")) & flat.reads("o__valid"):
        return Outcome.REFUTED, "gates lead from o.ready to o.valid"
    return Outcome.PROVED, "no gates lead from o.ready to o.valid"


def _stable(claim: _Claim) -> _Said:
    return _monitored(claim, ("changed", "withdrawn"), 1)


def _conserved(claim: _Claim) -> _Said:
    outcome, said = Outcome.OPEN, ""
    for owed in _OWED:
        outcome, said = _monitored(claim, ("surplus", "late", _BOUND, "lost"), owed)
        said = f"at most {owed} owed, {said}"
        if outcome is not Outcome.REFUTED or _BOUND not in said:
            break
    return outcome, said


def _reset(claim: _Claim) -> _Said:
    values = claim.resets(claim.text)
    return _same(claim, claim.text, values, f"{len(values)} bits with a reset, ")


def _reference(claim: _Claim) -> _Said:
    return _same(claim, plain_sum(claim.unit, claim.top))


def _same(claim: _Claim, gold: str, values: _Values = None, said: str = "") -> _Said:
    """Prove that a text and the unit's own cannot be told apart."""
    resets = [claim.resets(text) for text in (gold, claim.text)]
    for way in (Search.run, partial(Search.reach, seconds=claim.seconds, resets=resets)):
        proof = claim.search(way, gold, values)
        if proof.outcome is not Outcome.OPEN:
            break
    how = "no invariant was found" if proof.outcome is Outcome.OPEN else "by reachability"
    return proof.outcome, said + (f"depth {proof.depth}" if proof.depth else how)


def plain_sum(unit: UnitSpec, top: str) -> str:
    """Return Verilog that adds up products of integers, with the registers of the unit by name."""
    low = unit.lanes * unit.activation.bits
    products = []
    for lane in range(unit.lanes):
        factors = []
        for first, fmt in ((0, unit.activation), (low, unit.weight)):
            place = first + lane * fmt.bits
            bits = f"i__payload[{place + fmt.bits - 1}:{place}]"
            # A positive number has a sign, too.
            factors.append(f"$signed({bits})" if fmt.min < 0 else f"$signed({{1'b0, {bits}}})")
        products.append(" * ".join(factors))
    return _PLAIN_SUM.format(
        top=top, beat=unit.beat_bits, result=unit.result.bits, products=" + ".join(products)
    )


def _monitored(claim: _Claim, checks: Sequence[str], owed: int) -> _Said:
    """Prove that some wires of the monitor are never set."""
    try:
        with claim.session() as session:
            _read_monitor(claim, session, checks, owed)
            found = _by_induction(claim, session, checks)
    except yosys.TimeOverError:
        found = None
    if found is not None:
        return found
    # The bound on what is owed is there for induction alone.
    asked = [one for one in checks if one != _BOUND]
    with claim.session() as session:
        _read_monitor(claim, session, asked, owed)
        session.run(["write_json monitor.json"])
        monitor = Flat.read(claim.folder / "monitor.json", "monitor")
        outcome, cycles = reach(session, claim.folder, monitor, claim.seconds)
    if outcome is Outcome.REFUTED:
        return outcome, f"one of {', '.join(asked)} after {cycles} cycles"
    return outcome, "by reachability" if outcome is Outcome.PROVED else "no invariant was found"


def _read_monitor(claim: _Claim, session: yosys.Session, checks: Sequence[str], owed: int) -> None:
    """Have Yosys read the unit in its monitor."""
    unit = claim.unit
    held = _Held.read(claim.text)
    (claim.folder / "monitor.v").write_text(
        _MONITOR.format(
            beat=unit.beat_bits,
            result=unit.result.bits,
            top=claim.top,
            owed=owed,
            latency=_wait(unit),
            checks=", ".join(checks),
            top_check=len(checks) - 1,
            command=_command(unit),
            wires=held.wires,
            held=held.owed,
        )
    )
    session.run(
        [
            "design -reset",
            "read_verilog -sv -formal monitor.v",
            *commands("unit.v", "monitor", PLAIN),
            # Whatever registers hold first.
            "setattr -unset init w:*",
        ]
    )


def _wait(unit: UnitSpec) -> int:
    """Return the cycles that a result may take."""
    return unit.timing().latency + unit.group_interval


def _by_induction(claim: _Claim, session: yosys.Session, checks: Sequence[str]) -> _Said | None:
    """Return what induction proves or refutes, or None."""
    wait = _wait(claim.unit)
    for depth in sorted({1, 2, 4, 8, wait + 2, 2 * wait + 2}):
        session.run(
            [
                "tee -q -o sat.txt sat -tempinduct -prove bad 0 -set ok 1 -show bad "
                f"-maxsteps {depth}"
            ]
        )
        said = (claim.folder / "sat.txt").read_text()
        if "SUCCESS!" in said:
            return Outcome.PROVED, f"depth {depth}"
        if "model found for base case" in said:
            cycles, bits = last_model(said)
            # Concatenations begin with the highest bit.
            wrong = [name for name, bit in zip(checks, bits, strict=True) if bit == "1"]
            return Outcome.REFUTED, f"{', '.join(wrong)} after {cycles} cycles"
    return None


def _command(unit: UnitSpec) -> str:
    """Return what says that a beat is a command: another code in a field that has one."""
    low, terms = 0, []
    fields = {field.name: field for field in unit.metadata}
    for name, width in unit.beat_fields.items():
        if name in fields and width and len(fields[name].codes) == 1:
            terms.append(f"i__payload[{low + width - 1}:{low}] != {fields[name].codes[0]}")
        low += width
    return " || ".join(terms) or "1'b0"


@dataclass(frozen=True)
class _Held:
    """What a unit in stages holds, as the monitor sees it.

    Ranks before the sum hold beats, of which the last ones are owed for; the sum and the ranks
    behind it hold results.
    """

    names: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> "_Held":
        """Return what stands in the Verilog of a unit."""
        found = re.findall(r"^  (?:reg|wire) (rank_\d+_(?:valid|last)|sum_valid)\b", text, re.M)
        return cls(tuple(sorted({*found})))

    @property
    def wires(self) -> str:
        """Declarations of the registers, which Yosys finds inside the unit."""
        return "".join(f"  (* hierconn *) wire \\inner.{name} ;\n" for name in self.names)

    @property
    def owed(self) -> str:
        """The number of results that are owed for it."""
        # The last register's valid is that of the results; the sum's has a name of its own if
        # there are ranks behind it.
        terms = ["o__valid"]
        for name in self.names:
            rank, _, what = name.rpartition("_")
            if what == "valid":
                last = f" && \\inner.{rank}_last " if f"{rank}_last" in self.names else ""
                terms.append(f"(\\inner.{name} {last})")
        return " + ".join(terms) if len(terms) > 1 else "owes"


_PROVE = {
    Property.INDEPENDENT: _independent,
    Property.STABLE: _stable,
    Property.CONSERVED: _conserved,
    Property.RESET: _reset,
    Property.REFERENCE: _reference,
}

_PLAIN_SUM = """\
module {top}(clk, rst, i__payload, i__valid, i__ready, o__payload, o__valid, o__ready);
  input clk, rst, i__valid, o__ready;
  input [{beat}-1:0] i__payload;
  output i__ready;
  output reg o__valid;
  output reg signed [{result}-1:0] o__payload;
  reg \\accumulator.fold.first ;
  wire signed [{result}-1:0] sum = \\accumulator.fold.first ? 0 : o__payload;
  assign i__ready = !o__valid || o__ready;
  always @(posedge clk) begin
    if (o__ready) o__valid <= 0;
    if (i__valid && i__ready) begin
      o__payload <= sum + {products};
      o__valid <= i__payload[{beat}-1];
      \\accumulator.fold.first <= i__payload[{beat}-1];
    end
    if (rst) begin
      o__valid <= 0;
      \\accumulator.fold.first <= 1;
    end
  end
endmodule
"""

_MONITOR = """\
module monitor(clk, rst, i__payload, i__valid, o__ready, ok, bad);
  input clk, rst, i__valid, o__ready;
  input [{beat}-1:0] i__payload;
  output ok;
  output [{top_check}:0] bad;
  wire i__ready, o__valid;
  wire [{result}-1:0] o__payload;
  {top} inner(.clk(clk), .rst(rst),
    .i__payload(i__payload), .i__valid(i__valid), .i__ready(i__ready),
    .o__payload(o__payload), .o__valid(o__valid), .o__ready(o__ready));

  // The environment resets first, holds what it offers, and ends nothing with a command.
  reg waits;
  reg [{beat}-1:0] held;
  wire last = i__payload[{beat}-1];
  assign ok = (!$initstate || rst) && (!waits || i__valid && i__payload == held)
    && !(last && ({command}));

  // A result that is not taken.
  reg stalled;
  reg [{result}-1:0] offered;
  wire withdrawn = !rst && stalled && !o__valid;
  wire changed = !rst && stalled && o__valid && o__payload != offered;

  // What registers between the stages hold.
{wires}
  // Results that are owed for beats that were taken, and for how long none is offered.
  reg [7:0] owes;
  reg [7:0] waiting;
  wire begun = i__valid && i__ready && last;
  wire given = o__valid && o__ready;
  wire none = owes != 0 && !o__valid;
  wire surplus = !rst && o__valid && owes == 0;
  wire many = !rst && owes > {owed};
  wire late = !rst && none && waiting >= {latency};
  wire [7:0] inside = {held};
  wire lost = !rst && owes != inside;

  always @(posedge clk) begin
    waits <= i__valid && !i__ready && !rst;
    held <= i__payload;
    stalled <= o__valid && !o__ready && !rst;
    offered <= o__payload;
    owes <= rst ? 0 : owes + begun - given;
    waiting <= rst || !none ? 0 : waiting + 1;
  end

  assign bad = {{{checks}}};
endmodule
"""
