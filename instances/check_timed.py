"""What makes the options of timed schedules acceptable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.faults import (
    Fault,
    check_choice,
    check_exact,
    check_integer,
    check_known,
    join,
)
from instances.vocabulary import CONTENTIONS, SWITCHINGS, WEIGHT_POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instances.schema import TimedOptions

PATH = "options.timed"


def check_timed(
    faults: list[Fault], timed: TimedOptions, models: Iterable[str]
) -> None:
    """Known words and models, numbers of the right size, releases said once."""
    choices = {
        "contention": CONTENTIONS,
        "switching": SWITCHINGS,
        "weights": WEIGHT_POLICIES,
    }
    for key, words in choices.items():
        check_choice(faults, join(PATH, key), getattr(timed, key), words)
    if timed.contention == "fluid" and timed.switching == "store_and_forward":
        expected = "cut_through beside fluid contention, which holds nothing"
        faults.append(Fault(join(PATH, "switching"), "store_and_forward", expected))
    for key in ("rounds", "release_ticks", "frames_per_second", "due_ticks"):
        for name in getattr(timed, key):
            place = join(join(PATH, key), name)
            check_known(faults, place, name, models, "model")
    for key, least in (("rounds", 1), ("due_ticks", 0), ("caps", 0)):
        for name, number in getattr(timed, key).items():
            check_integer(faults, join(join(PATH, key), name), number, least)
    for name, rate in timed.frames_per_second.items():
        place = join(join(PATH, "frames_per_second"), name)
        check_exact(faults, place, rate, positive=True)
        if name in timed.release_ticks:
            expected = "release_ticks or frames_per_second of a model, not both"
            faults.append(Fault(place, "both", expected))
    for name, ticks in timed.release_ticks.items():
        place = join(join(PATH, "release_ticks"), name)
        rounds = timed.rounds.get(name, 1)
        if len(ticks) != rounds:
            expected = f"{rounds}, one for every round"
            faults.append(Fault(place, f"{len(ticks)} release times", expected))
        for index, tick in enumerate(ticks):
            check_integer(faults, join(place, index), tick, 0)
