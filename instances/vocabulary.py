"""The words that an instance may use, apart from names that it makes up itself."""

from __future__ import annotations

OPERATORS = ("conv", "gemm", "matmul", "opaque")
TOPOLOGIES = ("mesh", "torus", "triangular", "explicit", "none")
GRIDS = ("mesh", "torus", "triangular")
DRAM_MODES = ("shared", "interleaved", "private")
SRAM_MODES = ("full", "residents")

MOST_ROUTERS = 4096
"""Larger grids are taken for a slip of the pen."""
NODE_KEYS = ("technology_nm", "energies_at_nm", "clock_at_nm")
NODES_NM = (7, 65)  # what the cost model can scale between
