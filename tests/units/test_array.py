"""Arrays of units: parameters, beats, results and what is refused."""

import copy
import pickle
from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.units import FAMILIES, make
from hwsim.units.array import ArrayUnit
from hwsim.units.stationary_array import StationaryArray
from hwsim.units.stimulus import random_codes
from tests.units.layers import LAYER_UNITS

INTEGER = {"element": "integer", "lanes": 2, "weight": "int4", "activation": "int8"}
RNG = np.random.default_rng(0)
WEIGHTS, ACTIVATIONS = RNG.standard_normal((4, 128)) * 0.03, RNG.standard_normal((3, 128)) * 2


def test_the_elements_parameters_are_the_arrays():
    unit = make("array", **INTEGER, rows="2", columns=3, accumulator_bits=20)
    assert unit == ArrayUnit(**INTEGER, rows=2, columns=3, accumulator_bits=20)
    assert unit.processing_element == make(
        "integer", lanes=2, weight="int4", activation="int8", accumulator_bits=20
    )
    assert unit.name == (
        "array_lanes_2_weight_int4_activation_int8_element_integer_rows_2_columns_3_"
        "accumulator_bits_20"
    )
    for again in (pickle.loads(pickle.dumps(unit)), copy.deepcopy(unit)):
        assert again == unit
        assert type(again) is type(unit)
    assert replace(unit, rows=4).skew == 5
    assert unit.beat_fields == {"activations": 32, "weights": 24, "last": 1}


def test_names_tell_arrays_apart():
    units = [
        make("array", **INTEGER, rows=rows, columns=columns, links=links, dataflow=flow)
        for rows, columns in combinations_with_replacement((1, 2, 3), 2)
        for links in ("systolic", "broadcast")
        for flow in ("output_stationary", "weight_stationary", "input_stationary")
    ]
    assert len({unit.name for unit in units}) == len(units)


@pytest.mark.parametrize(("family", "parameters"), LAYER_UNITS)
def test_an_array_of_any_unit_computes_the_same_layer(family, parameters):
    if family == "array":
        return
    single = make(family, **parameters)
    unit = make("array", element=family, rows=2, columns=3, **parameters)
    assert make("array", **unit.parameters()) == unit
    np.testing.assert_array_equal(
        unit.matmul(WEIGHTS, ACTIVATIONS), single.matmul(WEIGHTS, ACTIVATIONS)
    )


def test_an_element_gets_the_operands_and_metadata_of_its_row_and_column():
    unit = make(
        "array", element="mx_dot", rows=2, columns=3, lanes=8, weight="mxfp4", activation="mxfp4"
    )
    drawn = random_codes(unit, 5, 8, RNG)
    codes = unit.dot(drawn.activations, drawn.weights, **drawn.metadata)
    bits = unit.processing_element.result.bits
    a = drawn.activations.reshape(5, 8, 2, 8)
    w = drawn.weights.reshape(5, 8, 3, 8)
    for row in range(2):
        for column in range(3):
            alone = unit.processing_element.dot(
                a[:, :, row].reshape(5, -1), w[:, :, column].reshape(5, -1),
                activation_scale=drawn.metadata[f"activation_scale_{row}"],
                weight_scale=drawn.metadata[f"weight_scale_{column}"],
            )  # fmt: skip
            here = [int(code) >> (bits * (3 * row + column)) & ((1 << bits) - 1) for code in codes]
            assert here == [int(code) for code in alone]


@pytest.mark.parametrize("flow", ["weight_stationary", "input_stationary"])
def test_sums_handed_on_are_those_of_the_product(flow):
    unit = make("array", **INTEGER, rows=3, columns=2, dataflow=flow)
    a, w = RNG.integers(-9, 10, (5, 23)), RNG.integers(-7, 8, (4, 23))
    operands = unit.operands(w.astype(float), a.astype(float), group=23)
    # Quantised, but in steps of one number a row.
    single = make("integer", lanes=2, weight="int4", activation="int8")
    np.testing.assert_array_equal(unit.matmul(w, a, group=23), single.matmul(w, a, group=23))
    assert operands.activations.shape[1] % (3 * 2) == 0


def test_stationary_arrays_wrap_and_keep_flags():
    unit = make(
        "array", element="float", rows=2, columns=2, lanes=1, weight="e5m2", activation="e5m2",
        dataflow="weight_stationary",
    )  # fmt: skip
    assert isinstance(unit, StationaryArray)
    drawn = random_codes(unit, 64, 3, RNG)
    codes = unit.dot(drawn.activations, drawn.weights)
    assert unit.result.flag(codes, "nan").any()
    narrow = make("array", **INTEGER, rows=2, columns=2, accumulator_bits=12,
                  dataflow="input_stationary")  # fmt: skip
    drawn = random_codes(narrow, 8, 40, RNG)
    values = narrow.result.to_int(narrow.dot(drawn.activations, drawn.weights))
    assert (np.abs(values) <= 2048).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "unit array needs the parameter 'element'"),
        ({"element": "intger"}, "unknown element 'intger'; did you mean 'integer'"),
        ({"element": "array"}, "unknown element 'array'"),
        ({**INTEGER, "rows": 0, "columns": 1}, "rows must be 1 to 256, not 0"),
        ({**INTEGER, "rows": 1, "columns": 257}, "columns must be 1 to 256, not 257"),
        ({**INTEGER, "rows": 64, "columns": 64}, "rows=64 columns=64: results of 131072 bits"),
        ({**INTEGER, "rows": 1}, "unit array needs the parameter 'columns'"),
        ({**INTEGER, "rows": 1, "columns": 1, "group_size": 4}, "no parameter 'group_size'"),
        ({**INTEGER, "rows": 1, "columns": 1, "links": "ring"}, "unknown links 'ring'"),
        ({**INTEGER, "rows": 1, "columns": 1, "buffering": "single"}, "buffering=single"),
        ({"element": "lut_table", "rows": 1, "columns": 1, "lanes": 4, "activation": "int8",
          "weight": "binary"},
         "element=lut_table: .*allowed: units that compute layers"),
        ({"element": "bitmod", "rows": 1, "columns": 1, "lanes": 4, "activation": "fp16",
          "dataflow": "weight_stationary"}, "cannot hand its sums on"),
        ({"element": "fma", "rows": 1, "columns": 1, "lanes": 1, "activation": "fp16",
          "weight": "int4", "accumulator": "fp16", "dataflow": "input_stationary"},
         "its results are no exact sums"),
        ({"element": "bit_serial", "rows": 1, "columns": 1, "lanes": 1, "activation": "int4",
          "weight": "int4", "dataflow": "weight_stationary"}, "its beats take more than a cycle"),
    ],
)  # fmt: skip
def test_what_is_refused(parameters, message):
    with pytest.raises(InputError, match=message):
        make("array", **parameters)


def test_every_family_that_computes_layers_may_be_an_element():
    named = {family for family, _ in LAYER_UNITS} - {"array"}
    assert named == set(FAMILIES) - {"lut_table", "array"}
