"""Row duals from HiGHS: multipliers for `formulation.dual`, never a bound.

What HiGHS returns is only a suggestion: status, objective and tolerances are not
looked at, and multipliers of the wrong sign are dropped. A bad answer makes a weak
bound, not a wrong one. Values of columns say where to branch, and nothing else.
"""

from __future__ import annotations

from fractions import Fraction
from math import frexp, isfinite
from typing import TYPE_CHECKING

import highspy
import numpy as np

from formulation.dual import recompute, signed

if TYPE_CHECKING:
    from formulation.dual import Linear

BITS = 40  # of a multiplier: 1e-12 of it, far below HiGHS's own 1e-7


class Lp:
    """A program at HiGHS, which begins each run where the last one ended.

    Columns are scaled to [0, 1] in size, rows and objective to a largest entry of 1,
    in powers of 2; what comes back is scaled back.
    """

    def __init__(self, program: Linear) -> None:
        self.program = program
        self.columns = [
            _size(max(abs(a), abs(b)))
            for a, b in zip(program.low, program.high, strict=True)
        ]
        self.unit = _size(max((abs(k) for k in program.cost), default=0))
        self.rows = [
            _size(max((abs(k) * self.columns[j] for j, k in row.terms), default=0))
            for row in program.rows.values()
        ]
        self.solver = highspy.Highs()
        self.solver.silent()
        self.solver.passModel(_model(program, self.columns, self.rows, self.unit))

    def limit(self, column: int, low: int, high: int) -> None:
        """Change the bounds of a column, in the program as well."""
        self.program.low[column], self.program.high[column] = low, high
        size = self.columns[column]
        self.solver.changeColBounds(column, low / size, high / size)

    def run(self, seconds: float | None) -> tuple[dict[str, Fraction], list[float]]:
        """Return multipliers of the rows, and values of the columns; empty for none.

        Duals are rounded to `BITS` bits.

        Parameters
        ----------
        seconds
            Wall time for HiGHS; `None`: no limit.
        """
        if seconds is not None:  # HiGHS counts from its first run
            self.solver.setOptionValue("time_limit", self.solver.getRunTime() + seconds)
        self.solver.run()
        solution = self.solver.getSolution()
        duals = np.array(solution.row_dual).tolist()
        values = np.array(solution.col_value).tolist()
        if len(duals) != len(self.rows) or len(values) != len(self.columns):
            return {}, []
        found = {
            name: _rounded(y) * self.unit / size
            for name, y, size in zip(self.program.rows, duals, self.rows, strict=True)
            if isfinite(y)
        }
        columns = [x * size for x, size in zip(values, self.columns, strict=True)]
        return signed(self.program, found), columns


def multipliers(program: Linear, seconds: float | None = None) -> dict[str, Fraction]:
    """Return multipliers of the rows of a program, {} if HiGHS has none.

    Those of a run that was stopped may prove less than none at all: then {}, too.

    Parameters
    ----------
    seconds
        Wall time for HiGHS; `None`: no limit.
    """
    found = Lp(program).run(seconds)[0]
    return found if recompute(program, found) > recompute(program, {}) else {}


def _size(most: int) -> int:
    """Return the power of 2 just above a size."""
    return 1 << most.bit_length()


def _rounded(y: float) -> Fraction:
    """Return the nearest fraction of `BITS` significant bits."""
    mantissa, exponent = frexp(y)
    return Fraction(round(mantissa * 2**BITS)) * Fraction(2) ** (exponent - BITS)


def _model(
    program: Linear, columns: list[int], rows: list[int], unit: int
) -> highspy.HighsLp:
    """Return the scaled program in HiGHS's arrays, row by row."""
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(columns), len(rows)
    pairs = list(zip(columns, program.low, program.high, program.cost, strict=True))
    model.col_lower_ = np.array([low / size for size, low, _, _ in pairs])
    model.col_upper_ = np.array([high / size for size, _, high, _ in pairs])
    model.col_cost_ = np.array([cost * size / unit for size, _, _, cost in pairs])
    right = [
        row.right / size for row, size in zip(program.rows.values(), rows, strict=True)
    ]
    model.row_lower_ = np.array(right)
    model.row_upper_ = np.array(
        [
            value if row.equal else highspy.kHighsInf
            for row, value in zip(program.rows.values(), right, strict=True)
        ]
    )
    starts, index, value = [0], [], []
    for row, size in zip(program.rows.values(), rows, strict=True):
        index += [j for j, _ in row.terms]
        value += [k * columns[j] / size for j, k in row.terms]
        starts.append(len(index))
    matrix = model.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kRowwise
    matrix.start_ = np.array(starts, dtype=np.int32)
    matrix.index_ = np.array(index, dtype=np.int32)
    matrix.value_ = np.array(value, dtype=np.double)
    return model
