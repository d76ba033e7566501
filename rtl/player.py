"""A player of beats in Verilog: what every testbench here drives a unit with.

The player works off a *script*, step by step: offer this beat after so many cycles, reset for so
many, take results in this way from now on, wait until so many have come. Nothing of it is in
Python, so a simulation runs at the simulator's speed. At every rising edge it looks at what the
unit shows, as the edge itself does, and fails where an output is undefined, where a result changes
or goes away before it was taken, where one is offered after a reset, and where nothing moves.

While no beat is offered, ``i__payload`` holds junk that moves, or X; so do the fields
of a beat that are to be ignored (:meth:`hwsim.units.base.UnitSpec.ignored`).

Where steps come from and what becomes of results is added to the text: files, which
:mod:`rtl.verification` writes and reads, or memories of the self-checking testbench.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from hwsim.units import UnitSpec
from hwsim.units.operands import Operands

#: Cycles without a transfer after which the unit counts as hung, besides its latency.
PATIENCE = 1000


class Kind(IntEnum):
    """What a step does; its amount is a number of cycles but where said otherwise."""

    END = 0
    #: Offer a beat until it is taken; amount: cycles before.
    BEAT = 1
    #: Offer a beat for so many cycles, taken or not; a reset must follow.
    CUT = 2
    #: Reset for so many cycles.
    RESET = 3
    #: Wait until amount results of this segment have been taken.
    DRAIN = 4
    #: Offer nothing for so many cycles.
    IDLE = 5
    #: How results are taken from now on: option is a Sink.
    SINK = 6
    #: Count cycles from here, the next one 0.
    START = 7
    #: What comes next is a new segment, whose first result is the expected one number amount.
    SEGMENT = 8
    #: The segment has amount results.
    LIMIT = 9


class Sink(IntEnum):
    """When results are taken."""

    #: At once.
    READY = 0
    #: In a cycle with a probability of 1 - amount / 8.
    COIN = 1
    #: Not ready before a result has been offered for amount cycles: valid must not wait for ready.
    PATIENT = 2
    #: At once, but from time to time not for amount cycles.
    STALLING = 3
    #: Not at all.
    NEVER = 4


#: Options of steps. A beat: not all of its bits are defined, a word with those follows.
UNDEFINED = 1
#: A reset: offer a beat meanwhile; be ready for results meanwhile.
OFFER, READY = 1, 2
#: A start: beats that are taken are logged; the bus is undefined, not junk, while it is idle.
LOG, IDLE_X = 1, 2


class Step(NamedTuple):
    """One step of a script; ``word`` is a beat, ``unknown`` its undefined bits."""

    kind: Kind
    amount: int = 0
    option: int = 0
    word: int = 0
    unknown: int = 0

    @property
    def code(self) -> int:
        """Kind, option and amount as 32 bits."""
        return self.kind << 28 | self.option << 24 | self.amount

    @property
    def has_word(self) -> bool:
        """Whether a beat belongs to it."""
        return self.kind in (Kind.BEAT, Kind.CUT) or (
            self.kind is Kind.RESET and bool(self.option & OFFER)
        )


@dataclass
class Segment:
    """What happens between two resets.

    Attributes
    ----------
    expected, rows
        Result codes in order, and the operands of each.
    cut
        Whether a reset ends it, so that results at its end may be lost.
    """

    expected: list[int] = field(default_factory=list)
    rows: list[tuple[Operands, int]] = field(default_factory=list)
    cut: bool = False


class Script:
    """Steps for one unit, and the results that they must give.

    Parameters
    ----------
    unit
        The unit; dot products are those of its golden model.
    rng
        Of junk and pauses.
    undefined
        Whether what counts for nothing is X instead of junk.
    """

    def __init__(self, unit: UnitSpec, rng: np.random.Generator, undefined: bool = False) -> None:
        self.unit = unit
        self.golden = unit
        self.rng = rng
        self.undefined = undefined
        self.steps: list[Step] = []
        self.segments: list[Segment] = []
        self._bits = unit.beat_bits
        self.reset(2)

    def reset(
        self, cycles: int, offered: int | None = None, ready: bool = False, cut: bool = False
    ) -> None:
        """Reset, and forget what was under way; ``offered`` is a beat on the bus meanwhile.

        ``cut``: results of before may not have been taken.
        """
        if self.segments:
            self.segments[-1].cut = cut
        option = (offered is not None) * OFFER + ready * READY
        self.steps += [
            Step(Kind.RESET, cycles, option, offered or 0),
            Step(Kind.SEGMENT, sum(len(one.expected) for one in self.segments)),
            Step(Kind.LIMIT),
        ]
        self._limit = len(self.steps) - 1
        self.segments.append(Segment())
        self.golden = self.unit

    def start(self, log: bool = False) -> None:
        """Count cycles from here."""
        self.steps.append(Step(Kind.START, 0, log * LOG + self.undefined * IDLE_X))

    def sink(self, sink: Sink, amount: int = 0) -> None:
        """Take results like this from now on."""
        self.steps.append(Step(Kind.SINK, amount, sink))

    def idle(self, cycles: int) -> None:
        """Offer nothing for some cycles."""
        self.steps.append(Step(Kind.IDLE, cycles))

    def drain(self) -> None:
        """Wait until all results have been taken."""
        self.steps.append(Step(Kind.DRAIN, len(self.segments[-1].expected)))

    def load(self, words: Sequence[int], golden: UnitSpec) -> None:
        """Offer beats that are no part of a dot product; ``golden`` is the model after them."""
        self.steps += [Step(Kind.BEAT, 0, 0, word) for word in words]
        self.golden = golden

    def dots(
        self,
        *stimuli: Operands,
        pause: float = 0.0,
        mixed: bool = False,
        between: Sequence[int] = (),
    ) -> None:
        """Offer dot products, in random order if they are ``mixed``.

        ``pause`` is the probability of a cycle without an offer, before every beat; ``between`` are
        words that follow the first one of every dot product.
        """
        found: list[tuple[tuple[Operands, int], int, list[int], list[int]]] = []
        for stimulus in stimuli:
            codes = _results(self.golden, stimulus)
            words, masks = self.unit.words(stimulus), self.unit.ignored(stimulus)
            rows = [(stimulus, row) for row in range(stimulus.count)]
            found += zip(rows, codes, words, masks, strict=True)
        order = self.rng.permutation(len(found)) if mixed else range(len(found))
        segment = self.segments[-1]
        for k in order:
            row, code, own, ignored = found[k]
            segment.rows.append(row)
            segment.expected.append(code)
            gaps = self.rng.geometric(1 - pause, len(own)) - 1 if pause else [0] * len(own)
            beats = [
                self._beat(word, mask, int(gap))
                for word, mask, gap in zip(own, ignored, gaps, strict=True)
            ]
            others = [Step(Kind.BEAT, 0, 0, word) for word in between]
            self.steps += [*beats[:1], *others, *beats[1:]]
        self.steps[self._limit] = Step(Kind.LIMIT, len(segment.expected))

    def begin(self, stimulus: Operands, beats: int, cycles: int) -> None:
        """Offer some beats of one dot product, and the next for some cycles only, or none for 0.

        A reset must follow.
        """
        ((words, masks),) = zip(self.unit.words(stimulus), self.unit.ignored(stimulus), strict=True)
        self.steps += [
            self._beat(word, mask, 0)
            for word, mask in zip(words[:beats], masks[:beats], strict=True)
        ]
        if cycles:
            self.steps.append(Step(Kind.CUT, cycles, 0, words[beats]))

    def _beat(self, word: int, mask: int, gap: int) -> Step:
        if not mask:
            return Step(Kind.BEAT, gap, 0, word)
        if self.undefined:
            return Step(Kind.BEAT, gap, UNDEFINED, word, mask)
        return Step(Kind.BEAT, gap, 0, word ^ (self.junk() & mask))

    def junk(self) -> int:
        """Return a random word."""
        size = (self._bits + 7) // 8
        return int.from_bytes(self.rng.bytes(size), "little") & ((1 << self._bits) - 1)

    def text(self) -> str:
        """Return the steps as the player with files reads them."""
        lines = []
        for step in self.steps:
            line = f"{step.code:x}"
            if step.has_word:
                line += f" {step.word:x}"
                if step.kind is Kind.BEAT and step.option & UNDEFINED:
                    line += f" {step.unknown:x}"
            lines.append(line)
        return "\n".join([*lines, f"{Step(Kind.END).code:x}\n"])


def _results(unit: UnitSpec, stimulus: Operands) -> list[int]:
    """Return the result codes, in parts: compiled loops take seconds to load."""
    found: list[int] = []
    for first in range(0, stimulus.count, _AT_ONCE):
        part = stimulus.take(slice(first, first + _AT_ONCE))
        found += map(int, unit.dot(part.activations, part.weights, **part.metadata))
    return found


#: Dot products that the golden model computes at once.
_AT_ONCE = 1 << 14


def player(unit: UnitSpec, name: str, top: str, patience: int, **parts: str) -> str:
    """Return the module ``name``, a player around ``top``.

    ``parts``: ``declarations``; the statements ``fetch`` (set ``code``, and ``word`` and
    ``unknown`` where the step has them), ``deliver`` (a result was taken: ``seen``, number
    ``received`` of the segment), ``log_beat``, ``log_start``, ``log_segment``, ``failed`` (of
    ``message``), and ``ended``.
    """
    return _PLAYER.format(
        name=name,
        top=top,
        beat=unit.beat_bits,
        result=unit.result.bits,
        words=-(-unit.beat_bits // 32),
        patience=patience,
        **parts,
    )


_PLAYER = """\
module {name};
  localparam BEAT = {beat};
  localparam RESULT = {result};

  reg clk = 0;
  reg rst = 0;
  reg [BEAT-1:0] i__payload = 0;
  reg i__valid = 0;
  wire i__ready;
  wire [RESULT-1:0] o__payload;
  wire o__valid;
  reg o__ready = 0;

  {top} dut (
    .clk(clk), .rst(rst),
    .i__payload(i__payload), .i__valid(i__valid), .i__ready(i__ready),
    .o__payload(o__payload), .o__valid(o__valid), .o__ready(o__ready)
  );

  always #5 clk = ~clk;

  // What the source does, beside the kinds of steps.
  localparam FETCH = 0, OFFER = 1, WAIT = 2;

  reg running = {running};
  integer state = FETCH;
  integer cycle = 0;
  integer waited = 0;
  integer left = 0;
  integer received = 0;
  integer offered = 0;
  integer held = 0;
  integer sink = 0;
  integer sink_amount = 0;
  integer stalled = 0;
  integer quiet = 0;
  integer kind = 0;
  integer after = 0;
  integer k;
  reg [31:0] code = 0;
  reg [31:0] random = 32'h2545f491;
  reg [BEAT-1:0] word = 0;
  reg [BEAT-1:0] unknown = 0;
  reg [32*{words}-1:0] junk = 0;
  reg [RESULT-1:0] seen = 0;
  reg [8*64-1:0] message = 0;
  reg pending = 0;
  reg known = 0;
  reg taken = 0;
  reg offer = 0;
  reg reset = 0;
  reg ready = 0;
  reg was_reset = 0;
  reg logging = 0;
  reg idle_x = 0;
{declarations}

  task draw;
    begin
      random = random ^ (random << 13);
      random = random ^ (random >> 17);
      random = random ^ (random << 5);
    end
  endtask

  task fail;
    begin
      running = 0;
{failed}
    end
  endtask

  // Outputs are looked at as they are at the rising edge, and inputs move just after it.
  always @(posedge clk) if (running) begin
    cycle = cycle + 1;
    waited = waited + 1;
    taken = 0;
    // Before the first reset, outputs may be undefined.
    if (rst) begin
      pending = 0; known = 1;
    end else if (known) begin
      // Of an undefined bus that offers nothing, ready may be undefined.
      if (o__valid === 1'bx || ((i__valid || !idle_x) && i__ready === 1'bx)) begin
        message = "an undefined handshake"; fail;
      end else if (o__valid) begin
        if (was_reset) begin
          message = "a result is offered after reset"; fail;
        end
        if (!pending) begin
          pending = 1; seen = o__payload; offered = cycle; held = 0;
          if ((^o__payload) === 1'bx) begin
            message = "an undefined result"; fail;
          end
        end else if (o__payload !== seen) begin
          message = "a result changed before it was taken"; fail;
        end
        held = held + 1;
        if (o__ready) begin
{deliver}
          received = received + 1;
          pending = 0;
          waited = 0;
        end
      end else if (pending) begin
        message = "a result was withdrawn before it was taken"; fail;
      end
      taken = i__valid && i__ready === 1'b1;
      if (taken) begin
        waited = 0;
        if (logging) begin
{log_beat}
        end
      end
    end
    was_reset = rst;
    // A sink that stalls, a reset and a pause are nobody's fault.
    if (rst || (o__valid && !o__ready && held < {patience})) waited = 0;
    if (state != OFFER && !(state == WAIT && kind == 4)) waited = 0;
    if (waited > {patience}) begin
      message = "no transfer in {patience} cycles"; fail;
    end

    // The source.
    draw;
    reset = rst;
    offer = i__valid && !taken;
    if (state == OFFER && taken) state = FETCH;
    else if (state == WAIT) begin
      left = left - 1;
      if (kind == 4 ? received >= after : left <= 0) begin
        if (kind == 1) begin
          state = OFFER; offer = 1;
        end else begin
          state = FETCH;
          if (kind == 3) begin
            reset = 0; offer = 0;
          end
        end
      end
    end
    while (running && state == FETCH) begin
{fetch}
      kind = code[31:28];
      left = code[23:0];
      case (kind)
        1: begin
          state = left == 0 ? OFFER : WAIT;
          offer = left == 0;
        end
        2: begin
          state = WAIT; offer = 1;
        end
        3: begin
          state = WAIT; offer = code[24]; reset = 1; pending = 0;
        end
        4: begin
          after = left;
          if (received < after) state = WAIT;
        end
        5: if (left != 0) state = WAIT;
        6: begin
          sink = code[27:24]; sink_amount = left; stalled = 0;
        end
        7: begin
          cycle = -1; waited = 0; logging = code[24]; idle_x = code[25];
{log_start}
        end
        8: begin
          received = 0;
{log_segment}
        end
        9: begin
{log_limit}
        end
        default: begin
          running = 0;
{ended}
        end
      endcase
    end
    // Junk moves in every cycle of a short pause, and now and then in a long one.
    quiet = offer ? 0 : quiet + 1;
    rst <= reset;
    i__valid <= offer;
    if (offer) i__payload <= word ^ (unknown & {{BEAT{{1'bx}}}});
    else if (idle_x) i__payload <= {{BEAT{{1'bx}}}};
    else if (quiet < 6 || random[3:0] == 0) begin
      for (k = 0; k < {words}; k = k + 1) begin
        draw;
        junk[32*k +: 32] = random;
      end
      i__payload <= junk[BEAT-1:0];
    end

    // The sink.
    if (stalled > 0) stalled = stalled - 1;
    else if (sink == 3 && random[31:27] == 0) stalled = sink_amount;
    case (sink)
      1: ready = random[26:24] >= sink_amount;
      2: ready = pending && held >= sink_amount;
      3: ready = stalled == 0;
      4: ready = 0;
      default: ready = 1;
    endcase
    if (reset && kind == 3) ready = code[25];
    o__ready <= ready;
  end
endmodule
"""
