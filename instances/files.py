"""Files of the format: where they are and their trees."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from instances.faults import Fault, InstanceError
from instances.tree import Node, parse_text

if TYPE_CHECKING:
    from instances.fields import Reading

FOLDER = Path(__file__).parent
TYPES_FILE = FOLDER / "packages" / "chiplet-types.yaml"
LIBRARY = FOLDER / "library"
_SUFFIXES = (".yaml", ".yml", ".json")


def packaged_names(folder: str) -> list[str]:
    """Names of the data that come along in ``scenarios`` or ``packages``."""
    files = (FOLDER / folder).glob("*.yaml")
    return sorted(file.stem for file in files if file != TYPES_FILE)


def library_names() -> dict[str, list[str]]:
    """Family -> names of its instances in the benchmark library."""
    found: dict[str, list[str]] = {}
    for file in sorted(LIBRARY.glob("*/*.yaml")):
        found.setdefault(file.parent.name, []).append(file.stem)
    return found


def is_file_name(name: str) -> bool:
    """Whether a text is the path of a file rather than a packaged name."""
    return "/" in name or name.endswith(_SUFFIXES)


def read_tree(reading: Reading, path: Path) -> Node:
    """Return the tree of a file; faults of reading and of syntax are noted."""
    shown = str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        reading.faults.append(Fault("", f"{reason}", "a file to read", shown))
        return Node({}, "", shown)
    if path.suffix == ".json":
        # YAML does not take tabs for space; inside JSON texts there are none.
        text = text.replace("\t", " ")
    tree, faults = parse_text(text, shown)
    reading.faults += faults
    return tree


def find_packaged(folder: str, name: str) -> Path:
    """Return the file of a packaged name, for scenarios also of the library.

    Raises
    ------
    InstanceError
        If there is none of this name; says which there are.
    """
    names = packaged_names(folder)
    if name in names:
        return FOLDER / folder / f"{name}.yaml"
    families = library_names() if folder == "scenarios" else {}
    for family, members in families.items():
        if name in members:
            return LIBRARY / family / f"{name}.yaml"
    kind = folder.removesuffix("s")
    known = [*names, *(member for members in families.values() for member in members)]
    close = get_close_matches(name, known, n=1)
    lines = [f"did you mean {close[0]!r}?" if close else f"one of {', '.join(names)}"]
    if close:
        lines.append(f"{folder}: {', '.join(names)}")
    for family, members in families.items():
        lines.append(f"library, {family}: {', '.join(members)}")
    expected = f"a packaged {kind}: " + "\n  ".join(lines)
    raise InstanceError([Fault("", repr(name), expected)])


def check_schema(reading: Reading, tree: Node, schema: str) -> None:
    """Fault if the file says that it has another schema, or says nothing."""
    if not isinstance(tree.value, dict) or not tree.value:
        return
    node = tree.value.get("schema")
    if node is None:
        reading.faults.append(tree.fault("nothing", f"the key 'schema': {schema}"))
    elif node.value != schema:
        reading.faults.append(node.fault(node.shown(), schema))
