"""The files of the benchmark library: ``python -m instances.generate`` writes them.

The committed files are the library; this only says where they came from. A test
holds that it writes them byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from instances.families import FAMILIES
from instances.files import LIBRARY
from instances.synthetic import Spec, synthetic

if TYPE_CHECKING:
    from instances.synthetic import Row


def library() -> dict[str, str]:
    """Return path below the library -> text of every file."""
    files = {}
    for family, made in FAMILIES.items():
        for entry in made():
            if isinstance(entry, Spec):
                scenario, seed = synthetic(entry), f", seed {entry.seed}"
            else:
                scenario, seed = entry, ""
            head = f"# Generated (instances/generate.py): family {family}{seed}.\n"
            files[f"{family}/{scenario['name']}.yaml"] = head + as_yaml(scenario)
    return files


def as_yaml(scenario: Row) -> str:
    """Return a scenario as YAML: keys on lines of their own, entries of lists too.

    Names are plain words, so nothing needs quotes.
    """
    return "".join(_block(scenario, ""))


def _block(mapping: Row, indent: str) -> list[str]:
    lines = []
    for key, value in mapping.items():
        if isinstance(value, dict) and key == "package":
            lines += [f"{indent}{key}:\n", *_block(value, indent + "  ")]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(f"{indent}{key}:\n")
            for entry in value:
                lines += _entry(entry, indent + "  ")
        else:
            lines.append(f"{indent}{key}: {_flow(value)}\n")
    return lines


def _entry(entry: Row, indent: str) -> list[str]:
    """Return an entry of a list: one line, but for models that are written out."""
    if "layers" not in entry:
        return [f"{indent}- {_flow(entry)}\n"]
    first, *rest = _block(entry, indent + "  ")
    return [f"{indent}- {first.lstrip()}", *rest]


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(entry) for entry in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def write() -> int:
    """Write all files and remove what no family has; returns how many there are."""
    files = library()
    for path in LIBRARY.glob("*/*.yaml"):
        if path.relative_to(LIBRARY).as_posix() not in files:
            path.unlink()
    for name, text in files.items():
        path = LIBRARY / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return len(files)


if __name__ == "__main__":
    import sys

    sys.stdout.write(f"{write()} files\n")
