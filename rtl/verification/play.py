"""Plays beats through the emitted Verilog without a stall, and counts the cycles it takes.

What :mod:`rtl.verification.run` proves is a unit's; here whole products run, tile after tile, so
the testbench is plain Verilog, which Icarus runs many times faster than one in Python. Verilator
runs it hundreds of times faster again, once it is built.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hwsim.errors import InputError, ToolError, check_known
from hwsim.files import temporary_folder
from hwsim.units import UnitSpec
from hwsim.units.base import check_unit
from rtl import Unit, emit, icarus, verilator

#: Cycles without a transfer after which a unit counts as stuck.
_PATIENCE = 1000


@dataclass(frozen=True)
class Played:
    """What came of a stream of beats.

    Attributes
    ----------
    results
        Result codes.
    cycles
        From the one in which the first beat is offered to the one in which the last result is
        taken, both included.
    """

    results: list[int]
    cycles: int


def play(
    unit: UnitSpec,
    streams: Sequence[Sequence[int]],
    component: Unit | None = None,
    pauses: tuple[int, int] = (0, 0),
    simulator: str = "icarus",
) -> list[Played]:
    """Run streams of beats through the emitted Verilog of ``unit``, each after a reset.

    Parameters
    ----------
    unit
        The unit.
    streams
        Words of beats, see :meth:`hwsim.units.base.UnitSpec.words`, the last one marked ``last``.
    component
        Hardware in the place of ``rtl.create(unit)``.
    pauses
        Of 8 cycles, in how many no beat is offered and in how many no result is taken, at random;
        simulators draw different ones.
    simulator
        ``icarus`` or ``verilator``.

    Raises
    ------
    InputError
        For a ``unit`` that is none, streams without beats, and an unknown simulator.
    MissingToolError, ToolError
        If the simulator is not installed or fails, or the unit is stuck.
    """
    check_unit(unit)
    check_known("simulator", simulator, _SIMULATE)
    if not streams or not all(streams):
        raise InputError("streams: allowed: one or more, of one or more beats")
    last = 1 << (unit.beat_bits - 1)
    counts = [sum(word >= last for word in words) for words in streams]
    with temporary_folder() as folder:
        (folder / "unit.v").write_text(emit.verilog(unit, component))
        (folder / "beats.hex").write_text(
            "".join(f"{word:x}\n" for words in streams for word in words)
        )
        (folder / "counts.hex").write_text(
            "".join(f"{len(words):x} {n:x}\n" for words, n in zip(streams, counts, strict=True))
        )
        (folder / "bench.v").write_text(
            _BENCH.format(
                top=emit.top_module(unit),
                beat_msb=unit.beat_bits - 1,
                result_msb=unit.result.bits - 1,
                beats=sum(map(len, streams)),
                streams=len(streams),
                patience=_PATIENCE + unit.timing().latency,
                input_pause=pauses[0],
                output_pause=pauses[1],
            )
        )
        said = _SIMULATE[simulator](folder)
    return _read(said, counts)


def _icarus(folder: Path) -> str:
    compiler, runner = icarus.find()
    icarus.run([compiler, "-g2012", "-o", "bench.vvp", "unit.v", "bench.v"], folder)
    return icarus.run([runner, "-n", "bench.vvp"], folder)


def _verilator(folder: Path) -> str:
    return verilator.simulate("bench", ["unit.v", "bench.v"], folder)


_SIMULATE = {"icarus": _icarus, "verilator": _verilator}


def _read(said: str, counts: Sequence[int]) -> list[Played]:
    """Return what the testbench printed: results, then the cycles of a stream."""
    played: list[Played] = []
    results: list[int] = []
    for line in said.splitlines():
        if line.startswith("R "):
            results.append(int(line[2:], 16))
        elif line.startswith("C "):
            played.append(Played(results, int(line[2:])))
            results = []
        else:
            raise ToolError(f"the simulation says {line!r}")
    if [len(one.results) for one in played] != [*counts]:
        raise ToolError("the simulation is cut short")
    return played


_BENCH = """\
module bench;
  reg [{beat_msb}:0] beats [0:{beats}-1];
  reg [31:0] counts [0:2*{streams}-1];
  reg clk = 0;
  reg rst = 1;
  reg [{beat_msb}:0] beat = 0;
  reg offered = 0;
  wire ready;
  wire [{result_msb}:0] result;
  wire valid;
  reg taking = 0;
  reg taken = 0;

  {top} dut (
    .clk(clk), .rst(rst),
    .i__payload(beat), .i__valid(offered), .i__ready(ready),
    .o__payload(result), .o__valid(valid), .o__ready(taking)
  );

  always #5 clk = ~clk;

  integer stream, sent, received, cycle, idle;
  integer first = 0;
  integer seed = 1;

  task drive(input integer next);
    begin
      if (!offered && next < counts[2*stream] && $unsigned($random(seed)) % 8 >= {input_pause})
      begin
        beat = beats[first + next];
        offered = 1;
      end
      taking = $unsigned($random(seed)) % 8 >= {output_pause};
    end
  endtask

  initial begin
    $readmemh("beats.hex", beats);
    $readmemh("counts.hex", counts);
    for (stream = 0; stream < {streams}; stream = stream + 1) begin
      rst = 1; offered = 0; taking = 0;
      @(posedge clk); @(posedge clk); #1 rst = 0;
      sent = 0; received = 0; cycle = 0; idle = 0;
      drive(0);
      while (sent < counts[2*stream] || received < counts[2*stream+1]) begin
        // Just before the edge.
        #8;
        if (^{{ready, valid}} === 1'bx) begin
          $display("an undefined handshake in cycle %0d", cycle); $finish;
        end
        cycle = cycle + 1; idle = idle + 1;
        if (valid && taking) begin
          $display("R %h", result);
          received = received + 1; idle = 0;
        end
        taken = offered && ready;
        if (taken) begin
          sent = sent + 1; idle = 0;
        end
        if (idle > {patience}) begin
          $display("no transfer in %0d cycles of stream %0d", idle, stream); $finish;
        end
        @(posedge clk); #1;
        if (taken) offered = 0;
        drive(sent);
      end
      $display("C %0d", cycle);
      first = first + counts[2*stream];
    end
    $finish;
  end
endmodule
"""
