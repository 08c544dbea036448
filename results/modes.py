"""What modes are worth: 1, 2 or 4 of them a layer. ``python -m results.modes``.

The headline as it is, and with an eighth and a fortieth of its L2: where memory is
tight, a slower or hungrier mapping may leave more room for weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from costmodel.build import build_table
from formulation.compile import compile_problem
from formulation.outcome import Limits, relative_gap
from formulation.solve import solve
from instances.load import load_instance
from instances.variants import with_package, with_types
from results.run import Prepared, finish
from results.text import grouped, markdown, percent

if TYPE_CHECKING:
    from instances.schema import Instance

SCENARIO = "headline-contiguous"
SHARES = (1, 8, 40)  # of the L2 of a chiplet
MODES = (1, 2, 4)
HEADER = ("L2 per chiplet", "modes", "rows", "objective", "value", "gap", "seconds")


@dataclass(frozen=True, slots=True)
class Row:
    """One solve: `rows` counts the modes in the table; value in ticks or quanta."""

    l2_bytes: int
    modes: int
    rows: int
    objective: str
    value: int | None
    gap: float | None
    seconds: float

    def cells(self) -> tuple[str, ...]:
        """Return the row as text."""
        return (
            f"{self.l2_bytes // 1024} KiB",
            str(self.modes),
            str(self.rows),
            self.objective,
            grouped(self.value),
            "–" if self.value is None else percent(self.gap),
            f"{self.seconds:.1f}",
        )


def with_share(instance: Instance, share: int) -> Instance:
    """Return the instance with 1/`share` of every chiplet's L2."""
    types = instance.package.types.values()
    l2_bytes = max(kind.l2_bytes for kind in types) // share
    package = with_types(instance.package, l2_bytes=l2_bytes)
    return with_package(instance, package, f"{instance.name}-l2/{share}")


def measure(instance: Instance, modes: int, objective: str, limits: Limits) -> Row:
    """Solve once with at most `modes` modes a layer and chiplet type.

    Raises
    ------
    RuntimeError
        If the checker refuses the answer.
    """
    table = build_table(instance, max_modes=modes)
    prepared = Prepared(instance, table, compile_problem(instance, table), 0.0)
    solved = finish(prepared, solve(prepared.problem, (objective,), "cpsat", limits))
    if not solved.verdict.accepted:
        raise RuntimeError("\n".join(solved.verdict.violations))
    value, bound = solved.outcome.value[0], solved.outcome.bound[0]
    return Row(
        l2_bytes=max(kind.l2_bytes for kind in instance.package.types.values()),
        modes=modes,
        rows=sum(len(row) for row in table.rows.values()),
        objective=objective,
        value=value,
        gap=relative_gap(value, bound),
        seconds=solved.outcome.seconds,
    )


@click.command()
@click.option("--time-limit", type=click.FloatRange(min=0.1), default=20.0)
@click.option("--workers", type=click.IntRange(min=1), default=2)
def main(time_limit: float, workers: int) -> None:
    """Print a Markdown table: period and energy with 1, 2 and 4 modes."""
    base = load_instance(SCENARIO)
    limits = Limits(seconds=time_limit, workers=workers)
    rows = []
    for share in SHARES:
        for objective in ("period", "energy"):
            for modes in MODES:
                row = measure(with_share(base, share), modes, objective, limits)
                click.echo("  ".join(row.cells()), err=True)
                rows.append(row.cells())
    click.echo(markdown(HEADER, rows), nl=False)


if __name__ == "__main__":
    main()
