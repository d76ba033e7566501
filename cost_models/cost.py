"""The cost of one unit in one technology, and its metrics.

A cost has a few fields that are measured. Everything that follows from them is an attribute made by
:func:`_derived`, which also enters it in ``METRICS``: one definition says what it is and how it is
shown.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, Unpack, get_args

from cost_models.metric import Metric
from hwsim import tables
from hwsim.errors import InputError, check_known

if TYPE_CHECKING:
    from cost_models.wires import Wires

Method = Literal["estimate", "interpolated", "synthesis"]

#: What a unit is mapped for, unless a clock is given: the least area, the least delay, or the least
#: area times delay, which is its best GMAC/s/mm^2.
Objective = Literal["area", "speed", "density"]


def check_clock(clock_ns: float | None) -> None:
    """Refuse with InputError a clock period that is not positive."""
    if clock_ns is None:
        return
    number = isinstance(clock_ns, int | float) and not isinstance(clock_ns, bool)
    if not number or not 0 < clock_ns < math.inf:
        raise InputError(f"clock_ns={clock_ns!r}: allowed: a positive period in ns, or None")


def check_goal(objective: Objective, clock_ns: float | None) -> None:
    """Refuse with InputError an unknown objective, another one with a clock, and a wrong clock."""
    check_known("objective", objective, get_args(Objective))
    check_clock(clock_ns)
    if clock_ns is not None and objective != "area":
        raise InputError(
            f"objective={objective!r} with clock_ns={clock_ns}: allowed: an objective or a clock, "
            "which is met with the least area"
        )


def check_flags(**flags: bool) -> None:
    """Refuse with InputError what is neither True nor False."""
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise InputError(f"{name}={flag!r}: allowed: True, False")


class _Shown(TypedDict, total=False):
    heading: str
    maximise: bool
    log: bool
    additive: bool
    quantity: str


def _metric(name: str, label: str, **shown: Unpack[_Shown]) -> Metric:
    return Metric(name, label, attrgetter(f"cost.{name}"), **shown)


#: The metrics of a cost by name; those that are fields are here, and ``Cost`` adds the others.
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _metric("area_um2", "area (µm²)", heading="area µm²", quantity="area", additive=True),
        _metric("delay_ns", "delay (ns)", heading="delay ns", quantity="delay"),
        _metric("leakage_nw", "leakage (nW)", heading="leakage nW", additive=True),
        _metric("idle_pj", "energy of an idle cycle (pJ)", log=False),
        _metric("macs_per_cycle", "MACs per cycle", heading="MAC/cycle", maximise=True),
    )
}

_Value = TypeVar("_Value", float, float | None)


def _derived(
    label: str, **shown: Unpack[_Shown]
) -> Callable[[Callable[["Cost"], _Value]], Callable[["Cost"], _Value]]:
    """Enter what a property of a cost returns in ``METRICS``, under the property's name."""

    def enter(derivation: Callable[["Cost"], _Value]) -> Callable[["Cost"], _Value]:
        METRICS[derivation.__name__] = _metric(derivation.__name__, label, **shown)
        return derivation

    return enter


