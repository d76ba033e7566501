"""The page of a report: what it holds, and what a browser makes of it."""

import base64
import csv
import json
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from hwsim import cli
from hwsim.errors import InputError
from sweeps import page, table
from sweeps.page.columns import encoded
from sweeps.page.content import content

OBJECTIVES = ("area_um2_per_mac_per_cycle", "energy_pj_per_mac", "output_sqnr_db")
HOSTILE = '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1">"\u2028'
COUNT = 60
#: Of a browser on a machine that is busy with other tests.
TIMEOUT_MS = 120_000


def made_up(name: str = "made up") -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return points of two technologies and two methods, and metadata of a sweep."""
    random = np.random.default_rng(1)
    rows = []
    for k in range(COUNT):
        bits = int(random.choice([2, 4, 8]))
        area = float(np.exp(random.normal(5, 0.5)) * bits)
        rows.append({
            "unit": f"unit_{k}",
            "family": ["integer", "bit_serial", "float"][k % 3],
            "weight": f"int{bits}",
            "activation": "int8",
            "lanes": 2 ** (k % 5),
            "parameters": f"accumulator_bits={20 + k} state=None",
            "verilog": None,
            "technology": ["sky130", "asap7"][k % 2],
            "clock_ns": 8.0,
            "objective": "clock",
            "method": "synthesis" if k % 10 == 2 else "estimate",
            "area_um2_per_mac_per_cycle": area,
            "energy_pj_per_mac": area * float(np.exp(random.normal(-5, 0.3))),
            "data_energy_pj_per_mac": area * 0.003,
            "glitch_energy_pj_per_mac": area * 0.001,
            "output_sqnr_db": 3.0 * bits + float(random.normal(0, 3)),
            "output_sqnr_error_db": 1.0,
            "macs_per_cycle": 1.0,
            "weight_bits_per_element": float(bits),
            "activation_bits_per_element": 8.0,
            "exact_arithmetic": True,
            "area_um2_per_mac_per_cycle_error_68_percent": 4.0,
            "area_um2_per_mac_per_cycle_error_95_percent": 9.0,
            "area_um2_per_mac_per_cycle_ratio_error_percent": 25.0,
            "energy_pj_per_mac_ratio_error_percent": 40.0,
            "feasible": True,
        })  # fmt: skip
    return rows, {"sweep": name, "objectives": json.dumps(OBJECTIVES), "constraints": "[]"}


def stored(folder: Path, rows: list[dict[str, Any]], metadata: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.Table.from_pylist(rows).replace_schema_metadata(metadata), folder / table.FILE
    )
    return folder


def test_columns_are_bit_for_bit() -> None:
    numbers = [0.1, 1 / 3, float("inf"), None]
    column = encoded(numbers)
    found = np.frombuffer(base64.b64decode(column["numbers"]), "<f8")
    assert found[:3].tolist() == numbers[:3]
    assert np.isnan(found[3])
    assert encoded(["a"] * 3) == {"all": "a"}
    assert encoded([None, None]) == {"all": None}
    levels = encoded([k % 300 for k in range(1000)])
    assert levels["bytes"] == 2
    codes = np.frombuffer(base64.b64decode(levels["codes"]), "<u2")
    assert [levels["levels"][code] for code in codes] == [k % 300 for k in range(1000)]
    assert encoded(["a", None, "b"]) == {"text": ["a", None, "b"]}


def test_a_page_holds_points_constraints_and_published_figures(tmp_path: Path) -> None:
    rows, metadata = made_up()
    limit = {"metric": "energy_pj_per_mac", "minimum": None, "maximum": 5.0}
    folder = stored(tmp_path / "a", rows, metadata | {"constraints": json.dumps([limit])})
    found = content([folder])
    assert found["limits"] == [{"metric": "energy_pj_per_mac", "end": "max", "value": 5.0}]
    assert found["objectives"] == list(OBJECTIVES)
    assert found["count"] > COUNT
    methods = {one["method"] for one in found["targets"]}
    assert methods == {"estimate", "synthesis", "published"}
    assert {one["name"] for one in found["targets"]} >= {"sky130 · clock of 8 ns", "28 nm"}
    assert found["families"]["integer"]["summary"]


def test_constraints_of_one_sweep_are_not_of_the_others(tmp_path: Path) -> None:
    rows, metadata = made_up()
    energy = {"metric": "energy_pj_per_mac", "minimum": None, "maximum": 5.0}
    area = {"metric": "area_um2", "minimum": 1.0, "maximum": 900.0}
    other = area | {"minimum": 2.0}
    folders = [
        stored(tmp_path / name, rows, metadata | {"constraints": json.dumps(limits)})
        for name, limits in (("a", [energy, area]), ("b", [other]))
    ]
    found = content(folders)
    assert found["limits"] == [
        {"metric": "area_um2", "end": "max", "value": 900.0},
        {"metric": "energy_pj_per_mac", "end": "max", "value": 5.0, "sweep": "made up (a)"},
        {"metric": "area_um2", "end": "min", "value": 1.0, "sweep": "made up (a)"},
        {"metric": "area_um2", "end": "min", "value": 2.0, "sweep": "made up (b)"},
    ]  # fmt: skip


def test_sweeps_of_one_name_are_told_apart(tmp_path: Path) -> None:
    rows, metadata = made_up()
    folders = [stored(tmp_path / name, rows, metadata) for name in ("a", "b", "c/b")]
    folders.append(stored(tmp_path / "d", *made_up("another")))
    assert [sweep["name"] for sweep in content(folders)["sweeps"]] == [
        "made up (a)", "made up (b) (folder 2)", "made up (b) (folder 3)", "another",
    ]  # fmt: skip


def test_a_metric_that_no_point_has_may_be_limited(tmp_path: Path) -> None:
    rows, metadata = made_up()
    limit = {"metric": "slack_ns", "minimum": 0.0, "maximum": None}
    rows = [{**row, "slack_ns": None} for row in rows]
    found = content([stored(tmp_path, rows, metadata | {"constraints": json.dumps([limit])})])
    assert "slack_ns" in [metric["name"] for metric in found["metrics"]]


def failures(folder: Path, reasons: list[str], column: str = "reason") -> None:
    with (folder / table.FAILURES).open("w", newline="") as file:
        writer = csv.DictWriter(file, ["design", column])
        writer.writeheader()
        writer.writerows({"design": f"unit_{k}", column: said} for k, said in enumerate(reasons))


def test_points_that_failed_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, metadata = made_up()
    folder = stored(tmp_path / "a", rows, metadata)
    failures(folder, ["too wide", "no cell", "too wide"])
    (sweep,) = content([folder])["sweeps"]
    assert sweep["failed"] == [
        {"reason": "too wide", "designs": ["unit_0", "unit_2"]},
        {"reason": "no cell", "designs": ["unit_1"]},
    ]
    failures(folder, ["too wide"], "why")
    with pytest.raises(InputError, match=r"failed\.csv is no table of failed points"):
        content([folder])
    (tmp_path / "none").mkdir()
    failures(tmp_path / "none", ["too wide"])
    assert cli.main(["report", str(tmp_path / "none")]) == 2
    assert "none: all of its points failed; failed.csv says why" in capsys.readouterr().err


def test_folders_that_make_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, metadata = made_up()
    old = stored(tmp_path / "old", rows, {"sweep": "old"})
    good = stored(tmp_path / "good", rows, metadata)
    with pytest.raises(InputError, match="kept no objectives; run the sweep"):
        content([old])
    with pytest.raises(InputError, match="stands twice"):
        content([good, good])
    assert cli.main(["report", str(tmp_path / "none")]) == 2
    assert "run a sweep into" in capsys.readouterr().err


def test_a_page_is_inert(tmp_path: Path) -> None:
    rows, metadata = made_up(HOSTILE)
    folder = stored(tmp_path / "a", [{**row, "unit": HOSTILE} for row in rows], metadata)
    text = page.page(content([folder]))
    assert "<script>window" not in text
    assert text.count("</script>") == text.count("<script")
    assert "http-equiv" in text


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program, "chromium is missing; run `make tools`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page whose sweep has a name that would be markup."""
    folder = tmp_path_factory.mktemp("report")
    rows, metadata = made_up(HOSTILE)
    rows[0]["parameters"] = f"note={HOSTILE}"
    stored(folder / "sweep", rows, metadata)
    failures(folder / "sweep", [HOSTILE] * 9)
    assert cli.main(["report", str(folder / "sweep"), "-o", str(folder / "report.html")]) == 0
    return folder / "report.html"


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Page]:
    """The page, which must neither fail, nor say so, nor ask for anything."""
    wrong: list[str] = []
    with browser.new_context(viewport={"width": 1300, "height": 900}) as context:
        shown = context.new_page()
        shown.set_default_timeout(TIMEOUT_MS)
        shown.on("pageerror", lambda error: wrong.append(str(error)))
        shown.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        shown.on(
            "request", lambda request: wrong.append(request.url) if not _own(request) else None
        )
        shown.goto(report.as_uri())
        settle(shown)
        yield shown
    assert not wrong


