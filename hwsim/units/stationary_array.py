"""An array that keeps weights, or activations, while the other operand and sums pass by.

Rows lie along the inputs: an element keeps ``lanes`` codes of one output (weight-stationary) or of
one token (input-stationary), multiplies them with ``lanes`` codes of the streamed operand, and adds
the sum that comes from the element above. Below the last row, a column's sum is one of ``rows`` x
``lanes`` products. Only sums that can be taken apart anywhere are exact that way, so elements are
those whose results are exact integers or fixed-point numbers, and that take a beat a cycle.

Such an array has words in the place of beats. A word may bring a row of the stationary operand
(``load``; the first row first), and codes of the streamed one to be multiplied (``compute``). With
``buffering=double`` an element has two registers for what it keeps: rows are loaded into one while
the other is used, and a word with ``swap`` is the last that uses the old one. With
``buffering=single`` the words that load lie between.

What is kept for many words is a *fold*; :meth:`StationaryArray.fold_words` lays them out. Words
with ``last`` end a sum, and what comes after adds to a new one: with all words marked, the partial
sums of folds along the inputs leave one by one, to be added where outputs are stored.

A dot product of :meth:`~hwsim.units.base.UnitSpec.dot` brings its own stationary operand in every
beat, so that a beat is ``rows`` words that load and one that computes: the worst case, which
verification runs. ``hwsim cost array`` quotes it, too: throughput and energy per product are of an
array that loads its stationary operand before every beat. ``hwsim simulate`` counts a load a fold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwsim.errors import InputError
from hwsim.formats.base import Codes
from hwsim.units.array import ArrayUnit, Buffering, Dataflow
from hwsim.units.base import StoredWeights, Timing, UnitSpec, pack_fields
from hwsim.units.layers import Matrix, Rows
from hwsim.units.metadata import Metadata
from hwsim.units.operands import Operands
from hwsim.units.result import Integers, Result, join

#: Fields of a word besides operands and ``last``.
CONTROL = ("load", "compute", "swap")
#: Cycles from a word to its result in an array of one element: product, sum.
LATENCY = 2


@dataclass(frozen=True, kw_only=True, repr=False)
class StationaryArray(ArrayUnit):
    """``rows`` elements along the inputs, ``columns`` stationary outputs or tokens.

    Parameters are those of :class:`~hwsim.units.array.ArrayUnit`.
    """

    generator: ClassVar[str] = "rtl.stationary_array:StationaryArray"

    def __post_init__(self) -> None:
        super().__post_init__()
        one = self.processing_element
        timing = one.timing()
        for reason, holds in (
            ("its results are no exact sums", one.is_exact and isinstance(one.result, Result)),
            ("its results have exponents", not getattr(one.result, "exponent_bits", 0)),
            ("its beats take more than a cycle", (timing.latency, timing.interval) == (1, 1)),
            ("its beats have metadata", not one.metadata),
            ("it is a tile", one.tile_shape == (1, 1)),
        ):
            if not holds:
                raise InputError(
                    f"dataflow={self.dataflow}: element={self.element} cannot hand its sums on, as "
                    f"{reason}; allowed: output_stationary, or units of exact integers and "
                    "fixed-point numbers that take a beat a cycle"
                )

    @property
    def keeps_weights(self) -> bool:
        """Whether weights are stationary, or else activations."""
        return self.dataflow is Dataflow.WEIGHT_STATIONARY

    @property
    def row_lanes(self) -> int:
        """Inputs of a word: those of all rows."""
        return self.rows * self.lanes

    @property
    def activation_lanes(self) -> int:
        return self.row_lanes * self.tile_shape[0]

    @property
    def weight_lanes(self) -> int:
        return self.row_lanes * self.tile_shape[1]

    @property
    def tile_shape(self) -> tuple[int, int]:
        return (1, self.columns) if self.keeps_weights else (self.columns, 1)

    @property
    def metadata(self) -> tuple[Metadata, ...]:
        return ()

    @property
    def stored_weights(self) -> StoredWeights:
        # Of a word.
        count = self.columns if self.keeps_weights else self.rows
        return StoredWeights(count * self.lanes, self.weight.bits)

    @property
    def words_per_beat(self) -> int:
        return self.rows + 1

    @property
    def beat_fields(self) -> dict[str, int]:
        word = {Dataflow.WEIGHT_STATIONARY: (self.rows, self.columns)}
        activations, weights = word.get(self.dataflow, (self.columns, self.rows))
        return {
            "activations": activations * self.lanes * self.activation.bits,
            "weights": weights * self.lanes * self.weight.bits,
            **dict.fromkeys(CONTROL, 1),
            "last": 1,
        }

    def _dot(self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]) -> Integers:
        a, w = self._tiles(activations, 0), self._tiles(weights, 1)
        shape = (*activations.shape[:-1], *self.tile_shape, a.shape[-2] * a.shape[-1])
        codes = self.processing_element._dot(
            np.broadcast_to(a.reshape(*a.shape[:-3], a.shape[-3], 1, -1), shape),
            np.broadcast_to(w.reshape(*w.shape[:-3], 1, w.shape[-3], -1), shape),
            {},
        )
        if self.columns == 1:
            return codes[..., 0, 0]
        return join(codes, self.processing_element.result.bits, self.tile_shape)

    def _tiles(self, codes: Codes, side: int) -> Codes:
        """Return codes of shape (..., length) as (..., side of the tile, beats, row_lanes)."""
        apart = codes.reshape(*codes.shape[:-1], -1, self.tile_shape[side], self.row_lanes)
        return np.moveaxis(apart, -2, -3)

    def _words(
        self, activations: Codes, weights: Codes, metadata: Mapping[str, Codes]
    ) -> list[int]:
        words: list[int] = []
        last = 1 << (self.beat_bits - 1)
        for a, w in zip(activations, weights, strict=True):
            kept, streamed = (w, a) if self.keeps_weights else (a, w)
            folds = np.moveaxis(self._tiles(kept, int(self.keeps_weights)), -3, -2)
            own = self.fold_words(folds, streamed.reshape(-1, 1, self.row_lanes), hide=False)
            # One sum.
            words += [*(word & (last - 1) for word in own[:-1]), own[-1]]
        return words

    def ignored(self, operands: Operands) -> list[list[int]]:
        masks, low = {}, 0
        for name, width in self.beat_fields.items():
            masks[name] = ((1 << width) - 1) << low
            low += width
        names = ("activations", "weights")
        streamed, kept = names if self.keeps_weights else names[::-1]
        # A word that does not compute ends no sum.
        unused = {
            "compute": masks[streamed] | masks["last"],
            "load": masks[kept],
        }
        return [
            [sum(bits for name, bits in unused.items() if not word & masks[name]) for word in words]
            for words in self.words(operands)
        ]

    def fold_words(self, stationary: Codes, streamed: Codes, hide: bool = True) -> list[int]:
        """Return the words of folds, every one that computes with ``last``.

        Parameters
        ----------
        stationary
            Codes of shape (folds, columns, rows * lanes).
        streamed
            Codes of shape (folds, words of a fold, rows * lanes).
        hide
            With ``buffering=double``, whether the next fold is loaded by words that compute.

        Returns
        -------
        list of int
            Words with as many results as ``streamed`` has rows, in their order.
        """
        double = self.buffering is Buffering.DOUBLE
        hide = hide and double
        folds, count = len(streamed), streamed.shape[1]
        # Fold f is loaded in the turn before its own.
        turns: list[tuple[int | None, int | None]] = []
        for fold in range(folds):
            if fold == 0 or not hide:
                turns.append((None, fold))
            turns.append((fold, fold + 1 if hide and fold + 1 < folds else None))
        rows = []
        for used, loaded in turns:
            length = max(count if used is not None else 0, self.rows if loaded is not None else 0)
            part = np.zeros(length, self._word_type)
            if used is not None:
                part["streamed"][:count] = streamed[used]
                part["compute"][:count] = part["last"][:count] = 1
            if loaded is not None:
                kept = stationary[loaded].reshape(self.columns, self.rows, self.lanes)
                part["kept"][: self.rows] = kept.transpose(1, 0, 2).reshape(self.rows, -1)
                part["load"][: self.rows] = 1
                part["swap"][-1] = double
            rows.append(part)
        words = np.concatenate(rows)
        names = ("streamed", "kept") if self.keeps_weights else ("kept", "streamed")
        columns = [words[name] for name in (*names, *CONTROL, "last")]
        bits = (self.activation.bits, self.weight.bits, 1, 1, 1, 1)
        return pack_fields(columns, bits)

    @property
    def _word_type(self) -> Any:
        kept = (np.int64, (self.columns * self.lanes,))
        fields = [("streamed", np.int64, (self.row_lanes,)), ("kept", *kept)]
        return np.dtype([*fields, *((name, np.int64, (1,)) for name in (*CONTROL, "last"))])

    # A beat holds operands as a unit's does, and not those of many elements.
    values_per_beat = UnitSpec.values_per_beat
    encode_operands = UnitSpec.encode_operands
    store_weights = UnitSpec.store_weights

    def _timing(self) -> Timing:
        interval = self.words_per_beat
        return Timing(latency=interval - 1 + self.skew + LATENCY, interval=interval)

    @property
    def steady_beats(self) -> int:
        return 1

    # Layers.

    def _activation_rows(self, matrix: Matrix, length: int) -> Rows:
        return self._plain_rows(matrix, length, self.activation)

    def _weight_rows(self, matrix: Matrix, length: int) -> Rows:
        return self._plain_rows(matrix, length, self.weight)

    @property
    def dot_lanes(self) -> int:
        return self.row_lanes
