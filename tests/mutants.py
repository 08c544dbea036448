"""Plant bugs in the engines, one at a time, and see which test notices.

    python -m tests.mutants [--kind timed] [--engine cpsat] [--bug 7] [--jobs 2]

Every bug is a substitution of one place in a copy of the source tree, where the tests
of one engine (of timed schedules, also those of the semantics) then run until the first
fails. The copy as it is must pass. The table
that is printed is Markdown; the exit code is 1 if a bug goes unnoticed.

Bugs 1 to 12 are those that models of this kind really have: something omitted, off by
one, of the wrong index, or cut off without being a symmetry. The rest are of ours.
Those of timed schedules are in `tests/bugs_timed.py`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

from tests import bugs_timed
from tests.bugs import Bug, Edit

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("instances", "costmodel", "formulation", "tests", "pyproject.toml")
PARTS += ("results",) if (ROOT / "results").exists() else ()
TESTS = (
    "tests/test_tiny_flips.py",
    "tests/test_fixed_schedules.py",
    "tests/test_engines_oracle.py",
    "tests/test_cpsat_cuts.py",
    "tests/test_symmetry.py",
    "tests/test_peaks.py",
)
FOLDER = "formulation/pipelined/"
CPSAT, CPSAT_VARS = FOLDER + "cpsat_rules.py", FOLDER + "cpsat_vars.py"
CPSAT_MEMORY, CHOICES = FOLDER + "cpsat_memory.py", "formulation/choices.py"
DECIDED, SHAPE = "formulation/cpsat_decisions.py", "formulation/cpsat_shape.py"
CUTS, SEARCH_CUTS = FOLDER + "cuts.py", FOLDER + "cpsat_cuts.py"
MILP, MILP_VARS = FOLDER + "milp_rules.py", FOLDER + "milp_vars.py"
MILP_MEMORY, MILP_TRAFFIC = FOLDER + "milp_memory.py", "formulation/milp_traffic.py"
MILP_SHAPE, MILP_DECIDED = "formulation/milp_shape.py", "formulation/milp_decisions.py"
MILP_BUILD, MILP_ENERGY = FOLDER + "milp.py", FOLDER + "milp_energy.py"
GROUP, CPSAT_BUILD = "formulation/symmetry.py", FOLDER + "cpsat_build.py"
SYMMETRY, MILP_CUTS = FOLDER + "symmetry.py", FOLDER + "milp_cuts.py"
MILP_SEARCH, PEAKS = FOLDER + "milp_search.py", FOLDER + "peaks.py"

SHORTEST = (
    "sum(min((k.latency_ticks for modes in t.modes for k in modes), default=0)"
    " for t in {0}.tasks)"
)


BUGS = (
    Bug(
        "a transfer does not load the links",
        Edit(CPSAT, "put(m.p.links[link].resource, literal, u)", "continue"),
        Edit(
            MILP_TRAFFIC,
            "Move(u, cost.resource, var, load, cost.energy * size)",
            "Move(u, None, var, load, cost.energy * size)",
        ),
    ),
    Bug(
        "a package tensor arrives one stage early",
        Edit(CPSAT, "if m.p.always_dram(u) or m.p.serial else 2", "if True else 2"),
        Edit(
            MILP,
            "terms = [*later, (apart[i, j], -2), (m.package[u], -1)]",
            "terms = [*later, (apart[i, j], -1), (m.package[u], -1)]",
        ),
    ),
    Bug(
        "`compute` misses the last of several chiplets",
        Edit(
            CPSAT,
            "for c, chiplet in enumerate(m.p.chiplets):\n        if not m.p.serial:",
            "for c, chiplet in enumerate(m.p.chiplets[:max(1, len(loads) - 1)]):\n"
            "        if not m.p.serial:",
        ),
        Edit(
            MILP,
            "for c in range(len(p.chiplets)):\n        busy",
            "for c in range(max(1, len(p.chiplets) - 1)):\n        busy",
        ),
    ),
    Bug(
        "L2 has a byte more",
        Edit(
            CPSAT_MEMORY,
            "weighted(rooms[c]) <= chiplet.l2_bytes",
            "weighted(rooms[c]) <= chiplet.l2_bytes + 1",
        ),
        Edit(
            MILP_MEMORY,
            "room = (chiplet.l2_bytes + 0.5)",
            "room = (chiplet.l2_bytes + 1.5)",
        ),
    ),
    Bug(
        "the duration of the next layer",
        Edit(
            CPSAT,
            "base = [(z, k.ticks) for z, k",
            "base = [(z, m.options.get((t + 1, c), [k])[0].ticks) for z, k",
        ),
        Edit(
            MILP_VARS,
            "terms = [(choice.var, float(choice.ticks)) for choice",
            "terms = [(choice.var, float(m.choices.get((t + 1, c), [choice])[0].ticks))"
            " for choice",
        ),
    ),
    Bug(
        "the period forgets the first layer",
        Edit(
            CPSAT,
            "loads[c] += durations(m, t, c)",
            "loads[c] += durations(m, t, c) if t else []",
        ),
        Edit(
            MILP,
            "if (t, c) in m.x:\n                busy += duration",
            "if t and (t, c) in m.x:\n                busy += duration",
        ),
    ),
    Bug(
        "a transfer is charged on the same chiplet, too",
        Edit(
            DECIDED,
            "self.imply([there, *away, *self.package(u)], found[u, d])",
            "self.imply([there, *self.package(u)], found[u, d])",
        ),
        Edit(
            MILP_TRAFFIC,
            '[(arrives, 1), *gets, *here], ">=", 0)',
            '[(arrives, 1), *gets], ">=", 0)',
        ),
    ),
    Bug(
        "L2 has a byte less",
        Edit(
            CPSAT_MEMORY,
            "weighted(rooms[c]) <= chiplet.l2_bytes",
            "weighted(rooms[c]) <= chiplet.l2_bytes - 1",
        ),
        Edit(
            MILP_MEMORY,
            "room = (chiplet.l2_bytes + 0.5)",
            "room = (chiplet.l2_bytes - 0.5)",
        ),
    ),
    Bug(
        "T is at most the sum of the shortest durations",
        Edit(
            CPSAT_VARS,
            "self.horizon = bounds.upper(self.p)",
            f"self.horizon = max(self.p.floor_ticks, {SHORTEST.format('self.p')})",
        ),
        Edit(
            MILP_BUILD,
            'program.integer("period", 1 - base)',
            'program.integer("period", 1 - base, '
            f"max(base, problem.floor_ticks, {SHORTEST.format('problem')}) - base)",
        ),
    ),
    Bug(
        "stages end at the longest path in layers",
        Edit(
            CPSAT_VARS,
            "0, self.p.models[t.model].max_stage, f",
            "0, min(self.p.models[t.model].max_stage, "
            "len(self.p.models[t.model].tasks) - 1), f",
        ),
        Edit(
            MILP_VARS,
            "most = p.models[layer.model].max_stage",
            "most = p.models[layer.model].max_stage\n"
            "        most = min(most, len(p.models[layer.model].tasks) - 1)",
        ),
    ),
    Bug(
        "stages rise along the order of layers",
        Edit(
            CPSAT,
            "for u, i, j in m.edges:\n",
            "for model in m.p.models:\n"
            "        for t in model.tasks[1:]:\n"
            "            m.model.add(m.stage[t - 1] <= m.stage[t])\n"
            "    for u, i, j in m.edges:\n",
        ),
        Edit(
            MILP,
            "    for u, i, j in edges(p):\n",
            "    for model in p.models:\n"
            "        for t in model.tasks[1:]:\n"
            "            pair = [(m.stage[t], 1.0), (m.stage[t - 1], -1.0)]\n"
            '            m.program.row("rising", pair, ">=", 0)\n'
            "    for u, i, j in edges(p):\n",
        ),
    ),
    Bug(
        "the first layer is on the first chiplet of its type",
        Edit(
            SHAPE,
            "    for (t, c), picks in m.pick.items():\n",
            "    for c, y in enumerate(m.on[0]):\n"
            "        every = m.p.chiplets\n"
            "        same = any(x.type == every[c].type for x in every[:c])\n"
            "        if y is not None and same:\n"
            "            m.model.add_implication(y, m.false)\n"
            "    for (t, c), picks in m.pick.items():\n",
        ),
        Edit(
            MILP_SHAPE,
            "    for key, choices in m.choices.items():\n        picked = [(choice.var",
            "    for c in m.problem.supported(0):\n"
            "        every = m.problem.chiplets\n"
            "        if any(x.type == every[c].type for x in every[:c]):\n"
            '            m.program.row("first", [(m.x[0, c], 1)], "==", 0)\n'
            "    for key, choices in m.choices.items():\n"
            "        picked = [(choice.var",
        ),
    ),
    Bug(
        "a layer's duration leaves out tensors that may be dram",
        Edit(
            CPSAT,
            "        m.model.add(weighted([(x, n * rate.den) for x, n in row])"
            " <= rate.num * d)",
            "        m.model.add(weighted([(x, 0) for x, n in row]) <= rate.num * d)",
        ),
        Edit(
            MILP,
            'm.tick_row("duration", terms, ">=", -give)',
            'm.tick_row("duration", terms, ">=", -1e6)',
        ),
    ),
    Bug(
        "one copy at the producer",
        Edit(
            CPSAT_MEMORY,
            "m.model.add(n >= (1 if m.p.serial else 2)).only_enforce_if(sends)",
            "m.model.add(n >= 1).only_enforce_if(sends)",
        ),
        Edit(MILP_MEMORY, "twice = [(var, -2 * k)", "twice = [(var, -1 * k)"),
    ),
    Bug(
        "an unbuffered tensor is gone at its last consumer",
        Edit(
            CPSAT_MEMORY,
            "for t in range(tensor.producer, max(tensor.consumers) + 1):",
            "for t in range(tensor.producer, max(tensor.consumers)):",
        ),
        Edit(
            MILP_MEMORY,
            "spans = tensor.producer <= t <= max(tensor.consumers)",
            "spans = tensor.producer <= t < max(tensor.consumers)",
        ),
    ),
    Bug(
        "output is never read again",
        Edit(CHOICES, "    if placed and any(again) and", "    if False and"),
        Edit(
            MILP_TRAFFIC,
            "if not any(mode.ro_bytes for modes in layer.modes for mode in modes):",
            "if True:",
        ),
    ),
    Bug(
        "static power is free",
        Edit(
            CPSAT,
            "terms.append((m.period, m.p.static_energy))",
            "terms.append((m.period, 0))",
        ),
        Edit(
            MILP_ENERGY,
            "= [(m.period, p.static_energy * m.tick_step)]",
            "= [(m.period, 0)]",
        ),
    ),
    Bug(
        "`private` reads come through the reader's interface",
        Edit(DECIDED, "chiplet.reads[h],", "chiplet.reads[chiplet.home],"),
        Edit(
            MILP_TRAFFIC,
            "flow = p.chiplets[c].reads[h]",
            "flow = p.chiplets[c].reads[p.chiplets[c].home]",
        ),
    ),
    Bug(
        "`multicast` crosses a link once for each destination",
        Edit(
            CPSAT,
            "if m.p.multicast:\n        return [(link",
            "if False:\n        return [(link",
        ),
        Edit(MILP_TRAFFIC, "if p.multicast and len(by_taker) > 1:", "if False:"),
    ),
    Bug(
        "latency is one stage shorter",
        Edit(
            CPSAT,
            "m.model.add(m.stage[t] - first + 1 <= span)",
            "m.model.add(m.stage[t] - first <= span)",
        ),
        Edit(
            MILP,
            "float(cap // (s + 1) - m.base_ticks)",
            "float(cap // max(1, s) - m.base_ticks)",
        ),
    ),
    Bug(
        "a dram tensor that is an output is written twice",
        Edit(CHOICES, "        if not p.tensors[u].output:\n", "        if True:\n"),
        Edit(
            MILP_DECIDED,
            "            if not tensor.output:\n",
            "            if True:\n",
        ),
    ),
    Bug(
        "a way to cut is valued by its first chiplet's weights twice",
        Edit(
            CUTS, "weight[c] = of.weight[b] - of.weight[a]", "weight[c] = of.weight[b]"
        ),
        None,
    ),
    Bug(
        "a chiplet never takes all the layers that it has room for",
        Edit(CUTS, '"right") - 1', '"right") - 2'),
        None,
    ),
    Bug(
        "settled ways prove one tick too much",
        Edit(SEARCH_CUTS, "min(ticks + 1, value)", "min(ticks + 2, value)"),
        None,
    ),
    Bug(
        "a symmetry need not keep the way to DRAM",
        Edit(GROUP, "for what, of, flow in ways:", "for what, of, flow in ways[:0]:"),
        Edit(GROUP, "for what, of, flow in ways:", "for what, of, flow in ways[:0]:"),
    ),
    Bug(
        "after a layer on a chiplet that stays, all others count as the first",
        Edit(
            CPSAT_BUILD,
            "before, moved = moved, m.bool(",
            "before, moved = m.false, m.bool(",
        ),
        Edit(MILP_CUTS, "minus([*moved, *ups])", "minus(ups)"),
    ),
    Bug(
        "a hint is not the image that symmetry leaves",
        Edit(CPSAT_BUILD, "s = representative(m.p, s, m.group)", "s = s"),
        Edit(
            MILP_SEARCH,
            "representative(m.problem, s, m.group)",
            "s",
        ),
    ),
    Bug(
        "orders of chiplets that a symmetry keeps are left out",
        Edit(SYMMETRY, ">= order for to", "> order for to"),
        None,
    ),
    Bug(
        "between two boxes of peaks there is a byte",
        Edit(PEAKS, "at + 1, *low", "at + 2, *low"),
        None,
    ),
    Bug(
        "a box leaves out what needs just its largest peak",
        Edit(PEAKS, "int(need <= high[c])", "int(need < high[c])"),
        None,
    ),
)


KINDS = {
    "pipelined": (BUGS, {e: ("-k", e, *TESTS) for e in ("cpsat", "milp")}),
    "timed": (
        bugs_timed.BUGS,
        {e: ("-m", "not long", *tests) for e, tests in bugs_timed.TESTS.items()},
    ),
}


def copy(source: Path, to: Path) -> Path:
    to.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "mutants.py")
    for part in PARTS:
        if (source / part).is_dir():
            shutil.copytree(source / part, to / part, ignore=ignored)
        else:
            shutil.copy(source / part, to / part)
    return to


def failing(
    tree: Path, tests: tuple[str, ...], skipped: tuple[str, ...], first: bool
) -> list[str]:
    """Return which of some tests fail in a tree; the first one, or all."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [*(["-x"] if first else []), *tests]
    command += [f"--deselect={test}" for test in skipped]
    # Without byte code: a file changes back and forth within its time stamp.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    found = re.findall(r"^(?:FAILED|ERROR) (\S+\[[^\]]*\]|\S+)", done.stdout, re.M)
    if done.returncode not in (0, 1) or bool(found) != bool(done.returncode):
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return found