def _own(request: Any) -> bool:
    return request.url.startswith(("file:", "data:", "blob:"))


def settle(shown: Page) -> None:
    """Wait until the band is known, which comes last."""
    shown.wait_for_function("page.view && page.view.within !== null && page.chart")


@contextmanager
def settled(browser: Browser, path: Path) -> Iterator[Page]:
    """Open a page of its own and wait for it."""
    with browser.new_context() as context:
        shown = context.new_page()
        shown.set_default_timeout(TIMEOUT_MS)
        shown.goto(path.as_uri())
        settle(shown)
        yield shown


def flags(shown: Page) -> dict[str, list[int]]:
    return shown.evaluate(
        "() => ({shown: [...page.view.shown.keys()].filter((row) => page.view.shown[row]),"
        " optimal: [...page.view.optimal], within: [...page.view.within],"
        " axes: [...page.view.axisFronts.values()].flat(),"
        " names: [page.state.x, page.state.y]})"
    )


def check_fronts(shown: Page) -> dict[str, list[int]]:
    """The fronts of the page are those of :mod:`sweeps.pareto` among what is shown."""
    rows, _ = made_up()
    found = flags(shown)
    targets: dict[tuple[str, str], list[int]] = {}
    for index in found["shown"]:
        if index < COUNT:
            key = rows[index]["technology"], rows[index]["method"]
            targets.setdefault(key, []).append(index)
    expected: dict[str, set[int]] = {"optimal": set(), "within": set(), "axes": set()}
    for chosen in targets.values():
        together = [rows[index] for index in chosen]
        optimal = table.front(together, OBJECTIVES)
        within = table.front_within_band(together, OBJECTIVES) & ~optimal
        axes = table.front(together, found["names"])
        for name, flag in (("optimal", optimal), ("within", within), ("axes", axes)):
            expected[name] |= {index for index, is_one in zip(chosen, flag, strict=True) if is_one}
    for name, indices in expected.items():
        assert set(found[name]) == indices, name
    return found


