"""What a page is made of: the points of sweeps, published figures, and what explains them.

Points that may be compared are of one *target*: a technology at a clock, a workload, a method, and
the tensors and network that quality was measured on. Fronts are of a target. Published figures are
targets of their own, a node each, and on no front.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from cost_models import published, technology
from cost_models.bands import LEVELS, RATIO_LEVEL, error_key
from cost_models.phrases import corner_phrase
from hwsim.errors import InputError
from hwsim.units import FAMILIES, manual
from sweeps import labels
from sweeps.metrics import METRICS
from sweeps.page.columns import encoded
from sweeps.table import Row, errors_of, read_failed, read_parquet

#: Kinds of points by method, and what is said of each.
METHODS = {
    "estimate": "estimated by a model that was fitted to synthesis",
    "interpolated": "interpolated from estimates of units with other lanes and accumulators",
    "synthesis": "synthesised: mapped by Yosys, measured by OpenSTA",
    "fpga": "placed and routed for an FPGA",
    "published": "as papers print them; other tools, libraries and operands",
}
#: Metrics of published figures: names and units of measure of the sources, and the page's.
PUBLISHED = {
    ("area_per_mac", "um^2"): "area_um2_per_mac_per_cycle",
    ("energy_per_mac", "pJ"): "energy_pj_per_mac",
}
#: What targets differ in.
TARGET = (
    "method", "technology", "clock_ns", "objective", "clock_gating", "workload", "tensors", "match",
    "group", "network",
)  # fmt: skip
#: Ends of the names of columns that are the error of another, which the page has by metric.
_BAND = "_ratio_error_percent"


def content(folders: Sequence[Path]) -> dict[str, Any]:
    """Return what the page of the sweeps in ``folders`` holds, as plain values for JSON.

    Raises
    ------
    InputError
        As :func:`sweeps.page.write` does.
    """
    if twice := [folder for place, folder in enumerate(folders) if folder in folders[:place]]:
        raise InputError(f"{twice[0]} stands twice")
    tables = [read_parquet(folder) for folder in folders]
    sweeps = _named([_sweep(*one) for one in zip(folders, tables, strict=True)])
    rows = [row for one in zip(sweeps, tables, strict=True) for row in _rows(*one)]
    objectives = sweeps[0]["objectives"]
    rows += _published({row["method"] for row in rows})
    targets, codes = _targets(rows)
    limits = _limits(sweeps)
    named = {*objectives, *(limit["metric"] for limit in limits)}
    metrics = [
        name for name in METRICS if name in named or any(row.get(name) is not None for row in rows)
    ]
    return {
        "title": " · ".join(dict.fromkeys(sweep["name"] for sweep in sweeps)),
        "sweeps": sweeps,
        "objectives": objectives,
        "limits": limits,
        "methods": METHODS,
        "levels": LEVELS,
        "ratioLevel": RATIO_LEVEL,
        "metrics": [_metric(name, rows) for name in metrics],
        "parts": _parts(rows),
        "families": {name: _family(name) for name in _names(rows, "family") if name in FAMILIES},
        "targets": targets,
        "count": len(rows),
        "columns": {"target": encoded(codes)}
        | {
            name: encoded([row.get(name) for row in rows])
            for name in dict.fromkeys(name for row in rows for name in row)
            if not name.endswith(_BAND)
        },
    }


def _sweep(folder: Path, table: pa.Table) -> dict[str, Any]:
    """Return what is said of a sweep."""
    metadata = {
        key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()
    }
    if "objectives" not in metadata:
        raise InputError(
            f"{folder}: its results are of a version that kept no objectives; run the sweep into "
            "it again, which computes no point that is still valid"
        )
    told = ("sweep", "objectives", "constraints")
    return {
        "name": metadata["sweep"],
        "folder": folder.name,
        "points": table.num_rows,
        "failed": _failures(folder),
        "objectives": json.loads(metadata["objectives"]),
        "constraints": json.loads(metadata["constraints"]),
        "versions": {k: v for k, v in metadata.items() if k not in told and ":" not in k},
    }


def _rows(sweep: Mapping[str, Any], table: pa.Table) -> list[Row]:
    """Return the points of a sweep, each with a label that no other of its family has."""
    rows: list[Row] = table.to_pylist()
    texts = labels.texts(rows, [False] * len(rows))
    return [
        {"label": text, "sweep": sweep["name"], **row}
        for text, row in zip(texts, rows, strict=True)
    ]


def _published(methods: set[str]) -> list[Row]:
    """Return the published figures that share metrics with units' costs, a row a unit."""
    found: dict[tuple[Any, ...], Row] = {}
    for one in published.load():
        name = PUBLISHED.get((one.metric, one.measure))
        if name is not None:
            key = (one.system, one.unit, one.weight, one.activation, one.node)
            row = found.setdefault(key, _described(one))
            row[name] = one.value
    return list(found.values()) if methods else []


