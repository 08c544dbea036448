"""Small changes of a plan. A move returns a plan, or `None` where it moves nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from formulation.choices import dominated, fitting
from formulation.problem import remembered
from formulation.timed.bounds import run_ticks

if TYPE_CHECKING:
    from collections.abc import Callable

    from formulation.problem import Problem
    from formulation.timed.heuristics.plan import Kept, Plan
    from formulation.timed.heuristics.search import Search


@remembered
def options(p: Problem, t: int, c: int) -> tuple[Kept, ...]:
    """Return what a layer can be on a chiplet, the shortest run first."""
    some = fitting(p, t, c)
    if p.timing.weights == "streamed":
        some = tuple(k for k in some if not k.resident)
    gone = dominated(p, t, c, some)
    left = [k for n, k in enumerate(some) if n not in gone]
    left.sort(key=lambda k: (run_ticks(p, t, c, k), k.energy))
    return tuple((k.mode, k.resident) for k in left)


def _moved(p: Problem, plan: Plan, where: dict[int, int]) -> Plan | None:
    """Return the plan with layers on other chiplets, and with them their groups.

    A layer stays resident or streamed where it can, in the mode of the shortest run.
    """
    for group in p.colocate:
        for t in [t for t in group if t in where]:
            where |= dict.fromkeys(group, where[t])
    chiplet, kept = list(plan.chiplet), list(plan.kept)
    for t, c in where.items():
        some = options(p, t, c)
        if not some:
            return None
        same = [x for x in some if x[1] == kept[t][1]]
        chiplet[t], kept[t] = c, (same or some)[0]
    return replace(plan, chiplet=tuple(chiplet), kept=tuple(kept))


def move_layers(search: Search, plan: Plan) -> Plan | None:
    """Give a few layers of a model, one after another, to another chiplet."""
    p, rng = search.problem, search.random
    t = rng.randrange(len(p.tasks))
    last, c = p.models[p.tasks[t].model].last, rng.randrange(len(p.chiplets))
    where = {t: c}
    while t < last and rng.random() < 0.5:
        t += 1
        where[t] = c
    return _moved(p, plan, where)


def move_model(search: Search, plan: Plan) -> Plan | None:
    """Give all that a model does on a chiplet to another one."""
    p, rng = search.problem, search.random
    model = rng.choice(p.models)
    a, b = plan.chiplet[rng.choice(model.tasks)], rng.randrange(len(p.chiplets))
    return _moved(p, plan, {t: b for t in model.tasks if plan.chiplet[t] == a})


def swap_layers(search: Search, plan: Plan) -> Plan | None:
    """Swap the chiplets of two layers."""
    p, rng = search.problem, search.random
    if len(p.tasks) < 2:
        return None
    a, b = rng.sample(range(len(p.tasks)), 2)
    return _moved(p, plan, {a: plan.chiplet[b], b: plan.chiplet[a]})


def swap_chiplets(search: Search, plan: Plan) -> Plan | None:
    """Swap all that two chiplets do."""
    p, rng = search.problem, search.random
    if len(p.chiplets) < 2:
        return None
    a, b = rng.sample(range(len(p.chiplets)), 2)
    other = {a: b, b: a}
    return _moved(
        p, plan, {t: other[c] for t, c in enumerate(plan.chiplet) if c in other}
    )


def change_kept(search: Search, plan: Plan) -> Plan | None:
    """Run a layer in another mode, or stream or keep its weights."""
    p, rng = search.problem, search.random
    t = rng.randrange(len(p.tasks))
    some = [x for x in options(p, t, plan.chiplet[t]) if x != plan.kept[t]]
    if not some:
        return None
    kept = (*plan.kept[:t], rng.choice(some), *plan.kept[t + 1 :])
    return replace(plan, kept=kept)


def change_place(search: Search, plan: Plan) -> Plan | None:
    """Send a tensor over DRAM, or back over the package."""
    free = [u for u, x in enumerate(search.problem.tensors) if x.placed]
    if not free:
        return None
    return replace(plan, dram=plan.dram ^ {search.random.choice(free)})


def change_rank(search: Search, plan: Plan) -> Plan | None:
    """Put a layer just before or behind another one."""
    rng, ranks = search.random, list(plan.order.ranks)
    if len(ranks) < 2:
        return None
    a, b = rng.sample(range(len(ranks)), 2)
    ranks[a] = ranks[b] + rng.choice((-1, 1))
    return replace(plan, order=replace(plan.order, ranks=tuple(ranks)))


def lift_model(search: Search, plan: Plan) -> Plan | None:
    """Put all layers of a model earlier or later, by up to the rank of its first."""
    p, rng, ranks = search.problem, search.random, list(plan.order.ranks)
    model = rng.choice(p.models)
    most = max(1, abs(ranks[model.first]))
    step = rng.randint(-most, most)
    for t in model.tasks:
        ranks[t] += step
    return replace(plan, order=replace(plan.order, ranks=tuple(ranks)))


def turn(search: Search, plan: Plan) -> Plan | None:
    """Take rounds in turn, or by rank; with due dates perhaps by these."""
    timing, order = search.problem.timing, plan.order
    ways = []
    if any(len(rounds) > 1 for rounds in timing.releases):
        ways.append(replace(order, in_turn=not order.in_turn))
    if any(timing.due_ticks):
        ways.append(replace(order, due=not order.due))
    return replace(plan, order=search.random.choice(ways)) if ways else None


MOVES: tuple[tuple[Callable[[Search, Plan], Plan | None], int], ...] = (
    (move_layers, 8),
    (move_model, 1),
    (swap_layers, 3),
    (swap_chiplets, 1),
    (change_kept, 4),
    (change_place, 4),
    (change_rank, 6),
    (lift_model, 2),
    (turn, 1),
)


def neighbour(search: Search, plan: Plan) -> Plan:
    """Return the plan after a random move, or itself if nothing can be moved."""
    moves, weights = zip(*MOVES, strict=True)
    for move in search.random.choices(moves, weights, k=20):
        new: Plan | None = move(search, plan)
        if new is not None and new != plan:
            return new
    return plan
