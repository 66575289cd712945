"""A page of YAML becomes a vendor integration."""

from pathlib import Path

__version__ = "0.1.0"

_HERE = Path(__file__).parent
_INSTALLED = _HERE / "_data"

SHIPPED = _INSTALLED if _INSTALLED.is_dir() else _HERE.parent
"""Folder that holds `pipelines/` and `schemas/`: inside the package once installed, the checkout otherwise."""