def check_copy(tree: Path) -> None:
    """Fail unless Python in the copy imports the copy."""
    code = "import formulation; print(formulation.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tree,
        capture_output=True,
        text=True,
        check=True,
    )
    if not Path(done.stdout.strip()).is_relative_to(tree.resolve()):
        raise RuntimeError(f"the copy imports {done.stdout.strip()}")


def planted(edit: Edit, tree: Path = ROOT) -> str:
    """Return the text of a file of a tree with the bug in it."""
    text = (tree / edit.file).read_text()
    if text.count(edit.old) != 1:
        times = text.count(edit.old)
        raise RuntimeError(f"{edit.file}: {times} times, expected once: {edit.old!r}")
    return text.replace(edit.old, edit.new)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=tuple(KINDS), default="pipelined")
    parser.add_argument(
        "--engine", choices=("cpsat", "milp", "semantics"), action="append"
    )
    parser.add_argument("--bug", type=int, action="append")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--skip", action="append", default=[], help="a failing test")
    given = parser.parse_args()
    bugs, tests = KINDS[given.kind]
    engines = given.engine or list(tests)
    numbers = given.bug or range(1, len(bugs) + 1)
    skipped = tuple(given.skip)
    with tempfile.TemporaryDirectory() as folder:
        pristine = copy(ROOT, Path(folder, "pristine"))
        check_copy(pristine)
        trees: Queue[Path] = Queue()
        for n in range(given.jobs):
            trees.put(copy(pristine, Path(folder, str(n))))
        for engine in engines:
            broken = failing(pristine, tests[engine], skipped, first=False)
            if broken:
                print("fail without a bug:", *broken, sep="\n", file=sys.stderr)
                return 1

        def run(number: int, engine: str) -> str | None:
            edit = getattr(bugs[number - 1], engine)
            mine = trees.get()
            try:
                (mine / edit.file).write_text(planted(edit, pristine))
                found = failing(mine, tests[engine], skipped, first=True)
            finally:
                shutil.copy(pristine / edit.file, mine / edit.file)
                trees.put(mine)
            name = found[0].split("::")[1] if found else None
            print(f"{number} {engine}: {name}", file=sys.stderr, flush=True)
            return name

        jobs = [
            (n, engine)
            for n in numbers
            for engine in engines
            if getattr(bugs[n - 1], engine) is not None
        ]
        with ThreadPoolExecutor(given.jobs) as pool:
            results = dict(
                zip(jobs, pool.map(lambda job: run(*job), jobs), strict=True)
            )
    print("|  | bug |", " | ".join(engines), "|")
    print("|---|---|" + "---|" * len(engines))
    for n in numbers:
        cells = [
            ""
            if (n, e) not in results
            else f"`{results[n, e]}`"
            if results[n, e]
            else "**no**"
            for e in engines
        ]
        print(f"| {n} | {bugs[n - 1].what} |", " | ".join(cells), "|")
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