def test_nothing_that_a_file_says_runs(opened: Page) -> None:
    assert opened.evaluate("window.hacked") is None
    assert "<script>" in opened.inner_text("#title")
    opened.click("#failed summary")
    assert "9 points failed and are not shown." in opened.inner_text("#failed")
    assert "unit_6, unit_7 and 1 more" in opened.inner_text("#failed")


def test_filters_change_what_is_shown_and_the_fronts(opened: Page) -> None:
    first = check_fronts(opened)
    assert first["names"] == [OBJECTIVES[0], OBJECTIVES[-1]]
    assert first["optimal"]
    assert first["within"]
    for name in ("sky130 · clock of 8 ns (estimate)", "asap7 · clock of 8 ns (estimate)"):
        opened.get_by_role("button", name=name).click()
        settle(opened)
    opened.get_by_role("button", name="bit_serial").click()
    settle(opened)
    found = check_fronts(opened)
    rows, _ = made_up()
    assert {rows[index]["family"] for index in found["shown"]} == {"bit_serial"}
    assert {rows[index]["technology"] for index in found["shown"]} == {"asap7"}
    opened.get_by_label("output_sqnr_db min").first.fill("12")
    opened.keyboard.press("Enter")
    settle(opened)
    limited = check_fronts(opened)
    assert set(limited["shown"]) < set(found["shown"])
    assert all(rows[index]["output_sqnr_db"] >= 12 for index in limited["shown"])
    opened.select_option("#y", "energy_pj_per_mac")
    settle(opened)
    assert check_fronts(opened)["names"][1] == "energy_pj_per_mac"
    # The address keeps all of it.
    opened.wait_for_function("location.hash.includes('limits')")
    before = flags(opened)
    opened.reload()
    settle(opened)
    assert flags(opened) == before


