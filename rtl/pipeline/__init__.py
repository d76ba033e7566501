"""Pipeline registers in the data path of any unit, where they make the longest path shortest.

A unit is written as one stage: a beat goes through a data path into registers that carry sums from
beat to beat, and on to the result. Ranks of registers before it and behind it only delay its
streams. They are moved into the data path by retiming (Leiserson and Saxe, Retiming synchronous
circuitry, Algorithmica 6, 1991): a value that depends on a beat alone is the same before a rank and
after it, whatever computes it. So results, their order and the protocol stay; the latency grows by
one cycle a rank, and a beat a cycle passes as before.

A register that depends on itself, such as a sum over the beats, stays within one stage with its
whole loop, which limits the clock. Where several loops follow one another, as the sum of a block
and the sum of blocks, each may have its own stage: a stage knows by its own valid and ready when a
beat passes it.

A rounded sum's loop is its whole addition. Where beats go to K sums in turn
(``interleaved_sums=K``), a sum is read by a beat when the beat K before has left the last stage, so
reading and replacing may lie K - 1 ranks apart: the addition is spread over K stages.

1. :mod:`rtl.pipeline.graph` reads the unit's cells as a graph of delays, estimated by word.
2. :mod:`rtl.pipeline.schedule` finds the shortest period, and of the cuts that meet it those with
   the fewest registers, by a minimum cut.
3. :mod:`rtl.pipeline.ranks` writes the registers, and the valid and ready of every stage.

Cost: a flip-flop for every bit that crosses a rank, and its valid.
"""

from rtl.pipeline.ranks import pipelined

__all__ = ["pipelined"]
