"""Random tiny instances, every option drawn, small enough for `tests/oracle.py`.

Each seed has a *focus*: one rule or option that its numbers make matter, so
that over a few hundred seeds leaving out any one rule moves many optima.
`test_oracle.py` measures this. Numbers are small, so that ceilings matter.
"""

from __future__ import annotations

from fractions import Fraction
from random import Random

from instances.schema import (
    Chiplet,
    ChipletType,
    Dram,
    GivenMode,
    Instance,
    Interface,
    Layer,
    Link,
    Model,
    Options,
    Package,
    Tensor,
)

# Focus -> how many seeds of a cycle have it. `compute` matters without.
FOCUSES = {
    "stage": 1,
    "link": 5,
    "port": 4,
    "dram": 2,
    "floor": 4,
    "sram": 1,
    "contiguous": 5,
    "convex": 5,
    "exclusive": 6,
    "colocate": 2,
    "latency_cap": 3,
    "energy_cap": 5,
    "period_cap": 5,
    "serial": 2,
    "guaranteed": 2,
    "multicast": 5,
    "mode": 3,  # of the DRAM
    "residents": 2,
    "mini_batches": 2,
}
CYCLE = [focus for focus, times in FOCUSES.items() for _ in range(times)]
# Focuses whose layers prefer different chiplet types, so that tensors travel.
SPREAD = frozenset(
    (
        "link",
        "port",
        "contiguous",
        "convex",
        "colocate",
        "serial",
        "multicast",
        "stage",
        "mode",
    )
)
# Focuses in which the package, not the chiplets, is to be the bottleneck.
TRAFFIC = frozenset(("link", "port", "dram", "floor", "multicast", "mode", "serial"))
# Focuses in which most other options and most DRAM traffic are kept away.
MASKED = frozenset(
    ("link", "port", "multicast", "floor", "contiguous", "convex", "exclusive")
)
MAX_CANDIDATES = 4000  # of chiplet, mode, residency and place
MAX_STAGINGS = 2500  # of the stages of one model
LETTERS = "abcdefghijkmnpqrstuvwxyz"

# Bytes per tick.
WIDE = (None, Fraction(3), Fraction(4), Fraction(9, 2), Fraction(5))
NARROW = (Fraction(1), Fraction(1), Fraction(3, 2), Fraction(2))
ANY = (None, Fraction(1), Fraction(3, 2), Fraction(2), Fraction(5, 2), Fraction(4))
SHARES = (
    (Fraction(1),),
    (Fraction(1, 2), Fraction(1, 2)),
    (Fraction(1, 4), Fraction(3, 4)),
    (Fraction(1, 5), Fraction(3, 10), Fraction(1, 2)),
)


def tiny_instance(seed: int) -> Instance:
    """Return the instance of a seed, always the same."""
    rng = Random(seed)
    focus = CYCLE[seed % len(CYCLE)]
    while True:
        draw = Draw(rng, focus)
        if draw.is_small():
            return draw.instance(f"tiny-{seed}")


