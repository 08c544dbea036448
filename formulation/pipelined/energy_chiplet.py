"""The least energy of a chiplet with given layers, in two steps (MODEL.md §4.9)."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from formulation.choices import Choice, fitting
from formulation.pipelined.energy_sums import FAR, inner_tensors, options_of, prices

if TYPE_CHECKING:
    from formulation.problem import Problem

MOST_UNITS = 2**18  # of L2, counted in the greatest common divisor of weights
MOST_LIVE = 6  # inner tensors across a layer whose places are tried
Levels = tuple[tuple[int, int], ...]  # (peak in bytes, least energy), ascending
Needs = tuple[tuple[int, int], ...]  # (bytes, energy units) of every choice of a layer
Tensors = tuple[int, ...]
# Inner tensors on DRAM across a layer → least energy, and those across the one before.
Step = dict[Tensors, tuple[int, Tensors]]


class OnChiplet:
    """The layers on a chiplet: least energy without the bytes between chiplets.

    Quick: φ(P) as in `energy_cuts`, but P is exact; then min over what can be
    resident together, r bytes, of price·(Σ W − r) + (price + a write)·(bytes of inner
    tensors on DRAM). Exact: all peaks, and all places of inner tensors.
    """

    def __init__(
        self, p: Problem, c: int, layers: tuple[int, ...], per_tick: int
    ) -> None:
        self.p, self.c, self.layers = p, c, layers
        self.per_tick = per_tick
        self.l2, self.price = p.chiplets[c].l2_bytes, int(prices(p)[c])
        self.spill = self.price + _least_write(p, c, layers)
        self.sums = Sizes(self.l2, [options_of(p, t, c)[0] for t in layers])
        self.inner: dict[int, Tensors] = {}
        for model in p.models:
            mine = [t for t in layers if t in model.tasks]
            if mine:
                ends = mine[0] - model.first, mine[-1] + 1 - model.first
                some = inner_tensors(p, model, *ends)
                self.inner |= dict(zip(mine, some, strict=True))
        self.options = {t: options_of(p, t, c, per_tick)[1] for t in layers}
        self.needs: dict[tuple[int, Tensors], Needs] = {}
        self.levels: dict[Tensors, Levels] = {}
        self.under: dict[tuple[int, Tensors], int] = {}
        self.peak: dict[tuple[int, Tensors], int] = {}
        self.known: dict[tuple[int, Tensors, bool], int] = {}

    def least(self, copies: int, dram: Tensors, exact: bool) -> int:
        """Return a bound on the energy beside so many bytes of copies.

        Parameters
        ----------
        dram
            What its layers write or read in DRAM of the tensors between chiplets.
        exact
            Whether inner tensors go to DRAM as a whole, and help only where they lie.
        """
        key = copies, dram, exact
        if key not in self.known:
            some = self._exact if exact else self._quick
            self.known[key] = some(self.l2 - copies, dram)
        return self.known[key]

    def _quick(self, l2: int, dram: Tensors) -> int:
        """Bytes of inner tensors beyond the room are on DRAM, of whichever."""
        best = FAR
        for peak, energy in self._levels_of(dram):
            room = l2 - peak
            for held in self.sums.beside(room):
                lost = self.price * (self.sums.total - held)
                lost += self.spill * max(0, held - room)
                best = min(best, energy + lost)
        return best

    def _levels_of(self, dram: Tensors) -> Levels:
        if dram not in self.levels:
            needs = [self._needs(t, dram) for t in self.layers]
            self.levels[dram] = _levels(needs)
        return self.levels[dram]

    def _needs(self, t: int, dram: Tensors) -> Needs:
        """Return what every choice of a layer needs with these tensors in DRAM."""
        task = self.p.tasks[t]
        near = (*task.inputs, *task.outputs, *self.inner[t])
        key = t, tuple(u for u in near if u in dram)
        if key not in self.needs:
            extra = _refetched(self.p, t, self.c, dram)
            live = sum(self.p.tensors[u].bytes for u in self.inner[t] if u not in dram)
            self.needs[key] = tuple(
                (0 if self.p.residents_only else ws + live, energy + more)
                for (ws, energy), more in zip(self.options[t], extra, strict=True)
            )
        return self.needs[key]

    def _exact(self, l2: int, dram: Tensors) -> int:
        """Try every peak: the need of a layer, less tensors across it on DRAM."""
        if not self.layers or max(len(x) for x in self.inner.values()) > MOST_LIVE:
            return self._quick(l2, dram)
        best = FAR
        for rough, peak, lost in self._peaks(l2, dram):
            if rough >= best:
                break
            if (peak, dram) not in self.under:
                last = self._under(peak, dram)[-1]
                self.under[peak, dram] = min((x for x, _ in last.values()), default=FAR)
            if lost + self.under[peak, dram] < best:
                best = lost + self.under[peak, dram]
                self.peak[l2, dram] = peak
        return best

    def decide(self, copies: int, dram: Tensors) -> tuple[dict[int, Choice], Tensors]:
        """Return choices and inner tensors on DRAM that take the least energy.

        As far as a bound says it; a schedule of them is still to be valued. Nothing
        if there are none.
        """
        l2 = self.l2 - copies
        if self.least(copies, dram, exact=True) >= FAR or (l2, dram) not in self.peak:
            return {}, ()
        peak = self.peak[l2, dram]
        steps = self._under(peak, dram)
        gone = min(steps[-1], key=lambda x: steps[-1][x][0])
        kept = self.sums.pick(self.sums.beside(l2 - peak)[0])
        choice, moved = {}, set[int]()
        for n in reversed(range(len(self.layers))):
            t, resident = self.layers[n], n in kept
            rows = zip(
                fitting(self.p, t, self.c), self._needs(t, dram + gone), strict=True
            )
            able = [
                (bool(k.resident) != resident, energy, m, k)
                for m, (k, (need, energy)) in enumerate(rows)
                if need <= peak
            ]
            choice[t] = min(able)[-1]
            moved.update(gone)
            gone = steps[n][gone][1]
        return choice, tuple(moved)

    def _peaks(self, l2: int, dram: Tensors) -> list[tuple[int, int, int]]:
        """Return peaks with a bound and with what streaming costs, least bound first.

        Under a peak P layers take at least min over φ's levels of the energy + the
        price of what such a level is above P, which has to be on DRAM.
        """
        peaks = set()
        for t in self.layers:
            for freed in _sums_of([self.p.tensors[u].bytes for u in self.inner[t]]):
                peaks |= {need - freed for need, _ in self._needs(t, dram)}
        found = []
        levels = self._levels_of(dram)
        for peak in (x for x in peaks if 0 <= x <= l2):
            held = self.sums.beside(l2 - peak)[0]
            lost = self.price * (self.sums.total - held)
            least = min(e + self.spill * max(0, n - peak) for n, e in levels)
            found.append((lost + least, peak, lost))
        return sorted(found)

    def _under(self, peak: int, dram: Tensors) -> list[Step]:
        """Return the least energies of layers that need no more than a peak.

        Layer by layer, from every set of inner tensors across it that are on DRAM.
        A tensor is left where it is if no layer that it is across would gain by it.
        """
        steps: list[Step] = [{(): (0, ())}]
        useful = {
            u
            for t in self.layers
            if self.inner[t] and min((e, n) for n, e in self._needs(t, dram))[1] > peak
            for u in self.inner[t]
            if not self.p.always_package(u)
        }
        for t in self.layers:
            after: Step = {}
            across, inputs = self.inner[t], self.p.tasks[t].inputs
            made = [u for u in self.p.tasks[t].outputs if u in across and u in useful]
            for before, (spent, _) in steps[-1].items():
                kept = tuple(u for u in before if u in across)
                for more in _subsets(made):
                    gone = kept + more
                    needs = self._needs(t, dram + gone if gone else dram)
                    able = [energy for need, energy in needs if need <= peak]
                    if able:
                        energy = spent + min(able)
                        if gone:
                            energy += self._moved(
                                more, [u for u in inputs if u in gone]
                            )
                        step = energy, before
                        after[gone] = min(step, after.get(gone, step))
            steps.append(after)
        return steps[1:]

    def _moved(self, written: Tensors, read: list[int]) -> int:
        """Return the energy units of writing and of reading inner tensors."""
        chiplet, tensors = self.p.chiplets[self.c], self.p.tensors
        reading = chiplet.reads[chiplet.home].energy
        out = sum(tensors[u].bytes for u in written if not tensors[u].output)
        back = sum(tensors[u].bytes for u in read)
        return chiplet.write.energy * out + reading * back


def _subsets(some: list[int]) -> list[Tensors]:
    """Return all subsets."""
    found: list[Tensors] = [()]
    for u in some:
        found += [(*x, u) for x in found]
    return found


def _sums_of(some: list[int]) -> tuple[int, ...]:
    """Return the sums of all subsets, ascending."""
    found = {0}
    for size in some:
        found |= {x + size for x in found}
    return tuple(sorted(found))


def _levels(needs: list[Needs]) -> Levels:
    """Return φ at every peak that a layer's choice can make."""
    best: list[int | None] = [None] * len(needs)
    open_layers, total = len(needs), 0
    found = [] if needs else [(0, 0)]
    events = sorted((x, n, e) for n, some in enumerate(needs) for x, e in some)
    for need, n, energy in events:
        before = best[n]
        if before is not None and energy >= before:
            continue
        open_layers -= before is None
        total += energy - (before or 0)
        best[n] = energy
        if not open_layers:
            found.append((need, total))
    return tuple(found)