@dataclass(frozen=True)
class Cost:
    """Cost of a unit's cells; wires and clock tree are in no number but those that say so.

    Attributes
    ----------
    unit, technology
        Names of the unit and of the technology.
    method
        ``estimate`` or ``synthesis``, which are different kinds of number, or ``interpolated``,
        from estimates of similar units (:mod:`cost_models.anchors`).
    area_um2
        Sum of cell areas in um^2.
    delay_ns
        Shortest clock period in ns, from clock-to-output of the register before the operands, or of
        one in the unit, to setup of one in the unit or behind the results.
    settled_pj
        Settled energy: dynamic energy per clock cycle in pJ at full throughput if every net
        changes at most once a cycle, clock pins included, glitches and leakage excluded.
    clock_pj
        The part of ``settled_pj`` that the clock pins of the flip-flops take in every cycle.
    glitch_pj
        Energy per cycle in pJ that hazards add: that of a simulation with the delays of all cells,
        which swallow shorter pulses, minus that without delays.
    leakage_nw
        Leakage power in nW.
    idle_pj
        Dynamic energy in pJ of a cycle in which the unit is offered no beat, after its last result:
        ``i__valid`` is 0, ``o__ready`` 1, and the operands are held. Leakage is excluded.
    macs_per_cycle
        Multiply-accumulates per clock cycle at full throughput.
    macs_per_cycle_error
        Standard error of ``macs_per_cycle`` where cycles depend on operands, as these are a sample.
    clock_ns
        Clock period in ns that the unit is sized for and runs at; None for one that runs as fast as
        it can.
    wires
        What wires and a clock tree add, if that was asked for.
    provenance
        Where the numbers come from: versions, multiplier style, effort, library or coefficient set.
    """

    unit: str
    technology: str
    method: Method
    area_um2: float
    delay_ns: float
    settled_pj: float
    clock_pj: float
    glitch_pj: float
    leakage_nw: float
    macs_per_cycle: float
    macs_per_cycle_error: float = 0.0
    idle_pj: float = 0.0
    clock_ns: float | None = None
    wires: "Wires | None" = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"<Cost of {self.unit}, {self.technology}, {self.method}: {self.area_um2:.5g} um2, "
            f"{self.delay_ns:.5g} ns, {self.energy_pj_per_mac:.5g} pJ/MAC, "
            f"{self.macs_per_cycle:.5g} MAC/cycle>"
        )

    def _repr_html_(self) -> str:
        rows = [(METRICS[name].label, value) for name, value in self.metrics().items()]
        return tables.html((self.unit, f"{self.technology}, {self.method}"), rows)

    @property
    def energy_pj(self) -> float:
        """Dynamic energy per clock cycle in pJ, glitches included."""
        return self.settled_pj + self.glitch_pj

    @property
    @_derived("fmax (MHz)", heading="fmax MHz", maximise=True, quantity="delay")
    def fmax_mhz(self) -> float:
        """Highest clock frequency in MHz."""
        return 1e3 / self.delay_ns

    @property
    def period_ns(self) -> float:
        """Clock period in ns that the unit runs at: its clock, or the shortest that it takes."""
        return max(self.delay_ns, self.clock_ns or 0.0)

    @property
    @_derived("slack (ns)", heading="slack ns", maximise=True, log=False)
    def slack_ns(self) -> float | None:
        """Clock period minus ``delay_ns`` in ns, negative where the unit misses it; None without a
        clock."""
        return None if self.clock_ns is None else self.clock_ns - self.delay_ns

    @property
    @_derived("area per MAC/cycle (µm²)", quantity="area", additive=True)
    def area_um2_per_mac_per_cycle(self) -> float:
        """Area in um^2 for one multiply-accumulate per cycle."""
        return self.area_um2 / self.macs_per_cycle

    @property
    @_derived("energy per MAC (pJ)", heading="energy pJ/MAC", quantity="energy", additive=True)
    def energy_pj_per_mac(self) -> float:
        """Dynamic energy of one multiply-accumulate in pJ, glitches included."""
        return self.energy_pj / self.macs_per_cycle

    @property
    @_derived(
        "settled energy per MAC (pJ)", heading="settled", quantity="settled_energy", additive=True
    )
    def settled_energy_pj_per_mac(self) -> float:
        """Dynamic energy of one multiply-accumulate in pJ, glitches excluded."""
        return self.settled_pj / self.macs_per_cycle

    @property
    @_derived("data energy per MAC (pJ)", heading="data", log=False, additive=True)
    def data_energy_pj_per_mac(self) -> float:
        """The part of the settled energy of one multiply-accumulate in pJ that data take."""
        return (self.settled_pj - self.clock_pj) / self.macs_per_cycle

    @property
    @_derived("clock energy per MAC (pJ)", heading="clock", additive=True)
    def clock_energy_pj_per_mac(self) -> float:
        """The part of the settled energy of one multiply-accumulate in pJ that clock pins take."""
        return self.clock_pj / self.macs_per_cycle

    @property
    @_derived("glitch energy per MAC (pJ)", heading="glitches", log=False, additive=True)
    def glitch_energy_pj_per_mac(self) -> float:
        """What hazards add to the energy of one multiply-accumulate in pJ."""
        return self.glitch_pj / self.macs_per_cycle

    @property
    @_derived("throughput (GMAC/s)", heading="GMAC/s", maximise=True, quantity="delay")
    def gmacs_per_s(self) -> float:
        """Multiply-accumulates per time in GMAC/s at ``period_ns``."""
        return self.macs_per_cycle / self.period_ns

    @property
    @_derived("leakage per MAC (pJ)", heading="leakage pJ/MAC", additive=True)
    def leakage_pj_per_mac(self) -> float:
        """Leakage energy of one multiply-accumulate in pJ at ``period_ns``."""
        return self.leakage_nw * self.period_ns * 1e-6 / self.macs_per_cycle

    @property
    @_derived(
        "throughput per area (GMAC/s/mm²)", heading="GMAC/s/mm²", maximise=True,
        quantity="area_times_delay",
    )  # fmt: skip
    def gmacs_per_s_per_mm2(self) -> float:
        """Multiply-accumulates per time and area in GMAC/s/mm^2."""
        return self.gmacs_per_s / (self.area_um2 * 1e-6)

    @property
    @_derived("MACs per energy (GMAC/J)", heading="GMAC/J", maximise=True, quantity="energy")
    def gmacs_per_j(self) -> float:
        """Multiply-accumulates per energy in GMAC/J, glitches included, leakage excluded."""
        return 1e3 / self.energy_pj_per_mac

    @property
    def core_area_um2(self) -> float | None:
        """Area of the core that the cells are placed in, in um^2; None without wires."""
        return None if self.wires is None else self.wires.core_area_um2

    @property
    def delay_with_wires_ns(self) -> float | None:
        """Shortest clock period with wires in ns; None without."""
        return None if self.wires is None else self.delay_ns + self.wires.delay_ns

    @property
    def energy_with_wires_pj_per_mac(self) -> float | None:
        """Dynamic energy of one multiply-accumulate in pJ, glitches, wires and clock tree included;
        None without wires."""
        if self.wires is None:
            return None
        added = self.wires.settled_pj + self.wires.glitch_pj + self.wires.clock_pj
        return (self.energy_pj + added) / self.macs_per_cycle

    def metrics(self) -> dict[str, float | None]:
        """Return the metrics by name."""
        return {name: getattr(self, name) for name in METRICS}

    def to_dict(self) -> dict[str, Any]:
        """Return the metrics and what they are of as plain values for JSON."""
        wires = None if self.wires is None else asdict(self.wires) | self._with_wires()
        names = ("unit", "technology", "method", "clock_ns", "macs_per_cycle_error", "provenance")
        return self.metrics() | {name: getattr(self, name) for name in names} | {"wires": wires}

    def _with_wires(self) -> dict[str, float | None]:
        names = ("delay_with_wires_ns", "energy_with_wires_pj_per_mac")
        return {name: getattr(self, name) for name in names}
