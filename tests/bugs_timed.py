"""Bugs of timed schedules: in CP-SAT, in the MILP, in the semantics.

1 to 10 are those that models of this kind really have, as in `tests/mutants.py`.
"""

from __future__ import annotations

from tests.bugs import Bug, Edit

ENGINES = ("tests/test_oracle_timed.py", "tests/test_timed_engines.py")
TESTS = {
    "cpsat": ("-k", "cpsat", *ENGINES),
    "milp": ("-k", "milp", *ENGINES, "tests/formulation/test_timed_milp.py"),
    "semantics": (
        "tests/formulation/test_timed_rules.py",
        "tests/test_oracle_timed.py",
    ),
}
FOLDER = "formulation/timed/"
RULES, VARS = FOLDER + "cpsat_rules.py", FOLDER + "cpsat_vars.py"
MEMORY, QUANTITIES = FOLDER + "cpsat_memory.py", FOLDER + "cpsat_quantities.py"
M_RULES, M_VARS = FOLDER + "milp_rules.py", FOLDER + "milp_vars.py"
M_MEMORY, M_QUANTITIES = FOLDER + "milp_memory.py", FOLDER + "milp_quantities.py"
M_FLOWS, M_CAPACITY = FOLDER + "milp_flows.py", FOLDER + "milp_capacity.py"
SEMANTICS, MOVEMENTS = FOLDER + "semantics.py", FOLDER + "movements.py"
L2, OBJECTIVE = FOLDER + "memory.py", FOLDER + "objective.py"
BOUNDS, TRAFFIC = FOLDER + "bounds.py", "formulation/traffic.py"

NEXT = "(self.p.tasks[(t + 1) % len(self.p.tasks)].modes[c]"
NEXT += " or self.p.tasks[t].modes[c])[0].latency_ticks"
SUM_OF_SHORTEST = Edit(
    BOUNDS,
    "return released + most.fixed + outside + most.others + most.latencies",
    "return released + sum(\n"
    "        min((k.latency_ticks for some in t.modes for k in some), default=0)\n"
    "        for t in p.tasks\n"
    "    )",
)
AT_ONCE = Edit(
    MOVEMENTS, "                passed = until", "                passed = 0"
)
LONG_LAG = Edit(BOUNDS, "lag = min(p.dram_ticks, over", "lag = max(p.dram_ticks, over")
ALL_WORK = Edit(BOUNDS, "released - (-left // len(p.chiplets))", "released + left")

