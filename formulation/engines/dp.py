"""The engine of dynamic programs: our own, so its version is that of the project."""

from __future__ import annotations

from importlib import metadata

VERSION = metadata.version("chipsched")