def _refetched(p: Problem, t: int, c: int, dram: tuple[int, ...]) -> list[int]:
    """Return the energy units of r_i and r_o with these tensors in DRAM, by choice."""
    task, chiplet = p.tasks[t], p.chiplets[c]
    found = []
    both = chiplet.reads[chiplet.home].energy + chiplet.write.energy
    least = min(flow.energy for flow in chiplet.reads)
    # With an output that is always in DRAM, r_o is in the choice.
    written = not any(p.always_dram(u) for u in task.outputs)
    written = written and any(u in dram for u in task.outputs)
    for choice in fitting(p, t, c):
        mode = task.modes[c][choice.mode]
        again = zip(task.inputs, mode.ri_bytes, strict=True)
        energy = least * sum(more for u, more in again if u in dram)
        found.append(energy + (both * mode.ro_bytes if written else 0))
    return found


def _least_write(p: Problem, c: int, layers: tuple[int, ...]) -> int:
    """Return energy units per byte to write an inner tensor; 0: one is an output."""
    free = any(p.tensors[u].output for t in layers for u in p.tasks[t].outputs)
    return 0 if free else p.chiplets[c].write.energy


class Sizes:
    """Which sums whole weights can have, up to L2."""

    def __init__(self, l2: int, weights: list[int]) -> None:
        self.weights, self.total = weights, sum(weights)
        self.unit = gcd(*weights) or 1
        self.sums = 0
        if l2 // self.unit <= MOST_UNITS:
            self.sums, within = 1, (1 << (l2 // self.unit + 1)) - 1
            for weight in weights:
                self.sums |= (self.sums << (weight // self.unit)) & within

    def beside(self, room: int) -> list[int]:
        """Return the largest sum within the room and the least one beyond it.

        Where there are too many, what the room holds: then any sum is possible.
        """
        if not self.sums:
            return [min(self.total, max(0, room))]
        units = room // self.unit if room >= 0 else -1
        found = []
        within = self.sums & ((1 << (units + 1)) - 1)
        if within:
            found.append((within.bit_length() - 1) * self.unit)
        beyond = self.sums >> (units + 1)
        if beyond:
            least = (beyond & -beyond).bit_length() + units
            found.append(least * self.unit)
        return found

    def pick(self, total: int) -> set[int]:
        """Return numbers of weights with a sum; some that fit if any sum counts."""
        before, picked = [1], set()
        for weight in self.weights:
            before.append(before[-1] | before[-1] << weight // self.unit)
        for n in reversed(range(len(self.weights))):
            fits = self.weights[n] <= total
            if fits and not (self.sums and before[n] >> total // self.unit & 1):
                picked.add(n)
                total -= self.weights[n]
        return picked
