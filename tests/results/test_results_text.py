"""Text for people: numbers, bars, columns, progress lines."""

from __future__ import annotations

import io

import pytest

from formulation.outcome import Progress
from results.progress import PlainReport, line
from results.text import bar, clipped, columns, entry, grouped, percent, with_unit


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "–"), (0, "0"), (999, "999"), (1234567, "1 234 567"), (-1000, "-1 000")],
)
def test_grouped(number: int | None, text: str) -> None:
    assert grouped(number) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "– s"),
        (0.0, "0 s"),
        (2.469e-3, "2.469 ms"),
        (1e-12, "1 ps"),
        (1.0, "1 s"),
        (123456.0, "123.5 ks"),
    ],
)
def test_with_unit(value: float | None, text: str) -> None:
    assert with_unit(value, "s") == (text if value is not None else "–")


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (None, "–"),
        (0.0, "0 %"),
        (1e-9, "< 0.001 %"),
        (0.0107, "1.07 %"),
        (0.5, "50 %"),
        (1.0, "100 %"),
    ],
)
def test_percent_is_zero_only_for_zero(fraction: float | None, text: str) -> None:
    assert percent(fraction) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0, "····"), (0.001, "█···"), (0.5, "██··"), (0.999, "███·"), (1, "████")],
)
def test_a_bar_is_full_only_for_all(fraction: float, text: str) -> None:
    assert bar(fraction, 4) == text


def test_a_bar_never_overflows() -> None:
    assert bar(7.5, 4) == "████"


def test_columns_align() -> None:
    rows = [("a", "1"), ("bcd", "22")]
    assert columns(rows, frozenset({1})) == ["a     1", "bcd  22"]
    assert columns([], frozenset()) == []


def test_entries_wrap_between_words_and_keep_numbers_whole() -> None:
    lines = entry("bound", "at least 1 234 567 ticks and 2.4 ms", 30, indent=8)
    assert lines == [
        "bound   at least",
        "        1 234 567 ticks and",
        "        2.4 ms",
    ]
    assert entry("nothing", "", 30) == ["nothing"]


def test_clipped() -> None:
    assert clipped("abcdef", 6) == "abcdef"
    assert clipped("abcdefg", 6) == "abcde…"


def news(value: int | None, bound: int | None, engine: str = "cpsat") -> Progress:
    return Progress(engine, "period", 1.0, value, bound)


def test_a_progress_line_says_what_is_not_known() -> None:
    assert line(news(None, 5)).endswith("best –  bound 5  gap –")
    assert line(news(10, 5)).endswith("best 10  bound 5  gap 50 %")


def test_plain_progress_is_thinned_out_but_ends_with_the_last_news() -> None:
    stream = io.StringIO()
    report = PlainReport(stream)
    for value in range(100, 50, -1):
        report(news(value, 50))
    report(news(51, 50))
    report(news(51, 51, "milp"))
    report.flush()
    assert report.timer is None
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert "best 100" in lines[0]
    assert "best 51  bound 50" in lines[1]
    assert "milp" in lines[2]
