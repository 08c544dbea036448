"""The families of the benchmark library, and what every instance is drawn from.

A synthetic instance is a `Spec`; one of published networks is a scenario as plain
values. What each family is for stands in ``library/README.md``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from instances.synthetic import Row, Spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONTIGUOUS: dict[str, object] = {"contiguous": True}
LOOSE_L2, LOOSE_DRAM = Fraction(4), Fraction(1, 4)
MIB = 2**20


def chains() -> Iterator[Spec]:
    """Chains of layers, everything loose, contiguous: pure load balancing."""
    rows: list[tuple[tuple[int, ...], tuple[int, int]]] = [
        ((10,), (2, 1)),
        ((14,), (3, 1)),
        ((20,), (2, 2)),
        ((8, 6), (2, 1)),
        ((12, 10), (2, 2)),
        ((16, 12), (3, 2)),
        ((20, 20), (2, 2)),
        ((10, 8, 6), (2, 2)),
        ((14, 12, 10), (3, 2)),
        ((20, 15, 10), (3, 2)),
        ((8, 8, 8, 8), (2, 2)),
        ((16, 16, 14, 14), (3, 2)),
    ]
    for number, (layers, size) in enumerate(rows, start=1):
        yield Spec(
            name=f"chains-{number:02d}",
            seed=100 + number,
            layers=layers,
            size=size,
            l2=LOOSE_L2,
            dram=LOOSE_DRAM,
            options=CONTIGUOUS,
        )


def branches() -> Iterator[Spec]:
    """Forks, joins and skips, free or under one structural option each."""
    rows: list[tuple[tuple[int, ...], tuple[int, int], str, dict[str, object]]] = [
        ((12,), (2, 1), "mesh", {}),
        ((16,), (2, 2), "mesh", {"convex": True}),
        ((24,), (2, 2), "mesh", {}),
        ((24,), (3, 2), "mesh", {"multicast": True}),
        ((40,), (3, 3), "mesh", CONTIGUOUS),
        ((12, 12), (2, 2), "mesh", {"exclusive": True}),
        ((16, 16), (3, 2), "triangular", {}),
        ((20, 20), (3, 3), "torus", {"multicast": True}),
        ((30, 20), (3, 3), "mesh", CONTIGUOUS),
        ((12, 12, 12), (3, 2), "mesh", {"exclusive": True, **CONTIGUOUS}),
        ((20, 16, 12), (3, 3), "mesh", {"guaranteed": True}),
        ((20, 20, 20), (3, 3), "mesh", {"serial": True, **CONTIGUOUS}),
    ]
    for number, (layers, size, topology, options) in enumerate(rows, start=1):
        yield Spec(
            name=f"branches-{number:02d}",
            seed=200 + number,
            layers=layers,
            size=size,
            l2=Fraction(2),
            dram=Fraction(1, 2),
            branching=Fraction(1, 3),
            topology=topology,
            link_gb_s=25,
            options=options,
        )


def memory() -> Iterator[Spec]:
    """Little L2: which weights stay, what goes by way of DRAM, which mode."""
    rows: list[tuple[tuple[int, ...], tuple[int, int], Fraction, int]] = [
        ((10,), (2, 1), Fraction(1, 2), 1),
        ((12,), (2, 1), Fraction(1, 8), 1),
        ((16,), (2, 2), Fraction(1, 2), 2),
        ((20,), (2, 2), Fraction(1, 4), 1),
        ((24,), (3, 2), Fraction(3, 4), 4),
        ((40,), (3, 2), Fraction(1, 4), 2),
        ((8, 8), (2, 1), Fraction(1, 2), 1),
        ((14, 12), (2, 2), Fraction(1, 4), 4),
        ((20, 16), (2, 2), Fraction(3, 4), 2),
        ((30, 24), (3, 3), Fraction(1, 2), 4),
        ((12, 10, 8), (2, 2), Fraction(1, 2), 2),
        ((24, 20, 16), (3, 3), Fraction(1, 4), 2),
    ]
    for number, (layers, size, l2, rounds) in enumerate(rows, start=1):
        yield Spec(
            name=f"memory-{number:02d}",
            seed=300 + number,
            layers=layers,
            size=size,
            l2=l2,
            dram=Fraction(1, 2),
            branching=Fraction(1, 6),
            modes=3,
            rounds=rounds,
            options=CONTIGUOUS if number % 2 else {},
        )


def dram() -> Iterator[Spec]:
    """Little DRAM bandwidth, in all three modes and with one to four interfaces."""
    rows: list[tuple[tuple[int, ...], tuple[int, int], Fraction, int, str]] = [
        ((10,), (2, 1), Fraction(1), 1, "shared"),
        ((14,), (2, 1), Fraction(3), 2, "shared"),
        ((16,), (2, 2), Fraction(1), 2, "interleaved"),
        ((20,), (2, 2), Fraction(2), 2, "private"),
        ((24,), (3, 2), Fraction(3, 2), 4, "shared"),
        ((36,), (3, 3), Fraction(2), 4, "interleaved"),
        ((8, 8), (2, 1), Fraction(2), 1, "shared"),
        ((14, 12), (2, 2), Fraction(3), 4, "shared"),
        ((18, 18), (2, 2), Fraction(3, 2), 2, "private"),
        ((24, 20), (3, 3), Fraction(1), 4, "shared"),
        ((12, 10, 8), (2, 2), Fraction(2), 2, "shared"),
        ((20, 20, 20), (3, 3), Fraction(3, 2), 2, "interleaved"),
    ]
    for number, (layers, size, tight, count, mode) in enumerate(rows, start=1):
        yield Spec(
            name=f"dram-{number:02d}",
            seed=400 + number,
            layers=layers,
            size=size,
            l2=Fraction(1),
            dram=tight,
            modes=3,
            rounds=2,
            interfaces=count,
            dram_mode=mode,
            options=CONTIGUOUS if number % 2 else {},
        )


def scaling() -> Iterator[Spec]:
    """Layers, chiplets and models grow one at a time; chains, one mode, contiguous."""
    rows: list[tuple[int, int, tuple[int, int]]] = [
        # layers, models, package
        (10, 1, (2, 1)),
        (30, 1, (2, 1)),
        (100, 1, (2, 1)),
        (300, 1, (2, 1)),
        (30, 1, (2, 2)),
        (30, 1, (3, 3)),
        (30, 1, (6, 6)),
        (30, 2, (2, 2)),
        (30, 3, (2, 2)),
        (30, 6, (3, 3)),
        (100, 2, (2, 2)),
        (100, 4, (3, 3)),
        (100, 6, (6, 6)),
        (300, 6, (4, 4)),
    ]
    for number, (layers, models, size) in enumerate(rows, start=1):
        chiplets = size[0] * size[1]
        yield Spec(
            name=f"scaling-l{layers}-c{chiplets}-m{models}",
            seed=500 + number,
            layers=tuple(
                layers // models + (index < layers % models) for index in range(models)
            ),
            size=size,
            l2=Fraction(1),
            dram=Fraction(1, 2),
            modes=1,
            options=CONTIGUOUS,
        )


def _wo(width: int, height: int, **changes: object) -> Row:
    """Return a chequerboard of the packaged types with the numbers of ``2x2``."""
    kinds = ("nvdla", "shidiannao")
    chiplets = [kinds[(x + y) % 2] for y in range(height) for x in range(width)]
    name = f"{width}x{height}-wo"
    size = {"name": name, "width": width, "height": height}
    return {"base": "2x2", **size, "chiplets": chiplets, **changes}


def _with_l2(width: int, height: int, l2_bytes: int) -> Row:
    """Return the same with another L2."""
    package = _wo(width, height)
    package["types"] = {
        kind: {"base": base, "l2_bytes": l2_bytes}
        for kind, base in (("w", "nvdla"), ("o", "shidiannao"))
    }
    package["chiplets"] = [
        {"nvdla": "w", "shidiannao": "o"}[kind] for kind in package["chiplets"]
    ]
    return {**package, "name": f"{width}x{height}-wo-l2-{l2_bytes // MIB}"}


def networks() -> Iterator[Row]:
    """Published networks on packages with the numbers of the packaged ones."""
    slow = {"dram": {"bandwidth_gb_s": 8}}
    small = {"chiplets": ["nvdla-256", "shidiannao-256"] * 2}
    cnns = [{"build": name} for name in ("resnet50", "mobilenetv2", "googlenet")]
    six = ("alexnet", "vgg16", "googlenet", "mobilenetv2", "resnet18", "unet")
    batch = {"samples": 4, "mini_batches": 8}
    rows: list[tuple[str, object, list[Row], dict[str, object]]] = [
        ("alexnet-2x1", _wo(2, 1), [{"build": "alexnet", "fused": False}], {}),
        ("resnet18-2x1-l2-2", _with_l2(2, 1, 2 * MIB), [{"build": "resnet18"}], {}),
        ("vgg16-2x2", "2x2", [{"build": "vgg16", "fused": False}], {}),
        ("vgg16-alexnet-dram-8", _wo(2, 2, **slow), _builds("vgg16", "alexnet"), {}),
        ("unet-2x2", "2x2", _builds("unet"), {}),
        ("unet-3x3-l2-64", _with_l2(3, 3, 64 * MIB), _builds("unet"), CONTIGUOUS),
        ("googlenet-2x2", "2x2", _builds("googlenet"), {}),
        ("mobilenetv2-256-pes", _wo(2, 2, **small), _builds("mobilenetv2"), {}),
        ("gpt2-2x2", "2x2", _builds("gpt2"), CONTIGUOUS),
        ("bert-3x3", "3x3-het-cb", _builds("bert"), CONTIGUOUS),
        ("resnet50-mobilenetv2", "2x2", cnns[:2], CONTIGUOUS),
        ("cnns-3-3x3", "3x3-het-sides", cnns, CONTIGUOUS),
        ("batches-2x2", "2x2", [{**cnn, **batch} for cnn in cnns[1:]], CONTIGUOUS),
        ("bert-gpt2-3x3", "3x3-het-sides", _builds("bert", "gpt2"), CONTIGUOUS),
        ("resnet152-3x3", "3x3-ws", _builds("resnet152"), CONTIGUOUS),
        ("cnns-6-6x6", "6x6-het-cross", _builds(*six), CONTIGUOUS),
        ("gpt2-large-6x6", "6x6-os", [{"build": "gpt2", "size": "large"}], CONTIGUOUS),
    ]
    for name, package, models, options in rows:
        full = f"networks-{name}"
        scenario: Row = {"schema": "instance/1", "name": full, "package": package}
        scenario |= {"models": models, "tick_ps": 2000, "energy_quantum_fj": 1000}
        yield {**scenario, "options": options} if options else scenario


def _builds(*names: str) -> list[Row]:
    return [{"build": name} for name in names]


FAMILIES: dict[str, Callable[[], Iterator[Spec] | Iterator[Row]]] = {
    "chains": chains,
    "branches": branches,
    "memory": memory,
    "dram": dram,
    "scaling": scaling,
    "networks": networks,
}