class Draw:
    """One attempt: workload, package and costs, then options to match."""

    def __init__(self, rng: Random, focus: str) -> None:
        self.rng, self.focus = rng, focus
        self.tick_ps = rng.choice((1000, 1000, 1000, 500, 2000))
        self.quantum_fj = rng.choice((10, 10, 16, 100))
        self.serial = self.likely(0.2, "serial")
        self.guaranteed = self.likely(0.2, "guaranteed")
        self.multicast = self.likely(0.25, "multicast")
        self.spread = self.focus in SPREAD or rng.random() < 0.2
        count = rng.choice((2, 2, 3) if self.spread else (1, 2, 2, 3))
        self.type_names = self.names(3 if focus == "multicast" else count, "type_")
        self.models = self.draw_models()
        self.package = self.draw_package()
        self.costs = self.draw_costs()

    def likely(self, chance: float, *focuses: str) -> bool:
        """Certain in these focuses, rare in those that much else would mask."""
        if self.focus in MASKED:
            chance /= 4
        return self.focus in focuses or self.rng.random() < chance

    def names(self, count: int, prefix: str = "", letters: str = LETTERS) -> list[str]:
        """Names whose alphabetical order says nothing."""
        return [prefix + name for name in self.rng.sample(letters, count)]

    def gb_s(self, bandwidth: Fraction | None) -> Fraction | None:
        """Bytes per tick to GB/s."""
        return None if bandwidth is None else bandwidth * 1000 / self.tick_ps

    def ns(self, ticks: Fraction) -> Fraction:
        return ticks * self.tick_ps / 1000

    def draw_bandwidth(self, *narrow_focuses: str) -> Fraction | None:
        """Narrow for these focuses, wide for the other bandwidth rules."""
        if self.focus in narrow_focuses:
            return self.rng.choice(NARROW)
        if self.focus in TRAFFIC | {"contiguous", "convex"}:
            return self.rng.choice(WIDE)
        return self.rng.choice(ANY)

    def draw_energy(self) -> Fraction:
        """In pJ per bit: 1/1000 is 0.8 quanta of 10 fJ per byte."""
        energies = (0, Fraction(1, 1000), Fraction(3, 2000), Fraction(1, 100))
        if self.focus == "energy_cap":
            energies = energies[:3]
        return Fraction(self.rng.choice(energies))

    # Workload.

    def draw_models(self) -> tuple[Model, ...]:
        rng = self.rng
        two = self.focus == "exclusive" or rng.random() < 0.35
        two = two and self.focus not in ("convex", "multicast")
        if two:
            counts = rng.choice(((1, 2), (2, 1), (2, 2), (2, 2), (3, 1), (2, 3)))
        elif self.focus in ("contiguous", "convex", "multicast"):
            counts = (rng.choice((3, 4, 4)),)
        else:
            counts = (rng.choice((2, 3, 3, 4, 4, 5)),)
        names = self.names(len(counts), "net_")
        return tuple(self.draw_model(*pair) for pair in zip(names, counts, strict=True))

    def draw_model(self, name: str, count: int) -> Model:
        rng = self.rng
        layer_names = self.names(count, letters=LETTERS[:7])  # often in both models
        layers = tuple(
            Layer(
                name=layer,
                op="opaque",
                bounds=None,
                weight_bytes=rng.randint(1, 20)
                if self.likely(0.35, "residents") and rng.random() < 0.8
                else 0,
            )
            for layer in layer_names
        )
        made: list[tuple[str | None, list[str]]] = []  # tensors: producer, consumers
        for layer in layer_names:
            inner = [t for t in made if t[0] is not None]
            chain = [t for t in inner if t[0] == inner[-1][0]]
            inputs = []
            if inner and not self.likely(0.1):
                if self.focus == "multicast":  # one tensor for many
                    chain = inner[:1]
                inputs.append(rng.choice(inner if self.likely(0.3) else chain))
                if rng.random() < 0.3:
                    inputs.append(rng.choice(inner))
            if (not inputs and rng.random() < 0.8) or rng.random() < 0.1:
                external = [t for t in made if t[0] is None]
                if not external or rng.random() < 0.6:
                    made.append((None, []))
                    external = made[-1:]
                inputs.append(external[0])
            for tensor in inputs:
                if layer not in tensor[1]:
                    tensor[1].append(layer)
            for _ in range(2 if self.likely(0.15) else 1):
                made.append((layer, []))
        tensor_names = self.names(len(made), "t_")
        tensors = [
            self.draw_tensor(tensor, producer, consumers)
            for tensor, (producer, consumers) in zip(tensor_names, made, strict=True)
        ]
        rng.shuffle(tensors)
        return Model(
            name=name,
            layers=layers,
            tensors=tuple(tensors),
            mini_batches=2 if self.likely(0.2, "mini_batches") else 1,
        )

    def draw_tensor(
        self, name: str, producer: str | None, consumers: list[str]
    ) -> Tensor:
        rng = self.rng
        rng.shuffle(consumers)
        ticks = None
        inner = producer is not None and len(consumers) > 0
        if self.serial and inner and rng.random() < 0.4:
            ticks = {
                t: rng.randint(1, 6) for t in self.type_names if rng.random() < 0.8
            }
        size = rng.randint(1, 14) if inner else rng.randint(0, 8)
        if self.focus in ("link", "port", "multicast", "serial"):
            size = rng.randint(8, 20) if inner else rng.randint(0, 3)
        elif self.focus in ("floor", "contiguous", "convex"):
            size = rng.randint(0, 4)
        return Tensor(
            name=name,
            producer=producer,
            consumers=tuple(consumers),
            bytes=0 if ticks is not None or rng.random() < 0.05 else size,
            output=inner and self.likely(0.15),
            transfer_ticks=ticks,
        )

    # Package.

    def draw_package(self) -> Package:
        rng = self.rng
        topology = rng.choice(
            ("mesh", "mesh", "torus", "triangular", "explicit", "none")
        )
        if self.focus in ("link", "floor", "mode") and topology == "none":
            topology = "mesh"
        width, height = rng.choice(((2, 2), (3, 2), (2, 2), (3, 1), (1, 2), (2, 1)))
        if topology == "torus":
            width, height = rng.choice(((3, 1), (4, 1), (3, 2)))
        if topology == "triangular":
            width, height = rng.choice(((2, 2), (3, 2)))
        if topology in ("explicit", "none"):
            width, height = rng.randint(2, 5), 1
        if width * height == 2 and self.focus == "multicast":
            width, height = 3, 1
        routers = width * height
        most = min(4, routers)
        few = 1 if self.focus in ("sram", "stage") or rng.random() < 0.1 else 2
        if self.focus in ("contiguous", "convex"):
            most = 2
        if self.focus == "exclusive":
            most = min(3, most)
        if self.focus == "multicast":
            few = 3
        count = rng.randint(min(few, most), most)
        chosen = rng.sample(range(routers), count)
        types = {name: self.draw_type(name) for name in self.type_names}
        held = [rng.choice(self.type_names) for _ in chosen]
        if self.spread:  # every type is there, as far as there are chiplets
            held = (self.type_names + held)[:count]
            rng.shuffle(held)
        return Package(
            name="tiny",
            topology=topology,
            width=width,
            height=height,
            types=types,
            chiplets=tuple(map(Chiplet, held, chosen)),
            links=self.draw_links(topology, width, height),
            port_in_gb_s=self.gb_s(self.draw_bandwidth("port", "multicast")),
            port_out_gb_s=self.gb_s(self.draw_bandwidth("port", "multicast")),
            dram=self.draw_dram(routers),
        )

    def draw_type(self, name: str) -> ChipletType:
        rng = self.rng
        l2_bytes = rng.randint(25, 60)
        if self.focus == "sram":
            l2_bytes = rng.randint(12, 40)
        elif self.focus == "mode":  # so that tensors go to DRAM
            l2_bytes = rng.randint(15, 35)
        elif self.focus in TRAFFIC:
            l2_bytes = rng.randint(60, 120)
        return ChipletType(
            name=name,
            dataflow="given",
            num_pes=1,
            l1_bytes_per_pe=1,
            l2_bytes=l2_bytes,
            noc_bytes_per_cycle=Fraction(1),
            clock_mhz=Fraction(1000),
            mac_energy_pj=Fraction(1),
            l1_energy_pj_per_byte=Fraction(1),
            l2_energy_pj_per_byte=Fraction(1),
            static_power_mw=rng.choice(
                (Fraction(0), Fraction(0), Fraction(1, 100), Fraction(7, 1000))
            ),
        )

    def draw_links(self, topology: str, width: int, height: int) -> tuple[Link, ...]:
        rng = self.rng
        bandwidth = self.draw_bandwidth("link", "multicast")
        latencies = [Fraction(n, 2) for n in range(0, 5)]
        if self.focus == "floor":
            latencies = [Fraction(n, 2) for n in range(8, 25)]
        latency = rng.choice(latencies)
        energy = self.draw_energy()
        uneven = rng.random() < 0.3
        links = []
        for src, dst in sorted(pairs(rng, topology, width, height)):
            if uneven:
                bandwidth = self.draw_bandwidth("link", "multicast")
                latency = rng.choice(latencies)
                energy = self.draw_energy()
            links.append(Link(src, dst, self.gb_s(bandwidth), self.ns(latency), energy))
        rng.shuffle(links)
        return tuple(links)

    def draw_dram(self, routers: int) -> Dram:
        rng = self.rng
        many = self.focus == "mode" or (self.focus != "dram" and rng.random() < 0.5)
        shares = rng.choice(SHARES[1:] if many else SHARES[:2])
        bandwidth = self.draw_bandwidth("dram", "mode")
        if self.focus in ("link", "port", "multicast"):  # so that tensors stay inside
            bandwidth = rng.choice((Fraction(3, 2), Fraction(2)))
        places = [rng.randrange(routers) for _ in shares]
        if self.focus == "mode" and routers >= len(shares):
            places = rng.sample(range(routers), len(shares))
        return Dram(
            bandwidth_gb_s=self.gb_s(bandwidth),
            latency_ns=self.ns(
                Fraction(rng.randint(0, 24 if self.focus == "floor" else 6), 2)
            ),
            energy_pj_per_bit=self.draw_energy(),
            interfaces=tuple(map(Interface, places, shares)),
            mode=rng.choice(("shared", "interleaved", "private")),
        )

    # Costs.

    def draw_costs(self) -> tuple[GivenMode, ...]:
        rng = self.rng
        rows = []
        for model in self.models:
            first = rng.randrange(3)
            unsupported = 0.2
            if self.spread:
                unsupported = 0.8 if self.focus in TRAFFIC else 0.4
            if self.focus == "multicast":
                unsupported = 0.95
            for k, layer in enumerate(model.layers):
                favourite = self.type_names[(first + k) % len(self.type_names)]
                for t in self.type_names:
                    disliked = self.spread and t != favourite
                    if t != favourite and rng.random() < unsupported:
                        continue
                    for _ in range(2 if rng.random() < 0.25 else 1):
                        rows.append(self.draw_mode(model, layer, t, disliked))
        rng.shuffle(rows)
        return tuple(rows)

    def draw_mode(
        self, model: Model, layer: Layer, chiplet_type: str, disliked: bool
    ) -> GivenMode:
        rng = self.rng
        inputs = [t.name for t in model.tensors if layer.name in t.consumers]
        longest = 3 if self.focus in TRAFFIC else 12
        return GivenMode(
            model=model.name,
            layer=layer.name,
            chiplet_type=chiplet_type,
            latency_ticks=rng.randint(1, longest) * (4 if disliked else 1),
            energy_quanta=rng.randint(0, 60),
            ws_bytes=rng.randint(0, 15),
            rw_bytes=rng.randint(0, 6) if layer.weight_bytes else 0,
            ri_bytes={u: rng.randint(1, 6) for u in inputs if self.likely(0.4)},
            ro_bytes=rng.randint(1, 6) if self.likely(0.3) else 0,
            holds_weights=rng.random() < 0.6,
        )

    def is_small(self) -> bool:
        candidates = 1
        for model in self.models:
            for layer in model.layers:
                rows = [
                    row.chiplet_type
                    for row in self.costs
                    if (row.model, row.layer) == (model.name, layer.name)
                ]
                candidates *= sum(rows.count(c.type) for c in self.package.chiplets)
                candidates *= 2 if layer.weight_bytes else 1
            for tensor in model.tensors:
                if tensor.producer and tensor.consumers and not tensor.transfer_ticks:
                    candidates *= 2
        return 2 <= candidates <= MAX_CANDIDATES

    # Options.

    def instance(self, name: str) -> Instance:
        rng = self.rng
        contiguous = self.likely(0.15, "contiguous")
        layers = [(m.name, layer.name) for m in self.models for layer in m.layers]
        colocate = []
        if self.likely(0.15, "colocate"):
            count = min(rng.choice((2, 2, 3)), len(layers))
            colocate.append(tuple(rng.sample(layers, count)))
        options = Options(
            contiguous=contiguous,
            convex=self.focus != "contiguous" and self.likely(0.15, "convex"),
            exclusive=len(self.models) > 1 and self.likely(0.2, "exclusive"),
            multicast=self.multicast,
            serial=self.serial,
            guaranteed=self.guaranteed,
            sram="residents" if self.likely(0.1, "residents") else "full",
            colocate=tuple(colocate),
            max_stage=self.draw_max_stage(),
            latency_cap_ticks=self.draw_latency_caps(),
            energy_cap_pj=self.draw_energy_cap(),
            period_cap_ticks=self.draw_period_cap(),
        )
        return Instance(
            name=name,
            models=self.models,
            package=self.package,
            options=options,
            tick_ps=self.tick_ps,
            energy_quantum_fj=self.quantum_fj,
            costs=self.costs,
        )

    def draw_max_stage(self) -> dict[str, int]:
        limits = {}
        for model in self.models:
            longest = 2 * (len(model.layers) - 1)
            while (longest + 1) ** len(model.layers) > MAX_STAGINGS:
                longest -= 1
            if longest < 2 * (len(model.layers) - 1) or self.likely(0.2, "stage"):
                limits[model.name] = self.rng.randint(min(1, longest), longest)
        return limits

    def rough_period(self) -> int:
        """Ticks that the cheapest modes take when shared out evenly."""
        total = sum(
            model.mini_batches * min(self.values(model, layer, "latency_ticks"))
            for model in self.models
            for layer in model.layers
        )
        return -(-total // min(2, len(self.package.chiplets)))

    def values(self, model: Model, layer: Layer, quantity: str) -> list[int]:
        return [
            getattr(row, quantity)
            for row in self.costs
            if (row.model, row.layer) == (model.name, layer.name)
        ]

    def draw_latency_caps(self) -> dict[str, int]:
        caps = {}
        for model in self.models:
            if self.likely(0.1, "latency_cap"):
                stages = self.rng.uniform(1.2, 2 + len(model.layers))
                caps[model.name] = max(1, round(self.rough_period() * stages))
        return caps

    def draw_energy_cap(self) -> Fraction | None:
        if not self.likely(0.08, "energy_cap"):
            return None
        quanta = sum(
            model.mini_batches * min(self.values(model, layer, "energy_quanta"))
            for model in self.models
            for layer in model.layers
        )
        quanta = round((quanta + 20) * self.rng.uniform(1, 2))
        return Fraction(quanta * self.quantum_fj, 1000)

    def draw_period_cap(self) -> int | None:
        if not self.likely(0.06, "period_cap"):
            return None
        return max(1, round(self.rough_period() * self.rng.uniform(0.9, 2.2)))


def pairs(rng: Random, topology: str, width: int, height: int) -> set[tuple[int, int]]:
    """Directed links of a topology, as router pairs."""
    if topology == "none":
        return set()
    found: set[tuple[int, int]] = set()
    routers = range(width * height)
    if topology == "explicit":  # a ring in one direction and some more
        order = rng.sample(routers, len(routers))
        found = set(zip(order, order[1:] + order[:1], strict=True))
        for a in routers:
            for b in routers:
                if a != b and rng.random() < 0.25:
                    found.add((a, b))
        return found
    steps = [(1, 0), (0, 1)]
    if topology == "triangular":
        steps.append((1, 1))
    for r in routers:
        for dx, dy in steps:
            x, y = r % width + dx, r // width + dy
            if topology == "torus":
                x, y = x % width, y % height
            if x < width and y < height and y * width + x != r:
                found |= {(r, y * width + x), (y * width + x, r)}
    return found
