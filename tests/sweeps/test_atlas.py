"""The atlas: what its pages hold, that they hold nothing else, and what a browser makes of them."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from posixpath import normpath
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from cost_models.published import load
from hwsim import cli
from hwsim.errors import InputError
from hwsim.formats import Format, parse_scalar, scalar_names
from hwsim.formats.grid import GridFormat
from hwsim.units import FAMILIES
from sweeps import atlas
from sweeps.atlas import format_page, prose, published, svg, unit_page
from sweeps.atlas.costs import TECHNOLOGIES, Examined
from sweeps.atlas.survey import Survey, example, file_name, survey
from sweeps.markup import Markup, tag

HOSTILE = '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">"\u2028'
FORMATS = ("e4m3", "e2m1", "int4", "int8", "posit8_1", "fp32", "ternary", "mxfp4", "ifairy")
FAMILY = "lut_table"
#: Of a browser on a machine that is busy with other tests.
TIMEOUT_MS = 120_000


class Read(HTMLParser):
    """What tests ask of a page: its links, the places that links may lead to, elements, cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: list[str] = []
        self.tags: list[str] = []
        self.values: list[str] = []
        self.text = ""
        self._codes = False
        self.feed(text)

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.tags.append(name)
        if "href" in given and name == "a":
            self.links.append(given["href"] or "")
        if given.get("id"):
            self.places.append(given["id"] or "")
        if name == "div":
            self._codes = "codes" in (given.get("class") or "").split()
        if name == "td" and self._codes and given.get("class") == "number":
            self.values.append(given["data-value"] or "")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def everything() -> Survey:
    return survey()


