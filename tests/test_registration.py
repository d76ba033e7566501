"""Names of hwsim, of installed packages and of scripts, and what is said where they are wrong."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cost_models import technology
from hwsim import cli
from hwsim.errors import InputError
from hwsim.formats import parse, parse_scalar, scalar_names
from hwsim.formats import registry as formats
from hwsim.formats.base import Format
from hwsim.formats.integer import Integer
from hwsim.registration import Place, Registry, resolve, sources_digest
from hwsim.units import make, register
from hwsim.units import registry as units
from hwsim.units.integer import IntegerUnit
from hwsim.units.recipe import made, recipe
from hwsim.units.sources import source_digest
from tests.packages import install

GROUP = "hwsim.test_things"
OWN = {"fraction": "fractions:Fraction", "path": "pathlib:Path"}


def registry(own: dict[str, str] = OWN) -> Registry[object]:
    return Registry("thing", GROUP, own, lambda name, item: item)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that packages are installed in."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_own_names_are_loaded_when_asked_for() -> None:
    things = registry({"none": "no_such_module:Thing", **OWN})
    assert list(things) == ["none", "fraction", "path"]
    assert "none" in things
    assert things["path"] is Path
    with pytest.raises(ImportError):
        things["none"]


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown thing 'fracton'; did you mean 'fraction'"):
        registry()["fracton"]


def test_entry_points_come_after_own_names_and_are_loaded_when_asked_for(site: Path) -> None:
    (site / "lazy_things.py").write_text("class B: pass\n")
    install(site, "lazy-things", {GROUP: {"b": "lazy_things:B", "a": "no_such_module:A"}})
    things = registry()
    assert list(things) == ["fraction", "path", "a", "b"]
    assert things.others == ["a", "b"]
    assert "lazy_things" not in sys.modules
    assert things["b"] is resolve("lazy_things:B")
    assert things.owner("b") == "the entry point 'b' of lazy-things 1.0"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("no_such_module:A", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("fractions:Nothing", "AttributeError"),
        ("raises_things:A", "ZeroDivisionError: division by zero"),
    ],
)
def test_what_cannot_be_loaded_names_the_entry_point(site: Path, value: str, said: str) -> None:
    (site / "raises_things.py").write_text("1 / 0\n")
    install(site, "wrong-things", {GROUP: {"a": value}})
    with pytest.raises(InputError) as error:
        registry()["a"]
    assert f"the entry point 'a' of wrong-things 1.0 ({value}) cannot be loaded" in str(error.value)
    assert said in str(error.value)


def test_what_is_refused_names_the_entry_point(site: Path) -> None:
    def refuse(name: str, item: object) -> object:
        raise InputError(f"{item!r} is none")

    install(site, "other-things", {GROUP: {"a": "fractions:Fraction"}})
    with pytest.raises(InputError, match=r"entry point 'a' of other-things 1.0 .*: .* is none"):
        Registry("thing", GROUP, {}, refuse)["a"]


def test_a_name_of_hwsim_cannot_be_taken_by_a_package(site: Path) -> None:
    install(site, "bold-things", {GROUP: {"path": "fractions:Fraction"}})
    with pytest.raises(InputError) as error:
        registry()["fraction"]
    assert "the entry point 'path' of bold-things 1.0 (group hwsim.test_things)" in str(error.value)
    assert "the thing 'path' is taken by hwsim" in str(error.value)


def test_two_packages_cannot_have_one_name(site: Path) -> None:
    install(site, "things-one", {GROUP: {"a": "fractions:Fraction"}})
    install(site, "things-two", {GROUP: {"a": "pathlib:Path"}})
    with pytest.raises(InputError, match=r"things-two 1.0 .* taken by .*'a' of things-one 1.0"):
        list(registry())


def test_registered_names_come_last_and_are_taken_once(site: Path) -> None:
    install(site, "few-things", {GROUP: {"a": "fractions:Fraction"}})
    things = registry()
    things.register("z", int)
    assert list(things) == ["fraction", "path", "a", "z"]
    assert things["z"] is int
    things.register("z", int)
    with pytest.raises(InputError, match="the thing 'z' is taken by builtins:int"):
        things.register("z", str)
    with pytest.raises(InputError, match="the thing 'path' is taken by hwsim"):
        things.register("path", str)
    with pytest.raises(InputError, match="is taken by the entry point 'a' of few-things"):
        things.register("a", str)


def test_a_class_may_be_decorated_and_an_entry_point_as_well(site: Path) -> None:
    install(site, "double-things", {GROUP: {"a": "pathlib:PurePosixPath"}})
    things = registry()
    from pathlib import PurePosixPath

    PurePosixPath.__module__, before = "pathlib", PurePosixPath.__module__
    try:
        things.register("a", PurePosixPath)
    finally:
        PurePosixPath.__module__ = before
    assert things["a"] is PurePosixPath


# Units.


@pytest.fixture
def families(monkeypatch: pytest.MonkeyPatch) -> Registry[type]:
    fresh: Registry[type] = Registry("unit", "hwsim.units", units.OWN, units._check)
    monkeypatch.setattr(units, "FAMILIES", fresh)
    return fresh


@dataclass(frozen=True, kw_only=True)
class Doubled(IntegerUnit):
    """Dot product of integers, for a test."""

    family: ClassVar[str] = "doubled"
    generator: ClassVar[str] = "rtl.integer:Integer"
    configurations = ({"lanes": 2, "weight": "int3", "activation": "int4"},)


def test_a_unit_is_made_by_its_name(families: Registry[type]) -> None:
    assert register(Doubled) is Doubled
    unit = make("doubled", lanes=2, weight="int3", activation="int4")
    assert isinstance(unit, Doubled)
    assert unit.name == "doubled_lanes_2_weight_int3_activation_int4"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"family": "integer"}, "the unit 'integer' is taken by hwsim"),
        ({"family": "No Name"}, "family='No Name': allowed"),
        ({"family": "a__b"}, "family='a__b': allowed"),
        ({"generator": None}, "must name its hardware"),
        ({"configurations": ()}, "must have configurations to verify"),
    ],
)
def test_units_that_lack_something_are_refused(
    families: Registry[type], change: dict[str, Any], said: str
) -> None:
    body = vars(Doubled) | {"family": "other"} | change
    body = {key: body[key] for key in ("family", "generator", "configurations")}
    cls = dataclass(frozen=True, kw_only=True)(type("Other", (IntegerUnit,), body))
    with pytest.raises(InputError, match=said):
        register(cls)


def test_a_unit_must_be_a_dataclass_and_finished(families: Registry[type]) -> None:
    with pytest.raises(InputError, match="must be a @dataclass"):
        register(type("Other", (IntegerUnit,), {"family": "other"}))
    unfinished = type("Other", (units.UnitSpec,), {"family": "other"})
    with pytest.raises(InputError, match="it has no _dot, _timing, result, safe_beats"):
        register(dataclass(frozen=True, kw_only=True)(unfinished))
    with pytest.raises(InputError, match="is no unit"):
        register(int)  # type: ignore[type-var]


def test_a_generator_that_is_not_there_is_named() -> None:
    class Lost(Doubled):
        generator = "rtl.integer:Lost"

    with pytest.raises(InputError, match=r"generator='rtl.integer:Lost' of Lost cannot be loaded"):
        Lost(lanes=1, weight="int3", activation="int3").create()  # type: ignore[arg-type]


def test_a_unit_of_another_module_is_made_again_from_plain_values() -> None:
    unit = Doubled(lanes=2, weight="int3", activation="int4")  # type: ignore[arg-type]
    values = recipe(unit)
    assert values["places"][-1] == {"module": __name__, "name": "Doubled", "script": None}
    assert made(values) == unit


def test_a_class_inside_a_function_is_refused() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Inside(Doubled):
        pass

    with pytest.raises(InputError, match="is defined inside a function"):
        recipe(Inside(lanes=2, weight="int3", activation="int4"))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Nameless(Integer):
    """An integer whose name stands for another format."""


def test_a_format_that_its_name_does_not_stand_for_is_refused() -> None:
    unit = Doubled(lanes=2, weight=Nameless(4), activation="int4")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="register the formats int4"):
        recipe(unit)


def test_a_class_that_is_gone_is_named() -> None:
    with pytest.raises(InputError, match="cannot find Gone of fractions"):
        Place("fractions", "Gone").find()


def test_results_depend_on_the_source_of_others(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "one_module.py").write_text("A = 1\n")
    before = sources_digest(["one_module", "hwsim.units"])
    assert len(before) == 64
    (site / "one_module.py").write_text("A = 2\n")
    from hwsim import registration

    registration._source.cache_clear()
    assert sources_digest(["one_module"]) != before
    assert sources_digest(["hwsim.units.base", "rtl.integer", "abc"]) == ""
    assert source_digest(make("integer", lanes=1, weight="int3", activation="int3")) == ""
    assert source_digest(Doubled(lanes=1, weight="int3", activation="int3"))  # type: ignore[arg-type]


SCRIPT = """
from dataclasses import dataclass
from typing import ClassVar
from hwsim.units import make, register
from hwsim.units.integer import IntegerUnit
from rtl.verification import verify

