"""A genetic algorithm over orders of chiplets and cuts of the models, by PyGAD.

A chromosome has, for every model, keys that order the chiplets and cuts of the model,
in parts of its expected load. Selection, crossover and elites are PyGAD's (A. F. Gad,
Multimedia Tools and Applications, 2023).
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from itertools import islice
from typing import TYPE_CHECKING, Any

from formulation.heuristics.custom import HeuristicError
from formulation.pipelined.heuristics.decode import Plan
from formulation.pipelined.heuristics.partition import beginnings
from formulation.pipelined.heuristics.segments import FAR, loads_of
from formulation.pipelined.heuristics.tables import LEANS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from formulation.pipelined.heuristics.search import Search
    from formulation.pipelined.heuristics.segments import Loads

POPULATION, PARENTS, ELITES = 40, 20, 2
GENERATIONS = 10**6  # the budget ends it before
STALE = 60  # generations without progress, then a new population


def library() -> Any:
    """Return the module pygad.

    Raises
    ------
    HeuristicError
        If it is not installed; says how to.
    """
    try:
        import pygad
    except ModuleNotFoundError as error:
        raise HeuristicError(
            "genetic: needs pygad: pip install -c constraints.txt -e '.[heuristics]'"
        ) from error
    return pygad


class Genes:
    """What the genes of a problem's chromosomes mean.

    In this order: [model][chiplet] keys, [model][chiplet] cuts, [chiplet] leans; all
    between 0 and 1.
    """

    def __init__(self, search: Search, loads: Loads) -> None:
        self.search, self.loads = search, loads
        p = search.problem
        self.models, self.chiplets = len(p.models), len(p.chiplets)
        self.size = self.models * self.chiplets
        self.count = 2 * self.size + self.chiplets
        # The part of a model's ticks that its first k layers take, [model][k].
        self.done: list[list[float]] = []
        for sums in loads.sums:
            least = [min(column) for column in zip(*sums, strict=True)]
            self.done.append([x / max(1, least[-1]) for x in least])

    def plan(self, genes: Sequence[float]) -> Plan:
        """Return the plan of a chromosome."""
        n = self.chiplets
        genes = [min(1.0, max(0.0, float(x))) for x in genes]
        keys, cuts = genes[: self.size], genes[self.size : 2 * self.size]
        chiplet: list[int] = []
        taken: set[int] = set()
        for m in range(self.models):
            mine = keys[m * n : (m + 1) * n]
            order = sorted(range(n), key=lambda c: (mine[c], c))
            if self.search.problem.exclusive:
                order = [c for c in order if c not in taken] or order
            found = self._cut(m, order, sorted(cuts[m * n : (m + 1) * n]))
            taken |= set(found)
            chiplet += found
        self._mend(chiplet)
        first = self.search.leans[0]
        lean = [first if x < 0.7 else int((x - 0.7) / 0.3 * len(LEANS)) % len(LEANS)
                for x in genes[2 * self.size :]]  # fmt: skip
        return Plan(tuple(chiplet), lean=tuple(lean))

    def _cut(self, m: int, order: list[int], cuts: list[float]) -> list[int]:
        """Return the chiplets of a model's layers; an order's last does the rest."""
        done = self.done[m]
        size, found = len(done) - 1, list[int]()
        for c, cut in zip(order, cuts, strict=False):
            stop = bisect_left(done, cut - 1e-9)
            found += [c] * (min(stop, size) - len(found))
        return found + [order[-1]] * (size - len(found))

    def _mend(self, chiplet: list[int]) -> None:
        """Bring groups together, and layers to chiplets that support them."""
        p, ticks = self.search.problem, self.loads.ticks
        for group in p.colocate:
            for t in group:
                chiplet[t] = chiplet[group[0]]
        for t, c in enumerate(chiplet):
            if ticks[t][c] >= FAR and not p.contiguous:
                group = next((g for g in p.colocate if t in g), (t,))
                best = min(range(len(ticks[t])),
                           key=lambda d: sum(ticks[x][d] for x in group))  # fmt: skip
                for x in group:
                    chiplet[x] = best

    def of(self, chiplet: Sequence[int]) -> list[float]:
        """Return genes of a placement that has one segment a model and chiplet."""
        n = self.chiplets
        keys, cuts = [1.0] * self.size, [1.0] * self.size
        for m, model in enumerate(self.search.problem.models):
            mine = chiplet[model.first : model.last + 1]
            order = list(dict.fromkeys(mine))
            stop = 0
            for k, c in enumerate(order):
                stop += mine.count(c)
                keys[m * n + c] = k / n
                cuts[m * n + k] = self.done[m][stop]
        return [*keys, *cuts, *[0.0] * n]

    def mutated(self, offspring: Any, run: Any) -> Any:
        """Change a few genes of each child: a cut by a little, others to anything."""
        rng = run.python_random_generator
        for child in offspring:
            for _ in range(1 + int(rng.random() * 3)):
                k = rng.randrange(self.count)
                near = self.size <= k < 2 * self.size and rng.random() < 0.8
                child[k] = child[k] + rng.gauss(0, 0.02) if near else rng.random()
        return offspring


def schedule(search: Search) -> None:
    """Let populations evolve until the budget is spent."""
    pygad = library()
    loads = loads_of(search)
    genes = Genes(search, loads)
    some = beginnings(search)
    known = [next(some)]
    search.offer(known[0])  # before partitions take their time
    known += islice(some, POPULATION // 2 - 1)

    def fitness(_: object, chromosome: Sequence[float], __: object) -> float:
        return -search.offer(genes.plan(chromosome)).cost

    while True:
        rng = search.random
        population = [genes.of(chiplet) for chiplet in known]
        while len(population) < POPULATION:
            population.append([rng.random() for _ in range(genes.count)])
        run = pygad.GA(
            num_generations=GENERATIONS,
            num_parents_mating=PARENTS,
            fitness_func=fitness,
            initial_population=population,
            parent_selection_type="tournament",
            crossover_type="uniform",
            crossover_probability=0.6,
            mutation_type=genes.mutated,
            keep_elitism=ELITES,
            stop_criteria=f"saturate_{STALE}",
            random_seed=rng.randrange(2**32),
            suppress_warnings=True,
            logger=_silent(),
        )
        run.run()


def _silent() -> logging.Logger:
    """Return a logger that says nothing: PyGAD's tells of every exception on stdout."""
    logger = logging.getLogger(__name__)
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
