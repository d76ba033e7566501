"""Conditions between axes, draws, and the JSON Schema of specifications."""

import copy
import hashlib
import itertools
import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from hwsim import cli
from hwsim.errors import InputError
from hwsim.formats import parse_scalar, scalar_names
from hwsim.units import make
from sweeps import spec
from sweeps.schema import schema

SPECS = sorted((Path(__file__).parents[2] / "sweeps" / "specs").glob("*.yaml"))

GOOD = """\
name: good
technology: [sky130]
method: estimate
clock: none
units:
  - unit: integer
    weight: [int2, int4, int8]
    activation: [int4, int8]
    lanes: [4, 16]
    where: [weight.bits <= activation.bits]
objectives: [area_um2_per_mac_per_cycle, {gmacs_per_s_per_mm2: maximise}]
"""


@pytest.fixture
def read(tmp_path, known):
    def read(text):
        path = tmp_path / "s.yaml"
        path.write_text(text)
        return spec.read(path)

    return read


def units(sweep):
    return {(u.weight.name, u.activation.name, u.lanes) for u in sweep.units}


@pytest.mark.parametrize(
    ("condition", "keeps"),
    [
        ("weight.bits <= activation.bits", lambda w, a, n: w <= a),
        ("weight.bits * lanes < 64", lambda w, a, n: w * n < 64),
        ("lanes == 4 and not weight == 'int8' or activation == 'int4'",
         lambda w, a, n: (n == 4 and w != 8) or a == 4),
        ("weight in ['int2', 'int8']", lambda w, a, n: w in (2, 8)),
        ("weight not in ['int2', 'int8']", lambda w, a, n: w not in (2, 8)),
        ("2 < weight.bits <= 4", lambda w, a, n: 2 < w <= 4),
        ("lanes % 8 == 4 or lanes // 8 - 2 == -weight.bits + 2",
         lambda w, a, n: n % 8 == 4 or n // 8 - 2 == -w + 2),
        ("lanes > +4", lambda w, a, n: n > 4),
        ("weight in ['int2', 'int8'] and weight not in ['int8']", lambda w, a, n: w == 2),
    ],
)  # fmt: skip
def test_conditions_leave_combinations_out(read, condition, keeps):
    text = GOOD.replace("[weight.bits <= activation.bits]", f'["{condition}"]')
    expected = {
        (f"int{w}", f"int{a}", n)
        for w in (2, 4, 8) for a in (4, 8) for n in (4, 16) if keeps(w, a, n)
    }  # fmt: skip
    assert 0 < len(expected) < 12
    assert units(read(text)) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("lane <= 4", "'lane' is no axis of this entry; did you mean 'lanes'?"),
        ("weight.width > 4", "'weight.width' is no axis of this entry; did you mean"),
        ("lanes <", "'lanes <' is no condition: invalid syntax"),
        ("lanes + 4", "gives 8; a condition compares, such as lanes <= 16"),
        ("weight > 4", "weight > 4: '>' not supported between instances of 'str' and 'int'"),
        ("weight + lanes == 4", "weight: is no number, but 'int2'"),
        ("-weight == 4", "weight: is no number, but 'int2'"),
        ("[1, 2] * lanes == 4", "[1, 2]: is no number, but [1, 2]"),
        ("(lanes > 4) + 1 == 1", "lanes > 4: is no number, but False"),
        ("~lanes > 4", "the operator Invert is not allowed"),
        ("weight in 'int4'", "weight in 'int4': 'int4' is no list; allowed: in [...]"),
        ("lanes // 0 == 1", "lanes // 0: integer division or modulo by zero"),
        ("lanes.bits == 4", "lanes.bits: 4 is no format, which alone has bits"),
        ("lanes ** 99 == 1", "the operator Pow is not allowed"),
        ("lanes is 4", "the operator Is is not allowed"),
        ("print(lanes)", "print(lanes): allowed: axes, numbers, texts in quotes, comparisons"),
        ("().__class__ == 4", "(): allowed: names of axes"),
        ("weight != 'itn4'", "the axis weight has no value 'itn4'; did you mean 'int4'?"),
        ("'int44' == weight", "the axis weight has no value 'int44'; did you mean 'int4'?"),
        ("weight in ['int2', 'fp']", "the axis weight has no value 'fp'; it has int2, int4, int8"),
        ("lanes == 'x'", "the axis lanes has no value 'x'; it has 4, 16"),
        ("group == 4", "'group' is no axis of this entry; it has activation, lanes, weight"),
        (f"lanes {'9' * 500}", f"'lanes {'9' * 94}…' is no condition: invalid syntax"),
        ("lanes == True", "True: allowed: numbers, and texts in quotes"),
        ("[x for x in [1]] == lanes", "[x for x in [1]]: allowed: axes"),
    ],
)
def test_errors_of_conditions_have_file_line_and_key(read, tmp_path, condition, expected):
    text = GOOD.replace("[weight.bits <= activation.bits]", f'\n      - "{condition}"')
    with pytest.raises(InputError) as caught:
        read(text)
    assert str(caught.value).startswith(f"{tmp_path / 's.yaml'}:11: where: {expected}")


