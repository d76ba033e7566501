from dataclasses import asdict, replace

import pytest
import yaml

from cost_models import bands, technology
from cost_models.netlist import GATES, TYPES
from hwsim.errors import InputError


def test_shipped_technologies_have_their_own_names():
    assert technology.names() == ["asap7", "osu018", "sky130"]
    assert [technology.load(name).name for name in technology.names()] == technology.names()


@pytest.mark.parametrize("name", technology.names())
def test_shipped_coefficients_are_complete_and_physical(name):
    loaded = technology.load(name)
    for sizing in (loaded.least_area, loaded.least_delay):
        assert set(sizing.area_um2) == set(TYPES)
        assert set(sizing.delay_ns) == set(GATES)
        assert min(sizing.area_um2.values()) > 0
        assert sizing.area_um2["DFF"] > sizing.area_um2["NAND"]
        assert sizing.area_um2["XOR"] > sizing.area_um2["NOT"]
        assert sizing.clock_fj_per_cycle > 0
    # Time constants of the hazards are those of components, of the same gates.
    assert set(loaded.hazards.delay_ns) == set(GATES)
    assert loaded.clock_ns > loaded.least_area.setup_ns


@pytest.mark.parametrize("name", technology.names())
def test_shipped_provenance_names_tools_and_libraries(name):
    provenance = technology.load(name).provenance
    assert set(provenance["tools"]) == {"yosys", "opensta"}
    assert all(len(digest) == 16 for digest in provenance["libraries_sha256_prefix"].values())


def test_unknown_name_gets_the_nearest():
    with pytest.raises(InputError, match="did you mean 'sky130'"):
        technology.load("sky13")


def test_files_are_read_back_as_written(tmp_path):
    written = replace(technology.load("osu018"), name="mine")
    path = tmp_path / "mine.yaml"
    technology.write(written, path)
    assert technology.read(path) == written


def document(**changes):
    return asdict(technology.load("osu018")) | changes


def with_least_area(**changes):
    return yaml.safe_dump(
        document(least_area=asdict(technology.load("osu018").least_area) | changes)
    )


#: What nothing is known of.
BAND = dict.fromkeys(bands.BAND)


def with_bands(found):
    return yaml.safe_dump(document(bands=technology.load("osu018").bands | {"area": found}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "mine.yaml"),
        ("just words", "not a technology"),
        (yaml.safe_dump({"clock": 1}), "unknown key .* did you mean 'clock_ns'"),
        (yaml.safe_dump({"name": "x"}), "the key least_area is missing"),
        (with_least_area(setup_ns=-1.0), "least_area.setup_ns must be a non-negative number"),
        (with_least_area(setup_ns=float("nan")), "setup_ns must be a non-negative number"),
        (with_least_area(area_um2={"NOT": 1.0}), "one number for each of NOT, XOR"),
        (
            with_least_area(delay_ns=dict.fromkeys(GATES, "fast")),
            r"delay_ns\.\w+ must be a non-negative number",
        ),
        (yaml.safe_dump(document(errors=[1])), "errors: unseen_units is missing"),
        (
            yaml.safe_dump(document(errors={"unseen_units": {"energy_with_glitches": {}}})),
            "errors.unseen_units must have area, .*; make the file again",
        ),
        (
            yaml.safe_dump(
                document(errors={"unseen_units": {key: {} for key in bands.QUANTITIES}})
            ),
            "errors.unseen_units.area must have error_68_percent, .*; make the file again",
        ),
        (yaml.safe_dump(document(bands={})), "bands must have area, delay"),
        (with_bands({}), "bands.area must have families, unseen_families"),
        (
            with_bands({"families": 1, "unseen_families": {}}),
            "bands.area.families must be a mapping, not 1",
        ),
        (
            with_bands({"families": {}, "unseen_families": {"error_68_percent": 1.0}}),
            "bands.area: the band of unseen_families must have error_68_percent, error_95_percent",
        ),
        (
            with_bands(
                {
                    "families": {"integer": BAND | {"error_95_percent": -1.0}},
                    "unseen_families": BAND,
                }
            ),
            "error_95_percent of integer must be a non-negative number",
        ),
        (yaml.safe_dump(document(screen=1)), "screen must be a mapping or null, not 1"),
        (yaml.safe_dump(document(screen={"um2": {}})), "screen.um2 must have one number for each"),
        (
            yaml.safe_dump(document(screen=technology.load("osu018").screen | {"unseen_units": 1})),
            "screen.unseen_units is missing",
        ),
    ],
)
def test_broken_files_are_refused(text, message):
    with pytest.raises(InputError, match=message):
        technology.parse(text, "mine.yaml")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot read the technology .*none\.yaml"):
        technology.read(tmp_path / "none.yaml")