def test_kinds_of_figures_are_drawn_apart(opened: Page) -> None:
    opened.get_by_role("button", name="sky130 · clock of 8 ns (estimate)").click()
    settle(opened)
    check_fronts(opened)
    opened.select_option("#y", "energy_pj_per_mac")
    settle(opened)
    symbols = opened.evaluate(
        "[...new Set(page.chart.element.data.flatMap((trace) => trace.marker?.symbol ?? []))]"
    )
    assert {"circle", "square", "diamond"} <= set(symbols)
    legend = opened.inner_text("#legend")
    assert "estimate:" in legend
    assert "published: as papers print them" in legend


def place(shown: Page, row: int) -> tuple[float, float]:
    """Where a point is in the window."""
    x, y = shown.evaluate(
        """(row) => {
          const { _fullLayout: { xaxis, yaxis } } = page.chart.element;
          const box = page.chart.element.getBoundingClientRect();
          const [x, y] = page.chart.axes.map(({ values }) => values[row]);
          return [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)];
        }""",
        row,
    )
    return x, y


def test_hover_and_click_show_a_point(opened: Page) -> None:
    rows, _ = made_up()
    row = flags(opened)["optimal"][0]
    opened.mouse.move(*place(opened, row), steps=3)
    opened.wait_for_selector("#tip:not([hidden])")
    tip = opened.inner_text("#tip")
    assert f"{rows[row]['area_um2_per_mac_per_cycle']:.4g} ± 4 / 9 %" in tip
    assert "Pareto-optimal" in tip
    opened.mouse.click(*place(opened, row))
    opened.wait_for_selector("#details article")
    text = opened.inner_text("#details")
    one = rows[row]
    words = f"{one['family']} lanes={one['lanes']} weight={one['weight']} activation=int8"
    assert f"hwsim generate {words} accumulator_bits={20 + row} -o verilog" in text
    assert f"hwsim verify {words}" in text
    assert "75 %" in text  # Of the energy, data.


def test_the_chart_is_used_by_keyboard(opened: Page) -> None:
    for _ in range(80):
        opened.keyboard.press("Tab")
        if opened.evaluate("document.activeElement.id") == "chart":
            break
    else:
        pytest.fail("Tab does not reach the chart")
    opened.keyboard.press("ArrowRight")
    first = opened.inner_text("#status")
    opened.keyboard.press("Enter")
    opened.focus("#chart")
    opened.keyboard.press("ArrowRight")
    assert opened.inner_text("#status") != first
    opened.keyboard.press("c")
    assert "A to B" in opened.inner_text("#details")
    # Of a ratio of two, each with a part of 25 %.
    rows, _ = made_up()
    a, b = opened.evaluate("page.state.points")
    ratio = abs(np.log(rows[a][OBJECTIVES[0]] / rows[b][OBJECTIVES[0]]))
    verdict = "is better" if ratio > np.sqrt(2) * np.log1p(0.25) else "no: within the error"
    line = opened.locator("#details .wide tr", has_text="area per MAC/cycle")
    assert verdict in line.inner_text()
    opened.keyboard.press("Tab")
    opened.focus("#body tr:first-child")
    opened.keyboard.press("ArrowDown")
    assert opened.evaluate("document.activeElement.matches('#body tr:nth-child(2)')")


