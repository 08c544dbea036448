"""The keys of the file format: which may stand where, and which must.

`README.md` explains each; a test keeps both lists equal. ``schema`` is required
at the top of a file and checked apart, since the same mapping may be inline.
"""

from __future__ import annotations

SCENARIO_SCHEMA = "instance/1"
PACKAGE_SCHEMA = "package/1"
TYPES_SCHEMA = "chiplet-types/1"
CANONICAL_SCHEMA = "canonical-instance/1"

REQUIRED = True
OPTIONAL = False

KEYS: dict[str, dict[str, bool]] = {
    "scenario": {
        "schema": OPTIONAL,
        "name": REQUIRED,
        "package": REQUIRED,
        "models": REQUIRED,
        "options": OPTIONAL,
        "tick_ps": OPTIONAL,
        "energy_quantum_fj": OPTIONAL,
        "bytes_per_element": OPTIONAL,
        "costs": OPTIONAL,
    },
    "model": {
        "name": REQUIRED,
        "layers": REQUIRED,
        "tensors": REQUIRED,
        "samples": OPTIONAL,
        "mini_batches": OPTIONAL,
        "source": OPTIONAL,
    },
    "layer": {
        "name": REQUIRED,
        "op": REQUIRED,
        "bounds": OPTIONAL,
        "weight_bytes": OPTIONAL,
        "operands": OPTIONAL,
    },
    "bounds": {
        "k": REQUIRED,
        "c": OPTIONAL,
        "oy": OPTIONAL,
        "ox": OPTIONAL,
        "y": OPTIONAL,
        "x": OPTIONAL,
        "r": OPTIONAL,
        "s": OPTIONAL,
        "stride": OPTIONAL,
        "padding": OPTIONAL,
        "dilation": OPTIONAL,
        "groups": OPTIONAL,
    },
    "tensor": {
        "name": REQUIRED,
        "producer": OPTIONAL,
        "consumers": OPTIONAL,
        "bytes": OPTIONAL,
        "output": OPTIONAL,
        "transfer_ticks": OPTIONAL,
    },
    "options": {
        "contiguous": OPTIONAL,
        "convex": OPTIONAL,
        "exclusive": OPTIONAL,
        "multicast": OPTIONAL,
        "serial": OPTIONAL,
        "guaranteed": OPTIONAL,
        "sram": OPTIONAL,
        "colocate": OPTIONAL,
        "max_stage": OPTIONAL,
        "latency_cap_ticks": OPTIONAL,
        "energy_cap_pj": OPTIONAL,
        "period_cap_ticks": OPTIONAL,
        "kind": OPTIONAL,
        "timed": OPTIONAL,
    },
    "timed": {
        "contention": OPTIONAL,
        "switching": OPTIONAL,
        "weights": OPTIONAL,
        "rounds": OPTIONAL,
        "release_ticks": OPTIONAL,
        "frames_per_second": OPTIONAL,
        "due_ticks": OPTIONAL,
        "caps": OPTIONAL,
    },
    "cost": {
        "model": REQUIRED,
        "layer": REQUIRED,
        "chiplet_type": REQUIRED,
        "latency_ticks": REQUIRED,
        "energy_quanta": REQUIRED,
        "ws_bytes": REQUIRED,
        "rw_bytes": OPTIONAL,
        "ri_bytes": OPTIONAL,
        "ro_bytes": OPTIONAL,
        "holds_weights": OPTIONAL,
    },
    "package": {
        "schema": OPTIONAL,
        "name": REQUIRED,
        "base": OPTIONAL,
        "topology": REQUIRED,
        "width": OPTIONAL,
        "height": OPTIONAL,
        "types": OPTIONAL,
        "chiplets": REQUIRED,
        "link": OPTIONAL,
        "links": OPTIONAL,
        "port": OPTIONAL,
        "dram": REQUIRED,
        "source": OPTIONAL,
    },
    "monolithic package": {
        "schema": OPTIONAL,
        "name": REQUIRED,
        "monolithic": REQUIRED,
        "source": OPTIONAL,
    },
    "monolithic": {
        "of": REQUIRED,
        "type": REQUIRED,
        "num_pes": OPTIONAL,
        "l2_bytes": OPTIONAL,
        "noc_bytes_per_cycle": OPTIONAL,
        "dram_gb_s": OPTIONAL,
    },
    "chiplet type": {
        "base": OPTIONAL,
        "dataflow": REQUIRED,
        "num_pes": REQUIRED,
        "l1_bytes_per_pe": REQUIRED,
        "l2_bytes": REQUIRED,
        "noc_bytes_per_cycle": REQUIRED,
        "clock_mhz": REQUIRED,
        "mac_energy_pj": REQUIRED,
        "l1_energy_pj_per_byte": REQUIRED,
        "l2_energy_pj_per_byte": REQUIRED,
        "noc_energy_pj_per_byte": OPTIONAL,
        "static_power_mw": OPTIONAL,
        "technology_nm": OPTIONAL,
        "energies_at_nm": OPTIONAL,
        "clock_at_nm": OPTIONAL,
        "vector_lanes": OPTIONAL,
        "source": OPTIONAL,
    },
    "link": {
        "bandwidth_gb_s": OPTIONAL,
        "hop_latency_ns": REQUIRED,
        "energy_pj_per_bit": REQUIRED,
    },
    "explicit link": {
        "src": REQUIRED,
        "dst": REQUIRED,
        "bandwidth_gb_s": OPTIONAL,
        "hop_latency_ns": OPTIONAL,
        "energy_pj_per_bit": OPTIONAL,
    },
    "port": {
        "in_gb_s": OPTIONAL,
        "out_gb_s": OPTIONAL,
    },
    "dram": {
        "bandwidth_gb_s": OPTIONAL,
        "latency_ns": REQUIRED,
        "energy_pj_per_bit": REQUIRED,
        "interfaces": OPTIONAL,
        "mode": OPTIONAL,
    },
    "interface": {
        "router": REQUIRED,
        "share": REQUIRED,
    },
    "chiplet types": {
        "schema": OPTIONAL,
        "types": REQUIRED,
    },
}