BUGS = (
    Bug(
        "a transfer holds no resource",
        Edit(
            RULES,
            "for r, interval in _transfers(m) if timed or m.p.timing.store_and_forward"
            " else ():",
            "for r, interval in ():",
        ),
        Edit(M_FLOWS, "        yield from _transfers(m)", "        yield from ()"),
        Edit(
            SEMANTICS,
            "for r, span in move.holds:",
            'for r, span in () if move.name[0] == "t" else move.holds:',
        ),
    ),
    Bug(
        "what is sent is usable a tick early",
        Edit(RULES, "(m.start[j][k] - y >= late)", "(m.start[j][k] - y >= late - 1)"),
        Edit(
            M_RULES,
            "(*m.send_long[u, to][k], *hops))",
            "(*m.send_long[u, to][k], *hops), -1)",
        ),
        Edit(
            SEMANTICS,
            "usable[d] = move.span[1] + p.route_ticks[here][d]",
            "usable[d] = move.span[1] + p.route_ticks[here][d] - 1",
        ),
    ),
    Bug(
        "`no-overlap` misses the last of several chiplets",
        Edit(
            RULES,
            "for c in range(len(m.p.chiplets)):",
            "for c in range(max(1, len(m.p.chiplets) - 1)):",
        ),
        Edit(
            M_RULES,
            "list(_runs(m))",
            "[x for x in _runs(m) if x[0] < max(1, len(m.p.chiplets) - 1)]",
        ),
        Edit(
            SEMANTICS,
            "for c, tasks in enumerate(chiplets):",
            "for c, tasks in enumerate(chiplets[: max(1, len(chiplets) - 1)]):",
        ),
    ),
    Bug(
        "L2 has a byte more",
        Edit(
            MEMORY,
            "add_cumulative(intervals, demands, chiplet.l2_bytes)",
            "add_cumulative(intervals, demands, chiplet.l2_bytes + 1)",
        ),
        Edit(
            M_MEMORY,
            "room = (chiplet.l2_bytes + 0.5)",
            "room = (chiplet.l2_bytes + 1.5)",
        ),
        Edit(
            SEMANTICS,
            "over = used.peak_bytes - chiplet.l2_bytes",
            "over = used.peak_bytes - chiplet.l2_bytes - 1",
        ),
    ),
    Bug(
        "the duration of the next layer",
        Edit(
            VARS,
            "(z, k, self.p.tasks[t].modes[c][k.mode].latency_ticks)",
            f"(z, k, {NEXT})",
        ),
        Edit(
            M_VARS,
            "(k, self.p.tasks[t].modes[c][k.mode].latency_ticks)",
            f"(k, {NEXT})",
        ),
        Edit(
            MOVEMENTS,
            "max(task_mode(p, s, t).latency_ticks, long)",
            "max(task_mode(p, s, (t + 1) % len(p.tasks)).latency_ticks, long)",
        ),
    ),
    Bug(
        "the makespan forgets the first layer",
        Edit(
            VARS,
            "self.model.add(self.makespan >= end)",
            "self.model.add(self.makespan >= (end if t else 0))",
        ),
        Edit(
            M_VARS,
            "Moment(m.makespan), m.run(t, k).end)",
            "Moment(m.makespan), m.run(t, k).end if t else Moment(None))",
        ),
        Edit(
            SEMANTICS,
            "max(end for spans in runs for _, end in spans)",
            "max(end for spans in runs[1:] or runs for _, end in spans)",
        ),
    ),
    Bug(
        "a transfer is charged on the same chiplet, too",
        Edit(
            "formulation/cpsat_decisions.py",
            "self.imply([there, *away, *self.package(u)], found[u, d])",
            "self.imply([there, *self.package(u)], found[u, d])",
        ),
        Edit(
            "formulation/milp_traffic.py",
            '[(arrives, 1), *gets, *here], ">=", 0)',
            '[(arrives, 1), *gets], ">=", 0)',
        ),
        Edit(
            TRAFFIC,
            "return sorted({s.chiplet[j] for j in tensor.consumers} - {here})",
            "return sorted({s.chiplet[j] for j in tensor.consumers})",
        ),
    ),
    Bug(
        "L2 has a byte less",
        Edit(
            MEMORY,
            "add_cumulative(intervals, demands, chiplet.l2_bytes)",
            "add_cumulative(intervals, demands, max(0, chiplet.l2_bytes - 1))",
        ),
        Edit(
            M_MEMORY,
            "room = (chiplet.l2_bytes + 0.5)",
            "room = (chiplet.l2_bytes - 0.5)",
        ),
        Edit(
            SEMANTICS,
            "over = used.peak_bytes - chiplet.l2_bytes",
            "over = used.peak_bytes - chiplet.l2_bytes + 1",
        ),
    ),
    Bug(
        "the horizon is the sum of the shortest runs", SUM_OF_SHORTEST, SUM_OF_SHORTEST
    ),
    Bug(
        "layers start in their order",
        Edit(
            RULES,
            "    for t, starts in enumerate(m.start):\n        releases",
            "    for model in m.p.models:\n"
            "        for t in model.tasks[1:]:\n"
            "            m.model.add(m.start[t][0] >= m.start[t - 1][0])\n"
            "    for t, starts in enumerate(m.start):\n        releases",
        ),
        Edit(
            M_RULES,
            "    for t, starts in enumerate(m.start):\n        releases",
            "    for model in m.p.models:\n"
            "        for t in model.tasks[1:]:\n"
            "            pair = Moment(m.start[t][0]), Moment(m.start[t - 1][0])\n"
            '            m.after("rising", *pair)\n'
            "    for t, starts in enumerate(m.start):\n        releases",
        ),
    ),
    Bug(
        "a stream may end a tick after its run",
        Edit(
            RULES,
            "(m.stream_end[t][k] <= m.end[t][k])",
            "(m.stream_end[t][k] <= m.end[t][k] + 1)",
        ),
        Edit(
            M_RULES,
            'm.after("stream", end, Moment(x, tuple(q)))',
            'm.after("stream", end, Moment(x, tuple(q), -1))',
        ),
        Edit(
            SEMANTICS,
            "max(start - own[0], own[1] - end)",
            "max(start - own[0], own[1] - end - 1)",
        ),
    ),
    Bug(
        "a load may end a tick after a run has started",
        Edit(RULES, "(m.load[t] + ticks <= start)", "(m.load[t] + ticks <= start + 1)"),
        Edit(
            M_RULES,
            "brought = Moment(m.load[t], tuple(m.load_long[t]))",
            "brought = Moment(m.load[t], tuple(m.load_long[t]), -1)",
        ),
        Edit(
            SEMANTICS,
            '_ticks("precedence", where, brought[1] - start)',
            '_ticks("precedence", where, brought[1] - start - 1)',
        ),
    ),
    Bug(
        "all rounds are released with the first",
        Edit(RULES, "m.model.add(start >= due)", "m.model.add(start >= releases[0])"),
        Edit(
            M_RULES,
            "Moment(start), Moment(None, (), due))",
            "Moment(start), Moment(None, (), releases[0]))",
        ),
        Edit(
            SEMANTICS,
            "due = p.timing.releases[p.tasks[t].model][k]",
            "due = p.timing.releases[p.tasks[t].model][0]",
        ),
    ),
    Bug(
        "a dram tensor is usable at once",
        Edit(
            RULES,
            "(m.start[j][k] >= made + m.p.dram_ticks)",
            "(m.start[j][k] >= made)",
        ),
        Edit(M_RULES, "late = m.p.dram_ticks", "late = 0"),
        Edit(SEMANTICS, "ready = made + p.dram_ticks", "ready = made"),
    ),
    Bug(
        "resident weights lie until the first run ends",
        Edit(
            MEMORY,
            "m.model.add(last >= m.makespan)",
            "m.model.add(last >= m.end[t][0])",
        ),
        Edit(M_MEMORY, "start, Moment(m.makespan))", "start, m.run(t, 0).end)"),
        Edit(
            L2,
            "start, makespan, task.weight_bytes",
            "start, runs[t][0][1], task.weight_bytes",
        ),
    ),
    Bug(
        "a tensor does not lie where it was made until it is sent",
        Edit(
            MEMORY,
            "(last >= m.send_end[key][k])",
            "(last >= m.end[i][k])",
        ),
        Edit(
            M_MEMORY,
            'm.after("sent_last", last, sent,',
            'm.after("sent_last", last, m.run(i, k).end,',
        ),
        Edit(
            L2,
            "max(last[here], move.span[1])",
            "max(last[here], move.span[0])",
        ),
    ),
    Bug(
        "a tensor that was sent is gone at its first consumer there",
        Edit(
            MEMORY,
            "for j in tensor.consumers:\n                there = m.on[j][d]",
            "for j in tensor.consumers[:1]:\n                there = m.on[j][d]",
        ),
        Edit(
            M_MEMORY,
            "            for j in here:\n",
            "            for j in here[:1]:\n",
        ),
        Edit(
            L2,
            "last[d] = max(last.get(d, 0), runs[j][k][1])",
            "last[d] = last.get(d, runs[j][k][1])",
        ),
    ),
    Bug(
        "static power is free",
        Edit(
            QUANTITIES,
            "(m.makespan, m.p.static_energy)",
            "(m.makespan, 0)",
        ),
        Edit(
            M_QUANTITIES,
            "(m.makespan, m.p.static_energy)",
            "(m.makespan, 0)",
        ),
        Edit(
            SEMANTICS,
            "streams, sent, makespan_ticks)",
            "streams, sent, 0)",
        ),
    ),
    Bug(
        "the energy of one round",
        Edit(
            QUANTITIES,
            "terms += [(z, rounds * k.energy)",
            "terms += [(z, k.energy)",
        ),
        Edit(
            M_QUANTITIES,
            "terms += [(k.var, rounds * k.energy)",
            "terms += [(k.var, k.energy)",
        ),
        Edit(
            SEMANTICS,
            "rounds[task.model] * task_mode",
            "1 * task_mode",
        ),
    ),
    Bug(
        "what is due is due a tick later",
        Edit(QUANTITIES, "(tardy >= late - due)", "(tardy >= late - due - 1)"),
        Edit(
            M_QUANTITIES,
            '(late, -1.0)], ">=", -due)',
            '(late, -1.0)], ">=", -due - 1)',
        ),
        Edit(SEMANTICS, "max(0, ticks - due)", "max(0, ticks - due - 1)"),
    ),
    Bug(
        "the largest latency is that of the first model",
        Edit(
            QUANTITIES,
            "for n, weight in part.weights(m.p).items():",
            "for n, weight in list(part.weights(m.p).items())[:1]:",
        ),
        Edit(
            M_QUANTITIES,
            "for n, weight in part.weights(m.p).items():",
            "for n, weight in list(part.weights(m.p).items())[:1]:",
        ),
    ),
    Bug("a stored transfer passes its resources together", AT_ONCE, AT_ONCE, AT_ONCE),
    Bug("a chain waits for the slower of DRAM and link", LONG_LAG, LONG_LAG),
    Bug("all work is on one chiplet", ALL_WORK, ALL_WORK),
    Bug(
        "what starts in the same tick is not there yet",
        None,
        Edit(M_VARS, "b.start.lag, b.start.ticks + 1)", "b.start.lag, b.start.ticks)"),
    ),
    Bug(
        "what starts takes no room itself",
        None,
        Edit(
            M_CAPACITY,
            "taken.append((takes, 1.0))",
            "taken.append((takes, float(other is not at)))",
        ),
    ),
    Bug(
        "a movement takes a little less of a bandwidth",
        None,
        Edit(M_CAPACITY, "(2 * k + 1) * slope)", "(2 * k + 0.7) * slope)"),
        Edit(
            SEMANTICS,
            "max(Fraction(0), rate - most)",
            "max(Fraction(0), rate - most * Fraction(9, 8))",
        ),
    ),
    Bug(
        "a movement takes a little more of a bandwidth",
        None,
        Edit(M_CAPACITY, "(2 * k + 1) * slope)", "(2 * k + 1.3) * slope)"),
        Edit(
            SEMANTICS,
            "max(Fraction(0), rate - most)",
            "max(Fraction(0), rate - most * Fraction(8, 9))",
        ),
    ),
    Bug(
        "a run may be longer than it must",
        None,
        Edit(
            M_VARS,
            '    m.program.row("long_most", most, "<=", big)',
            '    m.program.row("long_most", most, "<=", 2 * big)',
        ),
    ),
    Bug(
        "a multicast lasts as long as its first way",
        Edit(
            VARS,
            "[ticks * x for x, ticks in some]",
            "[ticks * x for x, ticks in some[:1]]",
        ),
        Edit(
            M_VARS,
            "for q in alone:  # all go together",
            "for q in alone[:1]:  # all go together",
        ),
    ),
)
