import os

import pytest

from cost_models.synthesis import liberty, yosys
from hwsim.units import make


@pytest.fixture(scope="session")
def unit():
    return make("integer", lanes=1, weight="int3", activation="int3")


@pytest.fixture(scope="session")
def library():
    with liberty.opened("osu018", None) as opened:
        yield opened


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mapped")


@pytest.fixture(scope="session")
def flow(unit, library, folder):
    """Runs of Yosys on the unit, in ``folder``."""
    return yosys.Flow(unit, library, folder)


@pytest.fixture(scope="session")
def mapped(flow, folder):
    """The unit in the least area of osu018; ``mapped.sdf`` has its delays."""
    found = flow.smallest()
    (folder / "delays.sdf").rename(folder / "mapped.sdf")
    return found


@pytest.fixture
def edited(tmp_path):
    """A function that writes osu018 with something else in it."""

    def edit(old, new, count=-1):
        text = liberty.OSU018.read_text()
        assert old in text
        path = tmp_path / "edited.lib"
        path.write_text(text.replace(old, new, count))
        return path

    return edit


@pytest.fixture
def fake_tool(tmp_path, monkeypatch):
    """A function that puts a shell script in the place of a program."""

    def fake(name, script):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return fake
