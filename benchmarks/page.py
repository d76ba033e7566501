"""How fast the page of ``hwsim report`` is with many points.

    python benchmarks/page.py [--points 35000] [--chromium PROGRAM] [--keep DIR]

Points are made up, with the columns of a sweep. The page is opened in Chromium without a window,
which draws WebGL in software where there is no GPU. Times are the page's own: from the request to
the first paint and to the first frame with the chart, from a click on a filter to the end of the
script that it runs, and to the second frame after it. Beside the clock's times stands how long a
loop takes that does nothing but count, in units of what it takes alone: above 1 something else was
running.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from playwright.sync_api import Page, sync_playwright

from cost_models.bands import LEVELS, error_key
from hwsim.tables import plain
from sweeps.metrics import METRICS
from sweeps.page import write
from sweeps.table import FILE

FAMILIES = ("integer", "float", "posit", "bit_serial", "mx_dot", "nvfp4_dot", "lmul")
WEIGHTS = ("int2", "int4", "int8", "e2m1", "e4m3", "posit8_1", "fp16")
OBJECTIVES = ("area_um2_per_mac_per_cycle", "energy_pj_per_mac", "output_sqnr_db")
RUNS = 7
#: From a click to the second frame after it: the first may be under way already.
CLICK = """
(label) => new Promise((done) => {
  const chips = [...document.querySelectorAll("button.chip")];
  const chip = chips.find((one) => one.textContent.startsWith(label));
  const start = performance.now();
  chip.click();
  const script = performance.now() - start;
  const framed = () => done([script, performance.now() - start]);
  requestAnimationFrame(() => requestAnimationFrame(framed));
})
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=35_000)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the page there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        folder.mkdir(exist_ok=True)
        made_up(folder / FILE, options.points)
        start = time.process_time()
        write([folder], folder / "report.html")
        print(
            f"{options.points} points: written in {time.process_time() - start:.1f} s of processor"
        )
        print(f"{(folder / 'report.html').stat().st_size / 1e6:.1f} MB")
        measure(folder / "report.html", options.chromium)


def made_up(path: Path, count: int) -> None:
    """Write the results of a sweep that nobody ran."""
    random = np.random.default_rng(0)
    family = random.integers(0, len(FAMILIES), count)
    weight = random.integers(0, len(WEIGHTS), count)
    lanes = 2 ** random.integers(0, 7, count)
    bits = np.array([2, 4, 8, 4, 8, 8, 16])[weight]
    area = np.exp(random.normal(5, 0.6, count)) * bits
    columns = {
        "unit": [f"{FAMILIES[f]}_made_up_{k}" for k, f in enumerate(family)],
        "family": [FAMILIES[f] for f in family],
        "weight": [WEIGHTS[w] for w in weight],
        "activation": [WEIGHTS[w] for w in weight],
        "lanes": lanes,
        "parameters": [f"accumulator_bits={n}" for n in random.integers(16, 64, count)],
        "verilog": [None] * count,
        "technology": ["sky130"] * count,
        "clock_ns": [8.0] * count,
        "objective": ["clock"] * count,
        "method": ["estimate"] * count,
        **{
            name: area * np.exp(random.normal(0, 0.3, count))
            for name, metric in METRICS.items()
            if metric.needs in ("cost", "unit")
        },
        "weight_bits_per_element": bits.astype(float),
        "activation_bits_per_element": bits.astype(float),
        "output_sqnr_db": 6 * np.log2(area) - 25 + random.normal(0, 5, count),
        "output_sqnr_error_db": [0.0] * count,
        "exact_arithmetic": [True] * count,
        "feasible": [True] * count,
    }
    for name, metric in METRICS.items():
        if metric.quantity and metric.needs == "cost":
            columns |= {f"{name}_{error_key(level)}": 2.0 + family for level in LEVELS}
            columns[f"{name}_ratio_error_percent"] = 3.0 + family
    metadata = {"sweep": "made up", "objectives": json.dumps(OBJECTIVES), "constraints": "[]"}
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)


def measure(path: Path, chromium: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        alone = min(counting() for _ in range(5))
        rows = []
        for _ in range(RUNS):
            page = browser.new_page(viewport={"width": 1400, "height": 1000})
            page.set_default_timeout(300_000)
            before = counting()
            rows.append([*opened(page, path), *clicked(page), (before + counting()) / 2 / alone])
            page.close()
        browser.close()
    heads = ["first paint, ms", "chart, ms", "filter: script, ms", "filter: frame, ms", "busy"]
    best, middle = ([pick(column) for column in zip(*rows, strict=True)]
                    for pick in (min, statistics.median))  # fmt: skip
    print(plain(["of " + str(RUNS), *heads], [["least", *best], ["median", *middle]]))


def counting() -> float:
    start = time.perf_counter()
    sum(range(2_000_000))
    return time.perf_counter() - start


def opened(page: Page, path: Path) -> tuple[float, float]:
    page.goto(path.as_uri(), wait_until="commit")
    page.wait_for_selector("#chart[data-band]")
    entries = {
        entry["name"]: entry["startTime"]
        for entry in page.evaluate("performance.getEntries().map((entry) => entry.toJSON())")
    }
    return entries["first-contentful-paint"], entries["hwsim-chart"]


def clicked(page: Page) -> tuple[float, float]:
    """Return the medians over families, each switched on and off."""
    times = []
    for family in FAMILIES[:4] * 2:
        times.append(page.evaluate(CLICK, family))
        page.wait_for_timeout(400)
    script, frame = (statistics.median(column) for column in zip(*times, strict=True))
    return script, frame


if __name__ == "__main__":
    main()