@pytest.fixture(scope="module")
def pages(everything: Survey) -> dict[str, Read]:
    """All pages of the registries, without units' files and costs."""
    return {name: Read(text) for name, text in atlas.files(everything, {}).items()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small atlas, with the costs of one family, whose first format has a hostile name."""
    folder = tmp_path_factory.mktemp("atlas") / "site"
    chosen = survey(FORMATS, [FAMILY])
    found = Survey((hostile(), *chosen.scalars), chosen.blocks, chosen.complexes, chosen.families)
    assert atlas.write(folder, workers=1, quiet=True, found=found) == 0
    return folder


def hostile() -> Format:
    """Return a format of a module whose names and docstring would be markup."""
    module = types.ModuleType("hostile_format", HOSTILE + "\n\nSource: " + HOSTILE)
    sys.modules[module.__name__] = module

    class Hostile(GridFormat):
        __module__ = module.__name__

        @property
        def name(self) -> str:
            return HOSTILE

        @property
        def family(self) -> str:
            return HOSTILE

        @property
        def bits(self) -> int:
            return 2

        def _values(self) -> Any:
            return np.array([0.0, 1.0, 2.0, -1.0])

    return Hostile()


def test_everything_has_a_page(pages: dict[str, Read], everything: Survey) -> None:
    for name in scalar_names():
        assert f"formats/{parse_scalar(name).name}.html" in pages
    assert {f"units/{family}.html" for family in FAMILIES} <= pages.keys()
    assert pages.keys() - {"index.html"} <= set(pages["index.html"].links)
    assert len(pages) == 1 + len(everything.formats) + len(FAMILIES)


def test_every_link_leads_somewhere(pages: dict[str, Read]) -> None:
    assert check_links(pages) > 2000


def check_links(pages: dict[str, Read], others: frozenset[str] = frozenset()) -> int:
    count = 0
    for name, found in pages.items():
        assert len(set(found.places)) == len(found.places), name
        for link in found.links:
            if link.startswith("https://arxiv.org/abs/"):
                continue
            path, _, place = link.partition("#")
            target = normpath(str(PurePosixPath(name).parent / path)) if path else name
            assert target in pages or target in others, (name, link)
            assert not place or place in pages[target].places, (name, link)
            count += 1
    return count


@pytest.mark.parametrize("name", [n for n in scalar_names() if parse_scalar(n).bits <= 8])
def test_a_table_of_codes_is_what_the_format_decodes(name: str, pages: dict[str, Read]) -> None:
    fmt = parse_scalar(name)
    found = np.array(list(map(float, pages[f"formats/{fmt.name}.html"].values)))
    assert np.array_equal(found, fmt.decode(range(2**fmt.bits)), equal_nan=True)


def test_units_name_their_formats_and_the_other_way_round(
    pages: dict[str, Read], everything: Survey
) -> None:
    assert "posit8_1" in everything.taken["posit"]["weight"]
    assert "posit8_1" not in everything.taken["integer"]["weight"]
    assert "mxfp4" in everything.taken["mx_dot"]["activation"]
    assert everything.taken["fma"]["accumulator"]
    for fmt in everything.formats:
        links = pages[everything.format_page(fmt.name) or ""].links
        for family in everything.users(fmt):
            assert f"../units/{family}.html" in links
            assert f"../formats/{fmt.name}.html" in pages[f"units/{family}.html"].links


@pytest.mark.parametrize("family", FAMILIES)
def test_the_example_of_a_family_is_taken_by_it(family: str, everything: Survey) -> None:
    unit = example(family)
    taken = everything.taken[family]
    named = {fmt.name for fmt in everything.formats}
    for key in {"weight", "activation"} & taken.keys():
        name = getattr(unit, key).name
        assert name in taken[key] or name not in named


def test_published_numbers_are_of_the_file() -> None:
    assert set(published.RELATED) <= set(FAMILIES)
    for patterns in published.RELATED.values():
        for pattern in patterns:
            assert any(published._fits(one, *pattern) for one in load()), pattern


def test_kinds_of_numbers_have_tables_of_their_own(site: Path) -> None:
    text = (site / "units" / f"{FAMILY}.html").read_text()
    assert text.count('class="badge">estimate<') == 1
    head = text[text.index('aria-label="Estimated costs"') :]
    head = head[: head.index("</table>")]
    assert "synthesis" not in head
    for name in TECHNOLOGIES:
        assert f">{name}<" in head
    assert "published" not in head
    unit = unit_page.page(survey(["int4"], ["posit"]), "posit", [])
    assert "As papers print them" in unit
    assert "Estimated costs" not in unit


def test_text_stays_text(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = survey(["int4"], [FAMILY])
    monkeypatch.setattr(sys.modules[FAMILIES[FAMILY].__module__], "__doc__", 3 * f"{HOSTILE}\n\n")
    monkeypatch.setattr(FAMILIES[FAMILY], "__doc__", HOSTILE)
    failed = Examined(example(FAMILY), failure=HOSTILE)
    texts = [path.read_text() for path in sorted(site.rglob("*.html"))]
    texts += [unit_page.page(found, FAMILY, [failed]), str(tag("p", HOSTILE, title=HOSTILE))]
    for text in texts[:-1]:
        assert Read(text).tags.count("script") == 1
    for text in texts:
        assert "<script>window" not in text
        assert "img" not in Read(text).tags
    assert HOSTILE in Read(texts[-2]).text


def test_names_of_files_stay_in_their_folder() -> None:
    names = [
        "../../etc/passwd",
        "/etc/passwd",
        ".hidden",
        "a b",
        "A",
        "a",
        "e4m3",
        "",
        "\0",
        "x" * 999,
    ]
    found = [file_name(name) for name in names]
    assert found[-4] == "e4m3.html"
    assert len({name.lower() for name in found}) == len(names)
    assert all("/" not in name and name[0] != "." and len(name) < 120 for name in found)


def test_docstrings_as_html() -> None:
    text = (
        "A *word*, ``code``, :mod:`hwsim.units.fma`, arXiv:2411.11745.\n\n"
        "* one,\n  more\n* two\n\n1. first\n2. second\n\nterm\n    what it is\n\n"
        "=====  =====\na      b\n=====  =====\n1      2 < 3\n=====  =====\n\nlast 2**(n - 1) * 3"
    )
    made = prose.to_html(text, lambda role: f"{role}.html" if role == "hwsim.units.fma" else None)
    assert "<em>word</em>" in made
    assert '<a href="hwsim.units.fma.html"><code>fma</code></a>' in made
    assert 'href="https://arxiv.org/abs/2411.11745"' in made
    assert "<ul><li>one, more</li><li>two</li></ul>" in made
    assert "<ol><li>first</li><li>second</li></ol>" in made
    assert "<dt>term</dt>" in made
    assert "<td>2 &lt; 3</td>" in made
    assert "<p>last 2**(n - 1) * 3</p>" in made


def test_ticks_are_where_values_are() -> None:
    drawn = svg.small_line(parse_scalar("ternary"))
    ticks = drawn.split('class="tick"')[0].rpartition('d="')[2]
    assert ticks.startswith("M0 3v12M100 3v12M200 3v12")
    # Where every place has a value they are one bar.
    assert (
        svg.small_line(parse_scalar("int32")).count("z")
        - svg.small_line(parse_scalar("ternary")).count("z")
        == 1
    )


def test_an_atlas_is_the_same_bytes(site: Path) -> None:
    code = (
        "from sweeps.atlas import files; from sweeps.atlas.survey import survey; import hashlib;"
        f"pages = files(survey({FORMATS!r}, [{FAMILY!r}]), {{}});"
        "print(hashlib.sha256(repr(sorted(pages.items())).encode()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    own = atlas.files(survey(FORMATS, [FAMILY]), {})
    digest = hashlib.sha256(repr(sorted(own.items())).encode()).hexdigest()
    assert other.stdout.strip() == digest


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    found = survey(["int4"], [FAMILY])
    (tmp_path / "mine").write_text("x")
    with pytest.raises(InputError, match="is not empty and holds no atlas"):
        atlas.write(tmp_path, costs=False, quiet=True, found=found)
    atlas.write(tmp_path, force=True, costs=False, workers=1, quiet=True, found=found)
    assert (tmp_path / "mine").read_text() == "x"
    # Once more, with another format: the page of the first goes.
    atlas.write(tmp_path, costs=False, workers=1, quiet=True, found=survey(["int8"], [FAMILY]))
    assert [path.name for path in (tmp_path / "formats").iterdir()] == ["int8.html"]
    listed = json.loads((tmp_path / "atlas.json").read_text())["files"]
    there = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert there == {*listed, "mine", "atlas.json"}
    assert (tmp_path / "mine").exists()


def test_nothing_outside_of_the_folder_is_touched(tmp_path: Path) -> None:
    found = survey(["int4"], [FAMILY])
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "int4.html").write_text("mine")
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "atlas.json").write_text(
        json.dumps({"files": ["../outside/int4.html", "formats/../../outside/int4.html", 3]})
    )
    atlas.write(folder, costs=False, workers=1, quiet=True, found=found)
    shutil.rmtree(folder / "formats")
    (folder / "formats").symlink_to(outside)
    with pytest.raises(InputError, match="is no folder of an atlas"):
        atlas.write(folder, costs=False, quiet=True, found=found)
    assert (outside / "int4.html").read_text() == "mine"


def test_the_verilog_verifies_itself(site: Path, tmp_path: Path) -> None:
    name = example(FAMILY).name
    files = [str(site / "verilog" / f"{name}{ending}") for ending in (".v", "_tb.v")]
    program = str(tmp_path / "a.out")
    subprocess.run(["iverilog", "-g2012", "-o", program, *files], check=True)
    said = subprocess.run(["vvp", program], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("PASS")
    assert (
        hashlib.sha256(Path(files[0]).read_bytes()).hexdigest()
        in (site / "verilog" / f"{name}.json").read_text()
    )


def test_the_links_of_a_site_lead_to_its_files(site: Path) -> None:
    names = [str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()]
    pages = {name: Read((site / name).read_text()) for name in names if name.endswith(".html")}
    assert check_links(pages, frozenset(names)) > 50


def test_a_unit_without_estimate_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise InputError("no such cost")

    for name in ("breakdown_all", "estimate_all"):
        monkeypatch.setattr(f"sweeps.atlas.costs.{name}", refuse)
    monkeypatch.setattr("sweeps.atlas.survey", lambda: survey(["int4"], [FAMILY]))
    words = ["atlas", "-o", str(tmp_path / "site"), "-q", "--workers", "1"]
    assert cli.main(words) == 1
    out, err = capsys.readouterr()
    assert out.strip() == str(tmp_path / "site" / "index.html")
    assert "no such cost" in err
    assert "has no estimate: no such cost" in (tmp_path / "site/units/lut_table.html").read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "chromium is missing; run `make tools`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"])
def opened(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A window, which must neither fail, nor say so, nor ask for anything."""
    wrong: list[str] = []
    with browser.new_context(
        viewport={"width": 1200, "height": 900}, color_scheme=request.param
    ) as context:
        shown = context.new_page()
        shown.set_default_timeout(TIMEOUT_MS)
        shown.on("pageerror", lambda error: wrong.append(str(error)))
        shown.on("console", lambda said: wrong.append(said.text))
        shown.on(
            "request",
            lambda asked: (
                None if asked.url.startswith(("file:", "data:")) else wrong.append(asked.url)
            ),
        )
        yield shown
    assert not wrong


def luminance(colour: str) -> float:
    """Return the relative luminance of ``rgb(r, g, b)`` (WCAG 2.1)."""
    parts = [int(part) / 255 for part in colour[4:-1].split(",")]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_pages_are_readable_and_fit(opened: Page, site: Path) -> None:
    for path in sorted(site.rglob("*.html")):
        for width in (1200, 380):
            opened.set_viewport_size({"width": width, "height": 900})
            opened.goto(path.as_uri())
            assert opened.evaluate("document.documentElement.scrollWidth") <= width, path
        assert opened.evaluate("window.hacked") is None
        pairs = opened.evaluate(
            """() => [...document.querySelectorAll("h1, p, a, td, th, dd, dt, code, .quiet")].map(
              (element) => {
                let behind = element;
                const of = (one) => getComputedStyle(one).backgroundColor;
                while (behind.parentElement && of(behind) === "rgba(0, 0, 0, 0)") {
                  behind = behind.parentElement;
                }
                return [getComputedStyle(element).color, of(behind)];
              }).map(String)"""
        )
        for pair in set(pairs):
            front, back = (f"rgb({part})" for part in pair[4:-1].split("),rgb("))
            high, low = sorted([luminance(front), luminance(back)], reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (path, pair)


def visible(shown: Page) -> list[str]:
    return shown.eval_on_selector_all(
        ".formats tbody tr:not([hidden]) th", "(found) => found.map((one) => one.textContent)"
    )


def test_the_filter_changes_what_is_shown(opened: Page, site: Path) -> None:
    opened.goto((site / "index.html").as_uri())
    everything = visible(opened)
    assert {"e4m3", "posit8_1", "ifairy", HOSTILE} <= set(everything)
    opened.get_by_label("Search").fill("minifloat nan")
    assert visible(opened) == ["e4m3", "fp32"]
    assert f"2 of {len(everything)} formats" in opened.inner_text("output")
    opened.get_by_label("Bits").select_option("8")
    assert visible(opened) == ["e4m3"]
    opened.get_by_label("Search").fill("no such format")
    assert opened.inner_text("output") == "No format passes this filter."
    opened.get_by_label("Search").fill("")
    opened.get_by_label("Bits").select_option("")
    opened.get_by_label("Family").select_option("integer")
    assert visible(opened) == ["int4", "int8", "ternary"]


def test_everything_is_reached_by_keyboard(opened: Page, site: Path) -> None:
    opened.goto((site / "index.html").as_uri())
    reached = []
    for _ in range(80):
        opened.keyboard.press("Tab")
        reached.append(
            opened.evaluate(
                "document.activeElement.name || document.activeElement.ariaLabel"
                " || document.activeElement.textContent"
            )
        )
    for name in ("text", "family", "bits", "Formats", "e4m3", "mxfp4", FAMILY):
        assert name in reached
    # A table sorts by its heading: largest value first at the second press.
    opened.goto((site / "formats" / "e2m1.html").as_uri())
    heading = opened.get_by_role("button", name="value")
    for first, direction in (("−6", "ascending"), ("6", "descending")):
        heading.focus()
        opened.keyboard.press("Enter")
        assert opened.inner_text(".codes tbody tr:first-child td:nth-child(3)") == first
        assert opened.get_attribute(".codes th[aria-sort]", "aria-sort") == direction
    opened.keyboard.press("Tab")
    opened.focus(".codes")
    opened.keyboard.press("End")
    opened.wait_for_function("() => document.querySelector('.codes').scrollTop > 0")


def test_markup_is_not_escaped_twice() -> None:
    assert tag("p", tag("b", "<"), None, "&") == "<p><b>&lt;</b>&amp;</p>"
    assert isinstance(tag("input", hidden=True, name="x", value=None), Markup)
    assert tag("input", hidden=True, data_value=3) == '<input hidden data-value="3">'
    assert format_page.page(survey(["int4"], []), parse_scalar("int4")).count("&amp;lt;") == 0
