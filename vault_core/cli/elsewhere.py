"""Commands that the core does not know of: what is registered in the entry-point group `strongroom.commands`.

The core knows no adapter, so it asks the installation. Such a command is a function of its arguments and of the name
that it was called by.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Any

GROUP = "strongroom.commands"


def registered(name: str) -> Callable[[Sequence[str], str], Any] | None:
    """The command of this name; None if this installation has none that can be loaded."""
    for found in entry_points(group=GROUP, name=name):
        try:
            command: Callable[[Sequence[str], str], Any] = found.load()
        except (ImportError, AttributeError):
            continue
        return command
    return None