def family():
    @register
    @dataclass(frozen=True, kw_only=True)
    class Scripted(IntegerUnit):
        family: ClassVar[str] = "scripted"
        generator: ClassVar[str] = "rtl.integer:Integer"
        configurations = (dict(lanes=1, weight="int2", activation="int2"),)

family()
print(verify(make("scripted", lanes=1, weight="int2", activation="int2"), random_dots=8))
"""


def test_a_unit_of_an_interactive_session_is_verified() -> None:
    """Although no other process can find its class."""
    command = [sys.executable, "-"]
    done = subprocess.run(command, input=SCRIPT, capture_output=True, text=True, check=True)
    assert "scripted_lanes_1_weight_int2_activation_int2: pass" in done.stdout


# Formats.


@pytest.fixture
def fresh_formats(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    scalars: Registry[object] = Registry("format", "hwsim.formats", {}, formats._check_scalar)
    monkeypatch.setattr(formats, "_SCALARS", scalars)
    yield
    for known in (formats._scalar, formats._block, formats._other_scalar, formats._other_block):
        known.cache_clear()


def family(*names: str, found: Format | None = None) -> type:
    def parse_name(name: str) -> Format | None:
        return Short(name) if name in names else found

    return type("Family", (), {"NAMES": names, "parse": staticmethod(parse_name)})


@dataclass(frozen=True)
class Short(Integer):
    """An integer of 4 bits of another name."""

    called: str = ""

    def __init__(self, called: str) -> None:
        object.__setattr__(self, "called", called)
        super().__init__(4)

    @property
    def name(self) -> str:
        return self.called


def test_a_registered_format_is_parsed_also_as_an_element(fresh_formats: None) -> None:
    with pytest.raises(InputError, match="unknown format 'short4'"):
        parse("short4")
    with pytest.raises(InputError):
        parse("short4_g8")
    formats.register(family("short4"))
    assert parse("short4") == Short("short4")
    assert parse_scalar("SHORT4").name == "short4"
    assert parse("short4_g8").name == "short4_g8"
    assert scalar_names()[-1] == "short4"
    unit = make("integer", lanes=1, weight="short4", activation="int3")
    assert unit.weight == Short("short4")


@pytest.mark.parametrize(
    ("cls", "said"),
    [
        (family("int4"), "the format 'int4' is one of hwsim"),
        (family("mxfp4"), "the format 'mxfp4' is one of hwsim"),
        (family("ifairy"), "the format 'ifairy' is one of hwsim"),
        (type("Family", (), {"NAMES": ("short4",)}), "is no family of formats"),
        (type("Family", (), {}), "is no family of formats"),
        (
            type("F", (), {"NAMES": ("short4",), "parse": staticmethod(lambda name: None)}),
            r"parse\('short4'\) is None; allowed: the Format of that name",
        ),
    ],
)
def test_families_of_formats_that_are_wrong_are_refused(
    fresh_formats: None, cls: type, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        formats.register(cls)


def test_two_families_cannot_have_one_format(fresh_formats: None) -> None:
    formats.register(family("short4", "both4"))
    formats._SCALARS.register("other4", family("other4", "both4"))
    with pytest.raises(InputError, match=r"the format 'both4' is of .* and of"):
        parse("both4")


def test_a_format_of_a_package_is_loaded_for_its_names_only(
    site: Path, fresh_formats: None
) -> None:
    (site / "packaged_format.py").write_text(
        "from tests.test_registration import Short\n"
        "NAMES = ('packaged4',)\n"
        "def parse(name):\n"
        "    return Short(name) if name in NAMES else None\n"
    )
    install(site, "packaged-format", {"hwsim.formats": {"packaged": "packaged_format"}})
    assert parse("e4m3").name == "e4m3"
    assert parse("int4_g8").name == "int4_g8"
    assert "packaged_format" not in sys.modules
    assert parse("packaged4").name == "packaged4"


# Technologies.


@pytest.fixture
def technologies() -> Iterator[None]:
    technology._registry.cache_clear()
    yield
    technology._registry.cache_clear()


def test_a_technology_is_registered(technologies: None) -> None:
    mine = replace(technology.load("sky130"), name="mine")
    technology.register(mine)
    assert technology.names() == [*technology.shipped(), "mine"]
    assert technology.load("mine") == mine
    with pytest.raises(InputError, match="'sky130' is taken by hwsim"):
        technology.register(replace(mine, name="sky130"))
    with pytest.raises(InputError, match="is no technology"):
        technology.register(7)  # type: ignore[arg-type]


def test_a_technology_of_a_package(site: Path, technologies: None) -> None:
    mine = replace(technology.load("sky130"), name="packaged")
    technology.write(mine, site / "packaged.yaml")
    (site / "packaged_technology.py").write_text(
        "from pathlib import Path\nHERE = Path(__file__).with_name('packaged.yaml')\n"
    )
    points = {"packaged": "packaged_technology:HERE", "renamed": "packaged_technology:HERE"}
    install(site, "packaged-technology", {"hwsim.technologies": points})
    technology._registry.cache_clear()
    assert technology.load("packaged") == mine
    with pytest.raises(InputError, match=r"the entry point 'renamed' .*name is 'packaged'"):
        technology.load("renamed")


# Commands.


@pytest.fixture
def command(site: Path) -> Path:
    (site / "my_command.py").write_text(
        "def add(commands):\n"
        "    parser = commands.add_parser('greet', help='greet')\n"
        "    parser.set_defaults(command=lambda options: print('hello') or 0)\n"
    )
    points = {"greet": "my_command", "lost": "no_such_module"}
    install(site, "my-command", {"hwsim.commands": points})
    return site


def test_a_command_of_a_package(command: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["greet"]) == 0
    assert capsys.readouterr().out == "hello\n"


def test_a_command_that_cannot_be_loaded_leaves_others_alone(
    command: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["formats", "--json"]) == 0
    capsys.readouterr()
    assert cli.main(["lost"]) == 2
    assert "the entry point 'lost' of my-command 1.0 (no_such_module)" in capsys.readouterr().err


def test_a_command_cannot_have_a_name_of_hwsim(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(site, "bold-command", {"hwsim.commands": {"cost": "no_such_module"}})
    assert cli.main(["formats"]) == 2
    assert "the command 'cost' is taken by hwsim" in capsys.readouterr().err
