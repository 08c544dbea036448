"""The library: its files are the generator's, as varied as its README says."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from formulation.compile import compile_problem
from instances.families import FAMILIES
from instances.faults import InstanceError
from instances.files import (
    FOLDER,
    LIBRARY,
    find_packaged,
    library_names,
    packaged_names,
)
from instances.generate import library
from instances.load import load_instance
from instances.synthetic import Draw, Spec, synthetic
from results.run import table_of

ROOT = Path(__file__).parent.parent.parent
NAMES = [name for members in library_names().values() for name in members]
SCENARIOS = packaged_names("scenarios")
SMALL = [name for name in NAMES if re.search(r"-0[1-4]$|-l(10|30)-", name)]


def test_files_are_those_of_the_generator():
    """Byte for byte, and no file more."""
    here = {
        path.relative_to(LIBRARY).as_posix(): path.read_text(encoding="utf-8")
        for path in LIBRARY.glob("*/*.yaml")
    }
    made = library()
    assert sorted(here) == sorted(made)
    assert [name for name in made if made[name] != here[name]] == []


def test_there_are_six_families_and_sixty_instances():
    assert set(library_names()) == set(FAMILIES)
    assert len(FAMILIES) == 6
    assert len(NAMES) >= 60
    assert len({*NAMES, *SCENARIOS}) == len(NAMES) + len(SCENARIOS)
    assert sum(path.stat().st_size for path in LIBRARY.glob("*/*")) < 3_000_000


def test_the_readme_counts_the_instances():
    text = (LIBRARY / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", text, flags=re.MULTILINE)
    counts = {family: len(names) for family, names in library_names().items()}
    assert {family: int(count) for family, count in rows} == counts
    assert text.split("\n\n")[1].startswith(f"{len(NAMES)} instances in six families")


def test_specs_are_as_varied_as_the_readme_says():
    specs = [x for made in FAMILIES.values() for x in made() if isinstance(x, Spec)]
    assert len({spec.seed for spec in specs}) == len(specs)
    layers = [sum(spec.layers) for spec in specs]
    chiplets = [spec.size[0] * spec.size[1] for spec in specs]
    assert (min(layers), max(layers)) == (10, 300)
    assert (min(chiplets), max(chiplets)) == (2, 36)
    assert {len(spec.layers) for spec in specs} == {1, 2, 3, 4, 6}
    assert min(spec.l2 for spec in specs) < 1 < max(spec.l2 for spec in specs)
    assert min(spec.dram for spec in specs) < 1 < max(spec.dram for spec in specs)


@pytest.mark.parametrize("name", SMALL)
def test_small_ones_load_and_compile(name):
    instance = load_instance(name)
    assert instance.name == name
    problem = compile_problem(instance, table_of(instance))
    assert all(mode for task in problem.tasks for mode in task.modes)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_all_load_and_compile(name):
    instance = load_instance(name)
    problem = compile_problem(instance, table_of(instance))
    assert len(problem.tasks) >= 10


def test_the_package_is_as_tight_as_the_spec_says():
    """dram-02: streaming takes 3 times the work of a chiplet; two tenths of slack.

    And memory-02 has L2 for an eighth of its weights, or for its largest layer.
    """
    spec = next(x for x in FAMILIES["dram"]() if x.name == "dram-02")
    instance = load_instance("dram-02")
    [model] = instance.models
    rounds = model.mini_batches
    best: Counter[str] = Counter()
    for row in instance.costs or ():
        key = row.layer
        best[key] = min(best[key] or row.latency_ticks, row.latency_ticks)
    work = sum(best.values()) * rounds / 2
    read = sum(u.bytes for u in model.tensors if u.producer is None or not u.consumers)
    outside = sum(x.weight_bytes for x in model.layers) + rounds * read
    per_tick = instance.package.dram.bandwidth_gb_s * instance.tick_ps / 1000
    tight = outside / float(per_tick) / work
    assert float(spec.dram) <= tight < float(spec.dram) * 1.1
    little = load_instance("memory-02")
    [sizes] = {t.l2_bytes for t in little.package.types.values()}
    assert 2 * sizes < sum(x.weight_bytes for x in little.models[0].layers)


def test_seeds_say_what_is_drawn():
    made = next(iter(FAMILIES["branches"]()))
    assert synthetic(made) == synthetic(made)
    draws = [Draw(7).spread((8, 512)) for _ in range(3)]
    assert len(set(draws)) == 1
    some = Draw(7)
    values = [some.spread((8, 512)) for _ in range(2000)]
    assert (min(values), max(values)) == (8, 512)
    # Six doublings, each as likely: about a sixth below 16.
    assert sum(value < 16 for value in values) in range(200, 400)


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(InstanceError) as error:
        find_packaged("scenarios", "dram-5")
    text = str(error.value)
    assert "did you mean 'dram-05'?" in text
    assert all(name in text for name in [*SCENARIOS, *NAMES])
    with pytest.raises(InstanceError) as error:
        find_packaged("scenarios", "xyz")
    assert all(name in str(error.value) for name in [*SCENARIOS, *NAMES])
    with pytest.raises(InstanceError) as error:
        find_packaged("packages", "xyz")
    assert "2x2, 3x3-het-cb" in str(error.value)
    assert "library" not in str(error.value)


def test_everything_packaged_is_shipped():
    """Every data file is named by pyproject's package-data."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    patterns = tomllib.loads(text)["tool"]["setuptools"]["package-data"]
    shipped = {path for glob in patterns["instances"] for path in FOLDER.glob(glob)}
    assert {*FOLDER.rglob("*.yaml"), *FOLDER.rglob("*.md")} <= shipped
    data = {
        path for glob in patterns["results"] for path in (ROOT / "results").glob(glob)
    }
    assert set((ROOT / "results" / "library").glob("*.json")) <= data
