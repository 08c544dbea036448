"""What makes the options of windowed schedules acceptable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.faults import Fault, check_choice, check_integer, join
from instances.vocabulary import GROUPINGS, HANDOVERS, MEMORIES, WEIGHT_READS

if TYPE_CHECKING:
    from instances.schema import WindowedOptions

PATH = "options.windowed"
WORDS = {
    "mini_batches": GROUPINGS,
    "weights": WEIGHT_READS,
    "memory": MEMORIES,
    "handover": HANDOVERS,
}


def check_windowed(faults: list[Fault], windowed: WindowedOptions) -> None:
    """Known words, numbers of the right size."""
    for key, words in WORDS.items():
        check_choice(faults, join(PATH, key), getattr(windowed, key), words)
    for key, least in (("windows", 1), ("conflict_ticks", 0)):
        check_integer(faults, join(PATH, key), getattr(windowed, key), least)
    for name, number in windowed.caps.items():
        check_integer(faults, join(join(PATH, "caps"), name), number, 0)
