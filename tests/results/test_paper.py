"""Committed tables and figures are those of the committed runs, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from typing import Any

import pytest

from results.figures import gaps as gaps_figure
from results.figures import headline as headline_figure
from results.figures import scaling as scaling_figure
from results.figures import sensitivity as sensitivity_figure
from results.figures.style import FORMATS, WIDTH, FigureError, rendered, save
from results.paper import (
    FIGURES,
    FOLDER,
    PAGES,
    TABLES,
    MarkerError,
    drawings,
    filled,
    read,
    tables,
    texts,
)
from results.record import ROOT
from tests.results.test_tables import GAPS, check_latex, line

LINES = read()
DRAWN = drawings(LINES)


def test_every_study_has_runs() -> None:
    wanted = {study for study, _ in (*TABLES.values(), *FIGURES.values())}
    assert set(LINES) == wanted
    assert set(DRAWN) == set(FIGURES)


@pytest.mark.parametrize("name", TABLES)
def test_committed_tables_come_from_committed_runs(name: str) -> None:
    for file, text in texts({name: tables(LINES)[name]}).items():
        assert (FOLDER / file).read_text(encoding="utf-8") == text, file
    check_latex((FOLDER / f"{name}.tex").read_text(encoding="utf-8"))


def pinned() -> bool:
    """Whether matplotlib and what writes its files are the pinned versions."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(text.split("==") for text in lines)
    names = ("matplotlib", "pillow", "fonttools", "numpy")
    return all(metadata.version(name) == pins[name] for name in names)


@pytest.mark.parametrize(
    ("name", "kind"),
    [*((name, ".svg") for name in FIGURES), ("headline", ".pdf"), ("gaps", ".pdf")],
)
def test_committed_figures_come_from_committed_runs(name: str, kind: str) -> None:
    if not pinned():
        pytest.skip("other versions than constraints.txt pins draw other pictures")
    made = rendered(DRAWN[name], kind)
    assert (FOLDER / f"{name}{kind}").read_bytes() == made


def test_png_figures_are_there_and_are_drawn_alike() -> None:
    # Their bytes hang on the zlib at hand; the picture is that of the SVG.
    for name in FIGURES:
        assert (FOLDER / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert (FOLDER / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    one = DRAWN["headline"]
    assert rendered(one, ".png") == rendered(one, ".png")


def test_figures_take_nobodys_own_settings() -> None:
    import matplotlib as mpl

    one = DRAWN["headline"]
    with mpl.rc_context({"font.size": 20, "svg.fonttype": "none"}):
        assert rendered(one, ".svg") == rendered(one, ".svg")
        made = rendered(one, ".svg")
    assert made == rendered(one, ".svg")


def test_another_process_draws_the_same() -> None:
    code = (
        "import sys; from results.paper import drawings, read\n"
        "from results.figures.style import rendered\n"
        "sys.stdout.buffer.write(rendered(drawings(read())['profile'], '.svg'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert done.stdout == rendered(DRAWN["profile"], ".svg")


def test_figures_fit_a_column(tmp_path: Any) -> None:
    for name, drawing in DRAWN.items():
        assert drawing.height <= 9.5, name
    path = tmp_path / "f.svg"
    save(DRAWN["headline"], path)
    assert f'width="{72 * WIDTH:g}pt"' in path.read_text(encoding="utf-8")
    with pytest.raises(FigureError, match="gif"):
        save(DRAWN["headline"], tmp_path / "f.gif")
    assert FORMATS == (".pdf", ".png", ".svg")


def texts_in(drawing: Any) -> str:
    """All that is written in a figure."""
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    figure = Figure()
    drawing.draw(figure)
    return " ".join(text.get_text() for text in figure.findobj(Text))


def test_figures_say_what_is_missing() -> None:
    about = {"layers": 8, "chiplets": 2, "models": 1}
    more = {"period_ticks": None, "energy_pj": None, "about": about}
    lost = line("OW/WO", "cpsat", None, status="failed", **more)
    lost["why_stopped"] = "crashed: SIGKILL"
    assert "crashed: SIGKILL" in texts_in(headline_figure.figure([lost]))
    assert "crashed: SIGKILL" in texts_in(scaling_figure.figure([lost]))
    side = {"group": "g", "name": "n", "side": "OW/WO"}
    alone = sensitivity_figure.figure([{**lost, "about": side}])
    assert "not run" in texts_in(alone)
    found = texts_in(gaps_figure.figure(GAPS))
    assert "annealing: time limit (1 of 2)" in found


def test_studies_without_lines_have_no_figure() -> None:
    for study, make in FIGURES.values():
        assert make([]) is None, study


def test_a_readme_is_filled_between_its_markers() -> None:
    before = "a\n<!-- table: headline -->\nold\n<!-- end -->\nb\n"
    after = filled(before, {"headline.md": "| x |\n"})
    assert after == "a\n<!-- table: headline -->\n| x |\n<!-- end -->\nb\n"
    assert filled(after, {"headline.md": "| x |\n"}) == after
    with pytest.raises(MarkerError, match="nonsense"):
        filled(before.replace("headline", "nonsense"), {})


def test_the_readmes_have_the_committed_tables() -> None:
    pages = [page.read_text(encoding="utf-8") for page in PAGES]
    for text in pages:
        assert text == filled(text, texts(tables(LINES)))
    for name in ("headline", "sensitivity", "modes"):
        assert f"<!-- table: {name} -->" in "".join(pages)


def test_committed_runs_are_of_clean_commits() -> None:
    for lines in LINES.values():
        for run in lines:
            assert run["environment"]["commit"]
            assert run["environment"]["dirty"] is False, run["variant"]