def focused(shown: Page) -> str:
    return shown.evaluate("document.activeElement.id || document.activeElement.dataset.row")


def test_the_table_is_used_by_keyboard(opened: Page) -> None:
    opened.focus("#body tr:nth-child(3)")
    row = focused(opened)
    opened.keyboard.press("Enter")
    assert focused(opened) == "details"
    assert opened.evaluate("page.state.points") == [int(row)]
    opened.keyboard.press("Escape")
    assert focused(opened) == row
    assert opened.evaluate("page.state.points") == []
    # Beside the first one; where one is closed, the focus stays there.
    opened.keyboard.press("Enter")
    opened.focus(f'#body tr[data-row="{row}"] + tr')
    opened.keyboard.press("Enter")
    opened.get_by_role("button", name="Close").first.press("Enter")
    assert focused(opened) == "details"
    # What is sorted or found out later is drawn again, and keeps the focus.
    opened.locator("#head button").first.focus()
    opened.keyboard.press("Enter")
    assert opened.evaluate("document.activeElement.dataset.heading") == "label"
    opened.focus("#chart")
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("Enter")
    opened.keyboard.press("Escape")
    assert focused(opened) == "chart"


def test_words_are_looked_for(opened: Page) -> None:
    rows, _ = made_up()
    for text, expected in (
        ("lanes=1", {k for k in range(COUNT) if rows[k]["lanes"] == 1}),
        ("weight=int4 Integer", {
            k for k in range(COUNT) if rows[k]["weight"] == "int4" and k % 3 == 0
        }),
        ("accumulator_bits=21", {1}),
    ):  # fmt: skip
        opened.get_by_role("button", name="Clear", exact=True).click()
        opened.evaluate("page.state.chosen = {}")
        opened.fill("#text", text)
        settle(opened)
        assert set(flags(opened)["shown"]) == expected, text


def test_a_limit_is_a_number(opened: Page) -> None:
    field = opened.get_by_label("output_sqnr_db min").first
    field.fill("abc")
    opened.keyboard.press("Enter")
    assert field.get_attribute("aria-invalid") == "true"
    assert field.input_value() == "abc"
    assert opened.evaluate("page.state.limits") == []


def test_limits_of_one_of_two_sweeps(browser: Browser, tmp_path: Path) -> None:
    rows, metadata = made_up()
    limit = {"metric": "output_sqnr_db", "minimum": 12.0, "maximum": None}
    limited = metadata | {"constraints": json.dumps([limit])}
    folders = [stored(tmp_path / "a", rows, limited), stored(tmp_path / "b", rows, metadata)]
    page.write(folders, tmp_path / "two.html")
    keeping = {k for k in range(COUNT) if rows[k]["output_sqnr_db"] >= 12}
    with settled(browser, tmp_path / "two.html") as shown:
        shown.evaluate("page.state.chosen = {}, page.changed()")
        settle(shown)
        expected = keeping | {*range(COUNT, 2 * COUNT)}
        assert {k for k in flags(shown)["shown"] if k < 2 * COUNT} == expected
        # The address tells the sweeps apart.
        shown.evaluate(f"page.state.points = [{COUNT}], page.shownAgain()")
        shown.reload()
        settle(shown)
        assert shown.evaluate("page.state.points") == [COUNT]
        assert shown.evaluate("page.state.limits.length") == 1


SPEC = """\
name: measured
technology: [sky130]
method: estimate
tensors: {path: my layers.npz, match: "w*", group: 8}
units: [{unit: integer, weight: int4, activation: int4, lanes: 2}]
objectives: [energy_pj_per_mac, output_sqnr_db]
clock: 20
clock_gating: true
"""


