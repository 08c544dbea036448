"""The words that an instance may use, apart from names that it makes up itself."""

from __future__ import annotations

OPERANDS = {"conv": 1, "gemm": 1, "matmul": 2}
"""Operators made of MACs -> how many of a layer's inputs their loops run over."""

POOLS = ("max_pool", "average_pool")
JOINING = ("conv", "gemm", *POOLS)
"""Operators whose operand may be several tensors, joined along the channels."""

SCALES = {"layer_norm": 2, "rms_norm": 1, "group_norm": 2, "batch_norm": 2}
"""Operators whose weights are numbers per channel -> how many (scale, shift)."""

VECTOR_OPERATORS = (
    *POOLS,
    *("add", "multiply", "relu", "gelu", "silu", "sigmoid", "tanh", "softmax"),
    *SCALES,
    "embedding",
)
OPERATORS = (*OPERANDS, *VECTOR_OPERATORS, "opaque")
TRANSPOSED = "conv_transposed"
"""A word of files only: reading makes an ordinary convolution of it."""

TOPOLOGIES = ("mesh", "torus", "triangular", "explicit", "none")
GRIDS = ("mesh", "torus", "triangular")
DRAM_MODES = ("shared", "interleaved", "private")
SRAM_MODES = ("full", "residents")
KINDS = ("pipelined", "timed", "windowed")
CONTENTIONS = ("exact", "fluid", "none")
SWITCHINGS = ("cut_through", "store_and_forward")
WEIGHT_POLICIES = ("fetched", "preloaded", "streamed")
GROUPINGS = ("grouped", "single")
WEIGHT_READS = ("every_group", "once")
MEMORIES = ("layers", "segments")
HANDOVERS = ("both", "receiver")

MOST_ROUTERS = 4096
"""Larger grids are taken for a slip of the pen."""
NODE_KEYS = ("technology_nm", "energies_at_nm", "clock_at_nm")
NODES_NM = (7, 65)  # what the cost model can scale between
