"""The README lists exactly the keys, builders and data that there are."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import instances
from instances.chiplet_types import packaged_types
from instances.keys import KEYS
from instances.load import packages, scenarios
from instances.models import BUILDERS
from instances.parse_model import builder_keys
from instances.vocabulary import OPERATORS, TRANSPOSED

FOLDER = Path(inspect.getfile(instances)).parent
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def sections():
    """Heading of level 3 -> keys of the rows of its table."""
    parts = re.split(r"^#{2,3} (.+)$", README, flags=re.MULTILINE)
    found = {}
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", body, flags=re.MULTILINE)
        if "| key |" in body:
            found[title] = {key: rest.split(" | ")[-1] for key, rest in rows}
    return found


def test_keys_of_the_readme_are_those_that_are_read():
    due = {kind: list(keys) for kind, keys in KEYS.items()}
    for title in sections():
        if title.startswith("model built by "):
            for name in title.removeprefix("model built by ").split(", "):
                due.setdefault(title, list(builder_keys(name)))
                assert due[title] == list(builder_keys(name))
    assert {title: list(keys) for title, keys in sections().items()} == due


def test_required_is_said_of_required_keys():
    for kind, keys in KEYS.items():
        for key, required in keys.items():
            if key != "schema" and required:
                assert sections()[kind][key].startswith("required"), (kind, key)
            elif key != "schema":
                assert sections()[kind][key] != "required", (kind, key)


def test_every_builder_has_a_section():
    titles = " ".join(title for title in sections() if "built by" in title)
    assert set(BUILDERS) <= set(re.findall(r"\w+", titles))


def test_every_operator_is_explained():
    table = README.split("### Operators")[1].split("### bounds")[0]
    firsts = re.findall(r"^\| (`.+?`) \|", table, flags=re.MULTILINE)
    named = [name for first in firsts for name in re.findall(r"\w+", first)]
    assert sorted(named) == sorted({*OPERATORS, TRANSPOSED} - {"opaque"})


def test_everything_packaged_is_listed():
    listed = README.split("## What is packaged")[1].split("## Assumptions")[0]
    for name in [*scenarios(), *packages(), *packaged_types()]:
        assert f"`{name}`" in listed, name


def test_assumptions_that_are_cited_exist():
    stated = re.findall(r"^\| (I\d+) \|", README, flags=re.MULTILINE)
    assert stated == [f"I{number}" for number in range(1, len(stated) + 1)]
    files = [*FOLDER.rglob("*.py"), *FOLDER.rglob("*.yaml")]
    for file in files:
        cited = re.findall(r"\bI\d+\b", file.read_text(encoding="utf-8"))
        assert set(cited) <= set(stated), file
