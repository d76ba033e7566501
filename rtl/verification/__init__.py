"""Proof that emitted Verilog equals the golden model: cocotb on Icarus, one bench for all units."""

from rtl.verification.run import Verdict, verify
from rtl.verification.suite import suite

__all__ = ["Verdict", "suite", "verify"]
