"""The dataflows that the cost model knows by name: searched ones and fixed mappings."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from instances.dataflow import Dataflow, read_dataflow

FOLDER = Path(__file__).parent / "dataflows"

# `ChipletType.dataflow` of a fixed mapping -> its key in `TEMPLATES`. The fixed
# row-stationary one is `rs_fixed` here because `rs` is the searched dataflow.
FIXED = {"kcp_ws": "kcp_ws", "yxp_os": "yxp_os", "rs_fixed": "rs"}


def builtin_names() -> list[str]:
    """Names of the searched dataflows that come along."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def dataflow_of(dataflow: str | Dataflow) -> Dataflow:
    """Return the searched dataflow of a chiplet type: by its name, or as it is.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    if isinstance(dataflow, Dataflow):
        return dataflow
    names = builtin_names()
    if dataflow not in names:
        known = ", ".join([*names, *FIXED])
        expected = f"one of {known}, or the path of a .yaml file"
        raise ValueError(f"dataflow: got {dataflow!r}, expected {expected}")
    return _builtin(dataflow)


@lru_cache(maxsize=16)
def _builtin(name: str) -> Dataflow:
    return read_dataflow(FOLDER / f"{name}.yaml")
