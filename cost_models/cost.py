"""The cost of one unit in one technology."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Method = Literal["estimate", "synthesis"]


@dataclass(frozen=True)
class Cost:
    """Cost of a unit; wires, clock tree and placement are not part of any number.

    Attributes
    ----------
    unit, technology
        Names of the unit and of the technology.
    method
        ``estimate`` or ``synthesis``; the two are different kinds of number.
    area_um2
        Sum of cell areas in um^2.
    delay_ns
        Shortest clock period in ns, flip-flop setup included, inputs and outputs without delay
        of their own.
    settled_pj
        Settled energy: dynamic energy per clock cycle in pJ at full throughput if every net
        changes at most once a cycle, clock pins included, glitches and leakage excluded.
    clock_pj
        The part of ``settled_pj`` that the clock pins of the flip-flops take in every cycle.
    glitch_pj
        Energy per cycle in pJ that hazards add: that of a simulation in which every cell takes one
        unit of time, minus that without delays; an upper bound, as real gates swallow short pulses.
    leakage_nw
        Leakage power in nW.
    macs_per_cycle
        Multiply-accumulates per clock cycle at full throughput.
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
    provenance: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"<Cost of {self.unit}, {self.technology}, {self.method}: {self.area_um2:.5g} um2, "
            f"{self.delay_ns:.5g} ns, {self.energy_per_mac:.5g} pJ/MAC, "
            f"{self.macs_per_cycle:.5g} MAC/cycle>"
        )

    @property
    def fmax_mhz(self) -> float:
        """Highest clock frequency in MHz."""
        return 1e3 / self.delay_ns

    @property
    def area_per_mac(self) -> float:
        """Area in um^2 for one multiply-accumulate per cycle."""
        return self.area_um2 / self.macs_per_cycle

    @property
    def energy_pj(self) -> float:
        """Dynamic energy per clock cycle in pJ, glitches included: as these, an upper bound."""
        return self.settled_pj + self.glitch_pj

    @property
    def energy_per_mac(self) -> float:
        """Dynamic energy of one multiply-accumulate in pJ, glitches included."""
        return self.energy_pj / self.macs_per_cycle

    @property
    def settled_energy_per_mac(self) -> float:
        """Dynamic energy of one multiply-accumulate in pJ, glitches excluded."""
        return self.settled_pj / self.macs_per_cycle

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and the derived figures as plain values for JSON."""
        return asdict(self) | {
            "fmax_mhz": self.fmax_mhz,
            "area_per_mac": self.area_per_mac,
            "energy_pj": self.energy_pj,
            "energy_per_mac": self.energy_per_mac,
            "settled_energy_per_mac": self.settled_energy_per_mac,
        }
