"""Faults that any unit can have, as Verilog around the unit itself.

A kind replaces some of the connections between the ports and the unit, and may add registers. So
it applies to whatever speaks the stream protocol, and says in a few lines what is wrong.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hwsim.units import Result, Scope, UnitSpec
from hwsim.units.stimulus import corner_mix

#: The module that is inside.
INNER = "unmutated"
#: Beats, stalls and idle cycles after which something goes wrong.
RESTART_BEATS, LONG_BEATS, STALLED, IDLE, WAITING = 16, 32, 32, 200, 8
#: Operand pairs of a lane, in bits, up to which one pair alone may be wrong.
PAIR_BITS = 12


@dataclass(frozen=True)
class Around:
    """What is wrong around a unit.

    Attributes
    ----------
    change
        What it is, in words.
    given
        Expressions in the place of connections, see ``_CONNECTIONS``.
    body
        Declarations and ``always`` blocks that these expressions need.
    """

    change: str
    given: Mapping[str, str]
    body: str = ""


#: Connections by name: what the unit gets, and what the ports get.
_CONNECTIONS = {
    "reset": "rst",
    "beat": "i__payload",
    "beat_valid": "i__valid",
    "taken": "o__ready",
    "ready": "inner_ready",
    "valid": "inner_valid",
    "result": "inner_result",
}

Kind = Callable[[UnitSpec, np.random.Generator], Around | None]


def text(unit: UnitSpec, top: str, around: Around) -> str:
    """Return the module ``top`` with a unit ``INNER`` inside."""
    given = {**_CONNECTIONS, **around.given}
    lines = "".join(f"  {line}\n" for line in around.body.strip().splitlines())
    return (
        f"module {top}(clk, rst, i__payload, i__valid, i__ready, o__payload, o__valid, o__ready);\n"
        "  input clk, rst, i__valid, o__ready;\n"
        f"  input [{unit.beat_bits - 1}:0] i__payload;\n"
        "  output i__ready, o__valid;\n"
        f"  output [{unit.result.bits - 1}:0] o__payload;\n"
        "  wire inner_ready, inner_valid;\n"
        f"  wire [{unit.result.bits - 1}:0] inner_result;\n"
        f"{lines}"
        f"  {INNER} inner(.clk(clk), .rst({given['reset']}), .i__payload({given['beat']}),\n"
        f"    .i__valid({given['beat_valid']}), .i__ready(inner_ready),\n"
        f"    .o__payload(inner_result), .o__valid(inner_valid), .o__ready({given['taken']}));\n"
        f"  assign i__ready = {given['ready']};\n"
        f"  assign o__valid = {given['valid']};\n"
        f"  assign o__payload = {given['result']};\n"
        "endmodule\n"
    )


def _at_edge(*lines: str) -> str:
    return "always @(posedge clk) begin\n" + "".join(f"  {line}\n" for line in lines) + "end"


def _last(unit: UnitSpec) -> str:
    return f"i__payload[{unit.beat_bits - 1}]"


def _flip(condition: str, word: str, bit: int = 0) -> str:
    """Return a word with a bit that is inverted while a condition of one bit holds."""
    return f"{word} ^ (({condition}) << {bit})"


def _places(unit: UnitSpec) -> dict[str, tuple[int, int]]:
    """Return the lowest bit and the width of every field of a beat."""
    places, low = {}, 0
    for name, width in unit.beat_fields.items():
        places[name] = low, width
        low += width
    return places


def _plain_lanes(unit: UnitSpec) -> bool:
    """Whether lane k of a beat has activation k and weight k, one code each."""
    stored = unit.stored_weights
    return (
        unit.activation_lanes == unit.lanes == unit.weight_lanes == stored.count
        and stored.bits == unit.weight.bits
        and unit.words_per_beat == 1
    )


def _valid_waits(unit: UnitSpec, rng: np.random.Generator) -> Around:
    return Around("o.valid waits for o.ready", {"valid": "inner_valid & o__ready"})


def _ready_waits(unit: UnitSpec, rng: np.random.Generator) -> Around:
    return Around(
        "i.ready waits for o.ready",
        {"ready": "inner_ready & o__ready", "beat_valid": "i__valid & o__ready"},
    )


def _valid_withdrawn(unit: UnitSpec, rng: np.random.Generator) -> Around:
    return Around(
        "o.valid falls for a cycle after one in which the result is not taken",
        {"valid": "inner_valid & ~stalled", "taken": "o__ready & ~stalled"},
        "reg stalled = 0;\n" + _at_edge("stalled <= inner_valid & ~o__ready & ~stalled & ~rst;"),
    )


def _result_changes(unit: UnitSpec, rng: np.random.Generator) -> Around:
    return Around(
        "o.payload changes while the result is not taken",
        {"result": _flip("stalled", "inner_result")},
        "reg stalled = 0;\n" + _at_edge("stalled <= inner_valid & ~o__ready & ~rst;"),
    )


def _result_dropped(unit: UnitSpec, rng: np.random.Generator) -> Around:
    return Around(
        f"a result is dropped after {STALLED} stalled cycles",
        {"valid": "inner_valid & ~drop", "taken": "o__ready | drop"},
        "reg [31:0] stalled = 0;\n"
        f"wire drop = stalled == {STALLED};\n"
        + _at_edge("stalled <= inner_valid & ~o__ready & ~drop & ~rst ? stalled + 1 : 0;"),
    )


def _second_result(unit: UnitSpec, rng: np.random.Generator) -> Around:
    return Around(
        f"the last result comes again after {IDLE} idle cycles",
        {
            "valid": "inner_valid | again",
            "result": "again ? kept : inner_result",
            "taken": "o__ready & ~again",
        },
        f"reg [31:0] idle = 0;\nreg had = 0;\nreg [{unit.result.bits - 1}:0] kept = 0;\n"
        f"wire again = idle == {IDLE};\n"
        + _at_edge(
            "if (inner_valid & o__ready & ~again) begin had <= 1; kept <= inner_result; end",
            "if (again & o__ready | rst) had <= 0;",
            "if (rst | (again ? o__ready : i__valid | inner_valid | ~had)) idle <= 0;",
            "else if (!again) idle <= idle + 1;",
        ),
    )


def _adds_up(unit: UnitSpec) -> bool:
    """Return whether beats before the last one have a part in results, as far as is known."""
    drawn = corner_mix(unit, 32, 2, np.random.default_rng(0))
    if drawn.metadata:
        return True
    lasts = drawn.activations[:, unit.activation_lanes :], drawn.weights[:, unit.weight_lanes :]
    return bool((unit.dot(drawn.activations, drawn.weights) != unit.dot(*lasts)).any())


def _restart(unit: UnitSpec, rng: np.random.Generator) -> Around | None:
    if unit.words_per_beat != 1 or not _adds_up(unit):
        return None
    bits = unit.beat_bits
    return Around(
        f"the sum starts again after {RESTART_BEATS} beats",
        {
            "beat": f"i__payload | (full << {bits - 1})",
            "valid": "inner_valid & ~swallow",
            "taken": "o__ready | swallow",
        },
        "reg [31:0] beats = 0, ends = 0, results = 0, hidden = 0;\nreg hides = 0;\n"
        f"wire full = beats == {RESTART_BEATS - 1};\n"
        "wire swallow = inner_valid & hides & (results == hidden);\n"
        + _at_edge(
            "if (i__valid & inner_ready) begin",
            f"  beats <= full | {_last(unit)} ? 0 : beats + 1;",
            f"  if (full | {_last(unit)}) ends <= ends + 1;",
            f"  if (full & ~{_last(unit)}) begin hides <= 1; hidden <= ends; end",
            "end",
            "if (inner_valid & (o__ready | swallow)) results <= results + 1;",
            "if (swallow) hides <= 0;",
            "if (rst) begin beats <= 0; ends <= 0; results <= 0; hides <= 0; end",
        ),
    )


def _after_long(unit: UnitSpec, rng: np.random.Generator) -> Around:
    return Around(
        f"a dot product of one beat is wrong right after one of {LONG_BEATS} or more",
        {"beat": _flip(f"long & {_last(unit)} & (beats == 0)", "i__payload")},
        "reg [31:0] beats = 0;\nreg long = 0;\n"
        + _at_edge(
            "if (i__valid & inner_ready) begin",
            f"  beats <= {_last(unit)} ? 0 : beats + 1;",
            f"  if ({_last(unit)}) long <= beats >= {LONG_BEATS - 1};",
            "end",
            "if (rst) begin beats <= 0; long <= 0; end",
        ),
    )


def _taken_in_reset(unit: UnitSpec, rng: np.random.Generator) -> Around:
    return Around(
        "a beat that is offered during reset is taken",
        {
            "beat": "got ? kept : i__payload",
            "beat_valid": "i__valid | got",
            "ready": "inner_ready & ~got",
        },
        f"reg got = 0;\nreg [{unit.beat_bits - 1}:0] kept = 0;\n"
        + _at_edge(
            "if (rst) begin got <= i__valid; kept <= i__payload; end",
            "else if (inner_ready) got <= 0;",
        ),
    )


def _offer_beats_reset(unit: UnitSpec, rng: np.random.Generator) -> Around:
    return Around("reset does nothing while a beat is offered", {"reset": "rst & ~i__valid"})


def _result_beats_reset(unit: UnitSpec, rng: np.random.Generator) -> Around:
    return Around("reset does nothing while a result is offered", {"reset": "rst & ~inner_valid"})


def _short_reset(unit: UnitSpec, rng: np.random.Generator) -> Around:
    return Around(
        "a reset of one cycle does nothing",
        {"reset": "rst & was"},
        "reg was = 0;\n" + _at_edge("was <= rst;"),
    )


def _taken_twice(unit: UnitSpec, rng: np.random.Generator) -> Around:
    return Around(
        f"a beat is taken twice after it has waited for {WAITING} cycles",
        {"ready": "inner_ready & ~twice"},
        "reg [31:0] waits = 0;\n"
        f"wire twice = waits == {WAITING};\n"
        + _at_edge(
            f"waits <= i__valid & ~(inner_ready & ~twice) & ~rst & waits <= {WAITING}",
            f"  ? (waits == {WAITING} & ~inner_ready ? waits : waits + 1) : 0;",
        ),
    )


def _late(unit: UnitSpec, rng: np.random.Generator) -> Around:
    return Around(
        "a result waits for a cycle",
        {"valid": "inner_valid & waited", "taken": "o__ready & waited"},
        "reg waited = 0;\n" + _at_edge("waited <= inner_valid & ~(waited & o__ready) & ~rst;"),
    )


def _idle_junk(unit: UnitSpec, rng: np.random.Generator) -> Around:
    return Around(
        "what is on an idle bus changes the next beat",
        {"beat": _flip("junk", "i__payload")},
        "reg junk = 0;\n"
        + _at_edge("if (rst | i__valid & inner_ready) junk <= 0;",
                   "else if (~i__valid) junk <= ^i__payload;"),
    )  # fmt: skip


def _one_pair(unit: UnitSpec, rng: np.random.Generator) -> Around | None:
    a, w = unit.activation.bits, unit.weight.bits
    if not _plain_lanes(unit) or a + w > PAIR_BITS:
        return None
    lane = int(rng.integers(unit.lanes))
    pair = _nonzero(unit, rng)
    if pair is None:
        return None
    low, high = lane * a, _places(unit)["weights"][0] + lane * w
    wrong = (
        f"(i__payload[{low + a - 1}:{low}] == {pair[0]}) & "
        f"(i__payload[{high + w - 1}:{high}] == {pair[1]})"
    )
    return Around(
        f"activation {pair[0]} times weight {pair[1]} is wrong in lane {lane}",
        {"beat": _flip(wrong, "i__payload", low)},
    )


def _nonzero(unit: UnitSpec, rng: np.random.Generator) -> tuple[int, int] | None:
    """Return a pair of codes whose product another lowest bit of the activation changes."""
    weights = np.setdiff1d(np.arange(1 << unit.weight.bits), unit.refused_weights)
    for _ in range(64):
        activation, weight = int(rng.integers(1 << unit.activation.bits)), int(rng.choice(weights))
        values = unit.activation.decode(np.array([activation, activation ^ 1]))
        factor = float(unit.weight.decode(np.array([weight]))[0])
        if values[0] * factor != values[1] * factor and np.isfinite([*values, factor]).all():
            return activation, weight
    return None


def _all_extreme(unit: UnitSpec, rng: np.random.Generator) -> Around | None:
    if not _plain_lanes(unit):
        return None
    ends = [
        int(fmt.encode(np.array([value]))[0])
        for fmt in (unit.activation, unit.weight)
        for value in (fmt.min, fmt.max)
    ]
    choices = [(ends[0], ends[2]), (ends[0], ends[3]), (ends[1], ends[2]), (ends[1], ends[3])]
    activation, weight = choices[int(rng.integers(4))]
    low = _places(unit)["weights"][0]
    fields = [
        (0, unit.activation.bits, activation),
        (low, unit.weight.bits, weight),
    ]
    same = " & ".join(
        f"(i__payload[{first + unit.lanes * bits - 1}:{first}] == "
        f"{{{unit.lanes}{{{bits}'d{code}}}}})"
        for first, bits, code in fields
    )
    return Around(
        f"activation {activation} times weight {weight} in all lanes at once is wrong",
        {"beat": _flip(same, "i__payload")},
    )


def _neighbour(unit: UnitSpec, rng: np.random.Generator) -> Around | None:
    bits = unit.activation.bits
    if not _plain_lanes(unit) or unit.lanes < 2:
        return None
    lane = int(rng.integers(unit.lanes - 1))
    low, high = lane * bits, (lane + 1) * bits
    return Around(
        f"lane {lane} takes the activation of lane {lane + 1}",
        {
            "beat": f"{{i__payload[{unit.beat_bits - 1}:{high}], "
            f"i__payload[{high + bits - 1}:{high}]"
            + (f", i__payload[{low - 1}:0]}}" if low else "}"),
        },
    )


def _ignored_field(unit: UnitSpec, rng: np.random.Generator) -> Around | None:
    fields = [field for field in unit.metadata if field.scope is not Scope.BEAT]
    if not fields or unit.words_per_beat != 1 or unit.group_beats == 1:
        return None
    field = fields[int(rng.integers(len(fields)))]
    low, _ = _places(unit)[field.name]
    if field.scope is Scope.DOT:
        counts = "beats == 0"
    else:
        counts = _last(unit)
        if unit.group_beats:
            counts += f" | (beats == {unit.group_beats - 1})"
    return Around(
        f"{field.name} of a beat in which it is ignored changes the next that counts",
        {"beat": _flip("seen & counts", "i__payload", low)},
        f"reg [31:0] beats = 0;\nreg seen = 0;\nwire counts = {counts};\n"
        + _at_edge(
            "if (i__valid & inner_ready) begin",
            f"  beats <= {_last(unit)} | (beats == {(unit.group_beats or 1 << 30) - 1})",
            "    ? 0 : beats + 1;" if unit.group_beats else "    ? 0 : beats | 1;",
            f"  seen <= ~(counts) & (seen | i__payload[{low}]);",
            "end",
            "if (rst) begin beats <= 0; seen <= 0; end",
        ),
    )


def _flag(unit: UnitSpec, rng: np.random.Generator) -> tuple[str, int] | None:
    """Return name and place of a flag of the result, if it has any."""
    result = unit.result
    if not isinstance(result, Result) or result.shape or not result.flags:
        return None
    k = int(rng.integers(len(result.flags)))
    return result.flags[k], result.width + k


def _sticky_flag(unit: UnitSpec, rng: np.random.Generator) -> Around | None:
    if (flag := _flag(unit, rng)) is None:
        return None
    name, bit = flag
    return Around(
        f"the flag {name} stays set in the next result",
        {"result": f"inner_result | (flag << {bit})"},
        "reg flag = 0;\n"
        + _at_edge(f"if (inner_valid & o__ready) flag <= inner_result[{bit}];",
                   "if (rst) flag <= 0;"),
    )  # fmt: skip


def _lost_flag(unit: UnitSpec, rng: np.random.Generator) -> Around | None:
    if (flag := _flag(unit, rng)) is None:
        return None
    name, bit = flag
    mask = (1 << unit.result.bits) - 1 - (1 << bit)
    return Around(
        f"the flag {name} is never set",
        {"result": f"inner_result & {unit.result.bits}'h{mask:x}"},
    )


#: Kinds by name.
KINDS: Mapping[str, Kind] = {
    kind.__name__[1:]: kind
    for kind in (
        _valid_waits,
        _ready_waits,
        _valid_withdrawn,
        _result_changes,
        _result_dropped,
        _second_result,
        _restart,
        _after_long,
        _taken_in_reset,
        _offer_beats_reset,
        _result_beats_reset,
        _short_reset,
        _taken_twice,
        _late,
        _idle_junk,
        _one_pair,
        _all_extreme,
        _neighbour,
        _ignored_field,
        _sticky_flag,
        _lost_flag,
    )
}
