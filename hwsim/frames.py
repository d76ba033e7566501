"""Tables as pandas data frames, which notebooks display: formats, units, costs, sweeps.

A row each, and units in the names of the columns. Nothing but this module and those that it takes
functions from imports pandas.
"""

from dataclasses import asdict

import pandas as pd

from cost_models.frames import costs, published
from hwsim.formats import block_names, parse_block, parse_scalar, scalar_names
from hwsim.formats.table import block_row, format_row
from hwsim.units import FAMILIES
from hwsim.units.manual import summary
from sweeps import results

__all__ = ["block_formats", "costs", "formats", "published", "results", "units"]


def formats() -> pd.DataFrame:
    """Return the scalar formats, with the figures of :class:`hwsim.formats.table.FormatRow`."""
    # Some formats go by several names; each is listed once.
    every = dict.fromkeys(parse_scalar(name) for name in scalar_names())
    return pd.DataFrame([asdict(format_row(fmt)) for fmt in every])


def block_formats() -> pd.DataFrame:
    """Return examples of block formats, with the figures of
    :class:`hwsim.formats.table.BlockRow`; any block size has a name."""
    table = pd.DataFrame([asdict(block_row(parse_block(name))) for name in block_names()])
    return table.astype({"size": "Int64"})


def units() -> pd.DataFrame:
    """Return the families of units and what they are."""
    return pd.DataFrame([{"unit": name, "what": summary(name)} for name in FAMILIES])
