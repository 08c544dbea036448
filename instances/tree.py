"""YAML and JSON text as a tree of values that know where they stood.

Scalars are read by the core schema of YAML 1.2, so ``on``, ``no``, ``1:30`` and
dates are texts and ``010`` is ten. A number with a decimal point or an exponent
is the `Fraction` of its decimal text; ``1/3`` is one too. No float is made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import yaml

from instances.faults import Fault, join

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_INTEGER = re.compile(r"[-+]?\d{1,40}")
_DECIMAL = re.compile(r"[-+]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][-+]?\d{1,2})?")
_RATIO = re.compile(r"[-+]?\d{1,40}/0*[1-9]\d{0,39}")
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "true": True, "false": False,
}  # fmt: skip
_SCALAR_TAG = "tag:yaml.org,2002:str"
_DEEPEST = 30


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place.

    Parameters
    ----------
    value
        `None`, a truth value, a number, a text, a tuple of nodes or a mapping
        of texts to nodes.
    path
        Keys and indices from the top of the file.
    file, line
        `line` counts from 1; `None` where the value was not read from a file.
    """

    value: bool | int | Fraction | str | tuple[Node, ...] | dict[str, Node] | None
    path: str
    file: str
    line: int | None = None

    def fault(self, got: str, expected: str) -> Fault:
        """Return a fault at this place."""
        return Fault(self.path, got, expected, self.file, self.line)

    def shown(self) -> str:
        """Return the value as a message names it."""
        if isinstance(self.value, dict):
            return "a mapping"
        if isinstance(self.value, tuple):
            return "a list"
        if self.value is None or isinstance(self.value, bool):
            return {None: "nothing", True: "true", False: "false"}[self.value]
        is_text = isinstance(self.value, str)
        return repr(self.value) if is_text else str(self.value)


def scalar(text: str) -> bool | int | Fraction | str | None:
    """Value of a plain (unquoted) scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text) or _RATIO.fullmatch(text):
        return Fraction(text)
    return text


def parse_text(text: str, file: str) -> tuple[Node, list[Fault]]:
    """Return the tree of a YAML or JSON text and the faults of its syntax.

    Duplicate keys, explicit tags and endless aliases are faults. After a fault
    that leaves nothing to read, the tree is an empty mapping.
    """
    faults: list[Fault] = []
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = None if mark is None else mark.line + 1
        reason = f" ({error.problem})".replace("\n", " ") if error.problem else ""
        got = f"a syntax error{reason}"
        faults.append(Fault("", got, "YAML", file, line))
        return Node({}, "", file, line), faults
    except RecursionError:
        faults.append(Fault("", "too deep a nesting", "a flat file", file))
        return Node({}, "", file), faults
    except yaml.YAMLError as error:
        faults.append(Fault("", " ".join(str(error).split()), "YAML", file))
        return Node({}, "", file), faults
    if root is None:
        faults.append(Fault("", "an empty file", "a mapping", file))
        return Node({}, "", file), faults
    return _convert(root, "", file, faults, ()), faults


def from_python(data: object, file: str, path: str = "") -> Node:
    """Return the tree of plain Python values.

    A float counts as its shortest decimal text (0.1 is one tenth); keys that
    are not texts are written as texts.
    """
    if isinstance(data, dict):
        entries = {
            str(key): from_python(value, file, join(path, str(key)))
            for key, value in data.items()
        }
        return Node(entries, path, file)
    if isinstance(data, list | tuple):
        items = [from_python(v, file, join(path, i)) for i, v in enumerate(data)]
        return Node(tuple(items), path, file)
    if isinstance(data, float):
        return Node(scalar(repr(data)), path, file)
    if data is None or isinstance(data, bool | int | Fraction | str):
        return Node(data, path, file)
    return Node(repr(data), path, file)


def merge(base: Node, over: Node) -> Node:
    """Return `base` with the entries of `over` put in, mapping by mapping.

    Lists and scalars of `over` replace those of `base`.
    """
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    entries = dict(base.value)
    for key, node in over.value.items():
        entries[key] = merge(entries[key], node) if key in entries else node
    return replace(over, value=entries)


def without(node: Node, keys: Sequence[str]) -> Node:
    """Return a mapping without some of its keys."""
    if not isinstance(node.value, dict):
        return node
    entries: Mapping[str, Node] = node.value
    return replace(node, value={k: v for k, v in entries.items() if k not in keys})


def _convert(
    node: yaml.Node, path: str, file: str, faults: list[Fault], above: tuple[int, ...]
) -> Node:
    """Turn a node of PyYAML into ours; `above` are the ids of those around it."""
    line = node.start_mark.line + 1
    if id(node) in above or len(above) > _DEEPEST:
        faults.append(Fault(path, "endless nesting", "a finite tree", file, line))
        return Node(None, path, file, line)
    above = (*above, id(node))
    if isinstance(node, yaml.MappingNode):
        entries: dict[str, Node] = {}
        for key, value in node.value:
            here = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                faults.append(Fault(path, "a key", "a text as key", file, here))
                continue
            end = join(path, key.value)
            if key.value in entries:
                got, first = "a second entry of this name", entries[key.value].line
                expected = f"one (the first is at line {first})"
                faults.append(Fault(end, got, expected, file, here))
                continue
            entries[key.value] = replace(
                _convert(value, end, file, faults, above), line=here
            )
        return Node(entries, path, file, line)
    if isinstance(node, yaml.SequenceNode):
        items = [
            _convert(item, join(path, index), file, faults, above)
            for index, item in enumerate(node.value)
        ]
        return Node(tuple(items), path, file, line)
    assert isinstance(node, yaml.ScalarNode)
    if node.tag != _SCALAR_TAG:
        faults.append(Fault(path, f"the tag {node.tag}", "no tag", file, line))
    plain = node.style is None
    return Node(scalar(node.value) if plain else node.value, path, file, line)
