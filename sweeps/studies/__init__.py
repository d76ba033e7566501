"""Studies: measurements that answer one question, each a page of Markdown.

A study is a module here with a function ``page``, which takes the options that ``Study.takes``
names and returns a :class:`sweeps.studies.page.Page`; and a line in ``STUDIES``.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hwsim.errors import InputError, check_known

if TYPE_CHECKING:
    from cost_models.synthesis.liberty import Library
    from sweeps.studies.page import Page

#: ``technology``: the name of one to estimate in. ``libraries``: opened ones, by technology.
#: ``families``: names of units' families, or none for all.
#: ``text``: a file that decoders predict, or None. ``device``: where torch computes, or None.
#: ``results``: the folder of a sweep.
Option = Literal["technology", "libraries", "families", "text", "device", "results"]

#: The only library that is found by itself.
INSTALLED = "osu018"


@dataclass(frozen=True)
class Study:
    """What the list of studies says of one, and what it takes."""

    name: str
    summary: str
    takes: tuple[Option, ...] = ()

    def page(self, **options: Any) -> "Page":
        """Return the page, of which nothing is measured yet."""
        made: Page = import_module(f"{__name__}.{self.name}").page(**options)
        return made


STUDIES = {
    study.name: study
    for study in (
        Study("accumulation", "what summing costs: area, delay and energy by format and lanes"),
        Study("accuracy", "what formats cost networks: perplexity, embeddings", ("text", "device")),
        Study("arithmetic", "energy and area at equal SQNR, of a sweep's units", ("results",)),
        Study("bitmod", "BitMoD: area, energy, and the error of its sums", ("libraries",)),
        Study("external", "the estimates beside published numbers", ("libraries",)),
        Study("gating", "clock gates: area and energy, BitMoD by type of weights", ("libraries",)),
        Study("hazards", "which of two formats takes less, by how hazards count", ("libraries",)),
        Study(
            "lut", "tables, adders or multipliers for narrow weights", ("technology", "libraries")
        ),
        Study("memory", "memories, other nodes, published costs: what the commands print"),
        Study("operands", "what other operands do to the energy", ("technology",)),
        Study("peers", "our arithmetic beside public RTL, by one flow", ("libraries",)),
        Study("rmmec", "RMMEC: area and energy per mode against fixed units", ("libraries",)),
        Study("speedups", "BitMoD's speed-ups, by its assumptions and by our own model"),
        Study("stages", "pipeline stages: period and throughput per area", ("libraries",)),
        Study("verification", "faults that verify finds, and what is proved", ("families",)),
    )
}


def find(name: str) -> Study:
    """Return a study; InputError for an unknown name."""
    check_known("study", name, STUDIES)
    return STUDIES[name]


@contextmanager
def opened(files: Sequence[Path]) -> "Iterator[dict[str, Library]]":
    """Yield libraries by technology, told from the names of their files.

    Raises
    ------
    InputError
        For a file that no technology was fitted to, and as :func:`liberty.opened`.
    """
    from cost_models import technology
    from cost_models.synthesis import liberty

    known = {
        Path(file).name.removesuffix(".gz"): name
        for name in technology.names()
        for file in technology.load(name).provenance["libraries_sha256_prefix"]
    }
    by_technology: dict[str, list[Path]] = {}
    for file in files:
        plain = file.name.removesuffix(".gz")
        if plain not in known:
            raise InputError(f"--liberty {file}: allowed: {', '.join(known)}, .gz or not")
        by_technology.setdefault(known[plain], []).append(file)
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(liberty.opened(name, some))
            for name, some in by_technology.items()
        }
