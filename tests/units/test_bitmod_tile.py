import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.units import make
from hwsim.units.stimulus import random_codes


def test_every_element_is_a_bitmod_unit() -> None:
    parameters = {"lanes": 2, "activation": "e4m3", "group_size": 24}
    one = make("bitmod", **parameters)
    tile = make("bitmod_tile", row_count=2, column_count=3, **parameters)
    a, w, metadata = random_codes(tile, 5, 15, np.random.default_rng(0))
    values = tile.result.decode(tile.dot(a, w, **metadata))
    assert values.shape == (5, 2, 3)
    rows = a.reshape(5, 15, 2, 2)
    columns = w.reshape(5, 15, 3, 2)
    for row in range(2):
        for column in range(3):
            codes = one.dot(
                rows[:, :, row].reshape(5, -1),
                columns[:, :, column].reshape(5, -1),
                weight_type=metadata["weight_type"],
                program=metadata["program"],
                selector=metadata[f"selector_{column}"],
                scale=metadata[f"scale_{column}"],
            )
            np.testing.assert_array_equal(values[:, row, column], one.result.decode(codes))


def test_a_tile_multiplies_rows_by_columns() -> None:
    tile = make("bitmod_tile", lanes=4, activation="fp16", row_count=4, column_count=8)
    assert tile.macs_per_beat == 128
    assert tile.beat_fields["activations"] == 4 * 4 * 16
    assert tile.beat_fields["weights"] == 8 * 4 * 8


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"row_count": 0}, "row_count must be 1 to 64, not 0"),
        ({"column_count": 65}, "column_count must be 1 to 64, not 65"),
        ({"row_count": 16, "group_size": 64}, "group_size must be a multiple of lanes=4 from 84"),
    ],
)
def test_bad_parameters(parameters: dict[str, int], message: str) -> None:
    given = {"lanes": 4, "activation": "fp16", "row_count": 2, "column_count": 2} | parameters
    with pytest.raises(InputError, match=message):
        make("bitmod_tile", **given)
