import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cost_models.netlist import netlist as generic_gates
from cost_models.netlist import netlist_by_part, pack, unpack
from hwsim import cache
from hwsim.units import make
from rtl import yosys


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    return tmp_path / "netlists"


@pytest.fixture
def runs(monkeypatch):
    """Count the runs of Yosys."""
    calls = []

    original = yosys.session

    def session(cwd):
        calls.append(cwd)
        return original(cwd)

    monkeypatch.setattr(yosys, "session", session)
    forget()
    yield calls
    forget()


def forget():
    """Do what the end of a process does."""
    generic_gates.cache_clear()
    netlist_by_part.cache_clear()


def tiny():
    return make("integer", lanes=1, weight="int2", activation="int2")


def same(one, other):
    first, second = pack(one), pack(other)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])
    assert isinstance(one.style, str)


def test_another_process_finds_what_one_has_made(place, runs):
    made = generic_gates(tiny())
    assert len(runs) == 1
    forget()
    same(generic_gates(tiny()), made)
    assert len(runs) == 1
    assert len(list(place.iterdir())) == 1


def test_styles_and_parts_have_files_of_their_own(place, runs):
    generic_gates(tiny())
    generic_gates(tiny(), "booth")
    netlist_by_part(tiny())
    assert len(runs) == len(list(place.iterdir())) == 3


@pytest.mark.parametrize("parts", [generic_gates, netlist_by_part])
def test_packing_keeps_everything(parts):
    gates = parts(tiny())
    again = unpack(pack(gates))
    same(again, gates)
    assert again.types.dtype == again.pins.dtype == np.int64
    assert (again.parts is None) == (gates.parts is None)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "foreign", "longer"])
def test_a_damaged_file_is_made_again(place, runs, damage, capsys):
    made = generic_gates(tiny())
    (path,) = place.iterdir()
    content = path.read_bytes()
    match damage:
        case "foreign":
            with path.open("wb") as file:
                np.savez(file, other=np.zeros(3))
        case "longer":
            path.write_bytes(content + b"x")
        case _:
            path.write_bytes({"truncated": content[:-40], "empty": b"", "text": b"x" * 99}[damage])
    forget()
    same(generic_gates(tiny()), made)
    assert len(runs) == 2
    assert capsys.readouterr().err == f"hwsim: {path} is damaged and is made again\n"
    same(cache.load("netlists", path.stem, unpack), made)


def test_every_flipped_bit_is_noticed(place, capsys):
    cache.store("netlists", "a", {"x": np.arange(50), "style": np.array("booth")})
    (path,) = place.iterdir()
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for flipped in rng.integers(0, 8 * len(content), 400):
        damaged = bytearray(content)
        damaged[flipped // 8] ^= 1 << flipped % 8
        path.write_bytes(damaged)
        assert cache.load("netlists", "a", dict) is None
    assert capsys.readouterr().err.count("is damaged and is made again") == 400
    path.write_bytes(content)
    np.testing.assert_array_equal(cache.load("netlists", "a", dict)["x"], np.arange(50))


def test_a_folder_in_the_place_of_a_file_is_said(place, capsys):
    (place / "a.arrays").mkdir(parents=True)
    assert cache.load("netlists", "a", dict) is None
    assert "a.arrays cannot be read and is made again: Is a directory" in capsys.readouterr().err


WRITER = """
import sys
import numpy as np
from hwsim import cache

for k in range(200):
    cache.store("netlists", "shared", {"x": np.full(4000, int(sys.argv[1]) + k)})
    found = cache.load("netlists", "shared", dict)["x"]
    assert (found == found[0]).all()
"""


def test_processes_write_at_once(place):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(1000 * k)], stderr=subprocess.PIPE)
        for k in range(2)
    ]
    assert [(writer.communicate()[1], writer.returncode) for writer in writers] == [(b"", 0)] * 2
    assert [path.name for path in place.iterdir()] == ["shared.arrays"]


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file"))
    for name in ("a", "b"):
        cache.store("netlists", name, {"x": np.zeros(2)})
    assert capsys.readouterr().err.count("nothing is cached") == 1


def test_a_failed_write_leaves_nothing(place, monkeypatch):
    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        cache.store("netlists", "a", {"x": np.zeros(2)})
    assert list(place.iterdir()) == []


def test_keys_tell_parts_apart():
    assert cache.key("ab", "c") != cache.key("a", "bc") != cache.key("abc")


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    assert cache.folder("netlists") == tmp_path / "netlists"
    monkeypatch.delenv(cache.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert Path("xdg/hwsim/netlists") == cache.folder("netlists").relative_to(tmp_path)