def test_conditions_may_not_leave_nothing(read):
    with pytest.raises(InputError, match=r"s\.yaml:6: units: conditions leave no combination"):
        read(GOOD.replace("[weight.bits <= activation.bits]", "lanes > 16"))


def test_accelerators_have_conditions(read):
    text = (
        GOOD[: GOOD.index("units:")].replace("clock: none", "clock: 5") + "accelerators:\n"
        "  - accelerator: [int8, mxfp4]\n"
        "    dram: {bandwidth: [16, 32.5]}\n"
        "    where: dram.bandwidth > 20 or accelerator == 'int8'\n"
        "workloads: [{model: llama-2-7b, phase: decode, context: 16}]\n"
        "objectives: [energy_j_per_item, items_per_s]\n"
    )
    names = [design.name for design in read(text).designs]
    assert names == ["int8 bandwidth=16", "int8 bandwidth=32.5", "mxfp4 bandwidth=32.5"]


def test_a_direction_may_be_said_and_not_turned(read):
    assert read(GOOD).objectives == ("area_um2_per_mac_per_cycle", "gmacs_per_s_per_mm2")
    with pytest.raises(InputError, match="gmacs_per_s_per_mm2 is better the other way; write max"):
        read(GOOD.replace("maximise", "minimise"))
    with pytest.raises(InputError, match="unknown direction 'maximize'; did you mean 'maximise'"):
        read(GOOD.replace("maximise", "maximize"))


def test_draws_are_distinct_repeatable_and_keep_conditions(read):
    full = read(GOOD).units
    drawn = {
        seed: read(f"{GOOD}search: {{method: random, points: 6, seed: {seed}}}\n").units
        for seed in (0, 1)
    }
    assert all(len(set(some)) == 6 and set(some) < set(full) for some in drawn.values())
    assert drawn[0] != drawn[1]
    assert drawn[1] == read(GOOD + "search: {method: random, points: 6, seed: 1}\n").units
    # By a hash alone: no version of a library draws others, and last year's points are found.
    numbers = [int(hashlib.sha256(f"0 {k}".encode()).hexdigest()[:32], 16) % 12 for k in range(99)]
    product = list(itertools.product((2, 4, 8), (4, 8), (4, 16)))
    kept = [product[number] for number in dict.fromkeys(numbers)]
    expected = [(f"int{w}", f"int{a}", n) for w, a, n in kept if w <= a][:6]
    assert [(u.weight.name, u.activation.name, u.lanes) for u in drawn[0]] == expected


def test_draws_do_not_need_the_product(read):
    lanes, bits = [*range(1, 1001)], [*range(20, 60)]
    text = GOOD.replace("[4, 16]", f"{lanes}\n    accumulator_bits: {bits}")
    with pytest.raises(InputError, match="6: units: 240000 units, and a sweep has at most"):
        read(text)
    assert len(read(text + "search: {method: random, points: 50}\n").units) == 50


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("{method: random}", "12: search: the key 'points' is missing"),
        ("{method: randm, points: 5}", "12: method: unknown method 'randm'; did you mean 'random'"),
        ("{method: random, points: 0}", "12: points: must be 1 to 100000, not 0"),
        ("{method: random, points: 5, sed: 1}", "12: sed: unknown key 'sed'; did you mean 'seed'"),
        ("{method: random, points: 5, seed: -1}", "12: seed: must be at least 0, not -1"),
        ("{method: random, points: 5, population: 9}", "12: population: goes with method: nsga2"),
        ("{method: nsga2, points: 5, population: 2}", "12: population: must be 4 to 100000, not 2"),
        ("{method: random, points: 12}", "6: units: 10 designs were found where 12 were to be"),
        ("{method: nsga2, points: 5}\nscreen: 2", "13: screen: leaves units out before costs"),
    ],
)
def test_errors_of_searches(read, tmp_path, given, expected):
    with pytest.raises(InputError) as caught:
        read(f"{GOOD}search: {given}\n")
    assert str(caught.value).startswith(f"{tmp_path / 's.yaml'}:{expected}")