def _described(one: published.Published) -> Row:
    return {
        "label": f"{one.weight} × {one.activation} · {one.unit}",
        "unit": f"{one.system}: {one.unit}",
        "family": one.system,
        "weight": one.weight,
        "activation": one.activation,
        "technology": f"{one.node} nm",
        "method": one.kind,
        "source": one.source,
        "note": one.note,
        "feasible": True,
    }


def _targets(rows: Iterable[Row]) -> tuple[list[dict[str, str]], list[int]]:
    """Return the targets, and for each row which it is of."""
    found: dict[tuple[Any, ...], int] = {}
    codes = [found.setdefault(tuple(map(row.get, TARGET)), len(found)) for row in rows]
    keys = [dict(zip(TARGET, key, strict=True)) for key in found]
    own = [key for key in keys if key["method"] != "published"]
    differing = {name for name in TARGET if len({key[name] for key in own}) > 1}
    return [_target(key, differing) for key in keys], codes


def _target(key: Mapping[str, Any], differing: set[str]) -> dict[str, str]:
    clock = "each at its own fmax"
    if key["clock_ns"] is not None:
        clock = f"clock of {key['clock_ns']:g} ns"
    elif key["objective"] == "density":
        clock = "each at its best density"
    elif key["method"] == "published":
        clock = ""
    gates = "clock gates" if key["clock_gating"] else ""
    said = [key["technology"], clock, gates, key["workload"]]
    said += [key[name] for name in ("tensors", "match", "network") if name in differing]
    if "group" in differing and key["group"] is not None:
        said.append(f"groups of {key['group']:g}")
    return {
        "name": " · ".join(filter(None, said)),
        "method": key["method"],
        "technology": key["technology"],
        "corner": _corner(key["technology"], key["method"]),
    }


def _corner(name: str, method: str) -> str:
    """Return the corner of a technology that comes with hwsim, and empty text for others."""
    if method not in ("estimate", "interpolated") or name not in technology.shipped():
        return ""
    return corner_phrase(technology.load(name).provenance["corner"])


def _limits(sweeps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the ends of constraints, each a limit of the page; of one sweep if not of all."""
    ends = [list(_ends(sweep["constraints"])) for sweep in sweeps]
    shared = [one for one in ends[0] if all(one in others for others in ends)]
    own = [
        {**one, "sweep": sweep["name"]}
        for sweep, several in zip(sweeps, ends, strict=True)
        for one in several
        if one not in shared
    ]
    return [*shared, *own]


def _ends(constraints: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in constraints:
        for end, key in (("min", "minimum"), ("max", "maximum")):
            if one[key] is not None:
                yield {"metric": one["metric"], "end": end, "value": one[key]}


def _named(sweeps: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return sweeps of different names: with the folder where several have one, and a number."""
    for tell in (lambda sweep, _: sweep["folder"], lambda _, place: f"folder {place}"):
        counts = Counter(sweep["name"] for sweep in sweeps)
        sweeps = [
            {**one, "name": f"{one['name']} ({tell(one, place)})"}
            if counts[one["name"]] > 1
            else one
            for place, one in enumerate(sweeps, 1)
        ]
    return list(sweeps)


def _failures(folder: Path) -> list[dict[str, Any]]:
    """Return what is said of a sweep's points that failed: for each reason which ones did."""
    designs: dict[str, list[str]] = {}
    for row in read_failed(folder):
        designs.setdefault(row["reason"], []).append(row["design"])
    return [{"reason": reason, "designs": several} for reason, several in designs.items()]


def _metric(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Return how a metric is shown, and each point's part in the error of a difference."""
    metric = METRICS[name]
    errors = errors_of([row if row.get(name) is not None else {name: 0.0} for row in rows], name)
    return {
        "name": name,
        "label": metric.label,
        "maximise": metric.maximise,
        "log": metric.log,
        "ratio": bool(metric.quantity),
        "quality": metric.is_quality,
        # Equal perplexities are one measurement, of the same formats.
        "same": name == "perplexity",
        "errors": {
            level: f"{name}_{error_key(level)}"
            for level in LEVELS
            if any(row.get(f"{name}_{error_key(level)}") is not None for row in rows)
        },
        "band": encoded(errors.tolist()),
    }


def _parts(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return what costs are the sums of: columns with what each is called."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    energy = {
        "data_energy_pj_per_mac": "data",
        "clock_energy_pj_per_mac": "clock pins",
        "glitch_energy_pj_per_mac": "glitches",
    }
    found = [{"metric": "energy_pj_per_mac", "columns": energy}]
    for metric in ("energy_j_per_item", "area_mm2"):
        start = f"{metric}_of_"
        columns = {n: n.removeprefix(start).replace("_", " ") for n in names if n.startswith(start)}
        found.append({"metric": metric, "columns": columns})
    return [one for one in found if set(one["columns"]) & set(names)]


def _family(name: str) -> dict[str, Any]:
    """Return what a family is, and what its parameters mean."""
    meanings = {one.name: one.meaning for one in manual.parameters(name)}
    return {"summary": manual.summary(name), "parameters": meanings}


def _names(rows: Iterable[Row], column: str) -> dict[str, None]:
    return dict.fromkeys(row[column] for row in rows)