def test_the_cost_command_gives_the_figures_of_the_page(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    random = np.random.default_rng(0)
    arrays = {"w": random.normal(size=(8, 16)), "w.input": 1 + random.normal(size=(4, 16)) / 9}
    np.savez(tmp_path / "my layers.npz", **arrays)
    (tmp_path / "s.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["sweep", "s.yaml", "-o", "out", "-q"]) == 0
    assert cli.main(["report", "out"]) == 0
    with settled(browser, tmp_path / "report.html") as shown:
        shown.focus("#body tr")
        shown.keyboard.press("Enter")
        details = shown.inner_text("#details")
        (command,) = [line for line in details.splitlines() if line.startswith("hwsim cost")]
    assert "Energies are of the weights of my layers.npz that match w*, in groups of 8" in details
    capsys.readouterr()
    assert cli.main([*shlex.split(command)[1:], "--json"]) == 0
    (cost,) = json.loads(capsys.readouterr().out)
    (row,) = table.read_parquet(Path("out")).to_pylist()
    for name in ("energy_pj_per_mac", "area_um2", "clock_ns", "weight_bits_per_element"):
        assert cost[name] == row[name], name
    of = {"operands": "my layers.npz", "match": "w*", "group": 8}
    assert {key: cost[key] for key in of} == of
    assert {key: row[key] for key in of} == of


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((-4, 4), ["0.0001", "0.001", "0.01", "0.1", "1", "10", "100", "1000", "10000"]),
        ((2, 3.4), ["100", "200", "500", "1000", "2000"]),
        ((3, 3.1), ["1000", "1050", "1100", "1150", "1200", "1250"]),
        ((-0.7, -0.2), ["0.2", "0.3", "0.4", "0.5", "0.6"]),
    ],
)
def test_logarithmic_axes_have_round_ticks(
    opened: Page, ends: tuple[float, float], expected: list[str]
) -> None:
    opened.evaluate(f"Plotly.relayout(page.chart.element, {{'xaxis.range': {list(ends)}}})")
    opened.wait_for_function("page.state.zoom !== null")
    assert opened.evaluate("page.chart.element.layout.xaxis.ticktext") == expected


def test_no_point_left_is_said(opened: Page) -> None:
    opened.fill("#text", "no such unit")
    opened.wait_for_selector("#empty:not([hidden])")
    assert "no such unit" in opened.inner_text("#why")
    opened.click("#reset")
    settle(opened)
    assert opened.is_hidden("#empty")
    assert flags(opened)["shown"]


def test_the_table_sorts_and_exports(opened: Page, tmp_path: Path) -> None:
    opened.get_by_role("button", name="energy per MAC (pJ)").last.click()
    with opened.expect_download() as download:
        opened.click("#csv")
    download.value.save_as(tmp_path / "points.csv")
    with (tmp_path / "points.csv").open(newline="") as file:
        saved = list(csv.DictReader(file))
    rows, _ = made_up()
    expected = sorted(
        (rows[k] for k in flags(opened)["shown"]), key=lambda r: r["energy_pj_per_mac"]
    )
    assert [row["unit"] for row in saved] == [row["unit"] for row in expected]
    for name in ("energy_pj_per_mac", "output_sqnr_db"):
        assert [float(row[name]) for row in saved] == [row[name] for row in expected]


def test_an_address_of_another_report_is_said(browser: Browser, report: Path) -> None:
    shown = browser.new_page()
    shown.set_default_timeout(TIMEOUT_MS)
    shown.goto(f"{report.as_uri()}#x=none&only.family=%5B%22none%22%5D&text=unit")
    assert shown.inner_text("#notice").endswith("x, only.family.")
    shown.close()


def test_a_narrow_screen_has_no_sideways_scroll(browser: Browser, report: Path) -> None:
    shown = browser.new_page(viewport={"width": 380, "height": 800}, color_scheme="dark")
    shown.set_default_timeout(TIMEOUT_MS)
    shown.goto(report.as_uri())
    settle(shown)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 380
    shown.close()