def test_a_bred_search_is_in_one_target(read):
    text = f"{GOOD}search: {{method: nsga2, points: 5}}\n"
    assert read(text).designs == ()
    with pytest.raises(InputError, match="12: search: nsga2 compares in one technology at one"):
        read(text.replace("clock: none", "clock: [none, 5]"))


@pytest.fixture(scope="module")
def validator():
    found = schema()
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


@pytest.mark.parametrize("path", SPECS, ids=[path.stem for path in SPECS])
def test_shipped_specifications_validate_and_misspelt_keys_do_not(validator, path):
    content = yaml.safe_load(path.read_text())
    validator.validate(content)
    places = [(), *[(key,) for key in ("tensors", "search", "constraints") if key in content]]
    places += [(kind, 0) for kind in ("units", "workloads", "accelerators") if kind in content]
    for place in places:
        for key in reach(content, place):
            changed = copy.deepcopy(content)
            inner = reach(changed, place)
            inner[f"{key}x"] = inner.pop(key)
            assert not validator.is_valid(changed), (place, key)


def reach(content, place):
    for key in place:
        content = content[key]
    return content


def test_the_schema_and_the_reader_know_the_same(read, validator):
    """What the reader refuses as unknown, the schema does, and the other way round."""
    text = f"{GOOD}search: {{method: random, points: 6}}\nconstraints: {{delay_ns: {{max: 5}}}}\n"
    validator.validate(yaml.safe_load(text))
    for old, new in (
        ("method: estimate", "method: guess"),
        ("unit: integer", "unit: intger"),
        ("lanes:", "lane:"),
        ("lanes: [4, 16]", "lanes: [four]"),
        ("{max: 5}", "{maxi: 5}"),
        ("delay_ns", "dely_ns"),
        ("maximise", "maximize"),
        ("points: 6", "points: six"),
        ("clock: none", "clock: nine"),
        ("[sky130]", "sky130"),
    ):
        changed = text.replace(old, new)
        assert changed != text
        assert not validator.is_valid(yaml.safe_load(changed)), new
        with pytest.raises(InputError):
            read(changed)


def test_the_command_prints_the_schema(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["sweep", "--schema"])
    assert caught.value.code == 0
    assert json.loads(capsys.readouterr().out) == schema()


#: Designs of every specification that ships.
COUNTS = {
    "accumulators": 74, "block_formats": 49, "families": 53, "formats": 210, "llm_weights": 109,
    "quickstart": 92, "w4a8": 80,
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_shipped_specifications_are_read(name):
    path = next(path for path in SPECS if path.stem == name)
    assert len(spec.read(path).designs) == COUNTS[name]


def test_formats_has_all_that_a_unit_computes():
    """What is missing there no family takes, and what is there is each format once."""
    path = next(path for path in SPECS if path.stem == "formats")
    there = {unit.weight.name for unit in spec.read(path).units}
    small = {name for name in scalar_names() if parse_scalar(name).bits <= 8}
    missing = {name for name in small if parse_scalar(name).name not in there}
    assert missing == {
        "int8_sm", "q2.6", "q4.4", "uq4.4", "e8m0", "dint8", "pot5", "apot5", "apot6", "apot8",
        "khot2_4",
    }  # fmt: skip
    for name in missing:
        for family in ("integer", "float", "fma", "posit", "product_rom", "codebook", "shift_add"):
            for activation in (name, "int8"):
                with pytest.raises(InputError):
                    make(family, lanes=4, weight=name, activation=activation)
