"""What heuristics of every kind of schedule share: budgets, runs, registry, annealing.

A heuristic is a file with ``def schedule(search)``: it calls ``search.offer(…)`` with
whole schedules, with plans, or with just the chiplet of every layer, and leaves
everything else (valuing, budget, trace) to the `Search` of its kind.
"""
