"""The vectors on disk."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "cases"


def names() -> list[str]:
    """Every vector's name, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(name: str) -> dict[str, Any]:
    """One vector."""
    return dict(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))
