"""The machine in one line, without its name and without a date."""

import os
import platform
from pathlib import Path
from typing import Any


def machine() -> dict[str, str]:
    """Cores, memory, processor, system, Python."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count() or 1),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def load() -> float | None:
    """How many processes wanted a core in the last five minutes, our own included; None where nobody counts."""
    try:
        return round(os.getloadavg()[1], 1)
    except (AttributeError, OSError):
        return None


def line(kept: dict[str, Any]) -> str:
    """The machine, its load at the end of the run, and all versions, as one line."""
    found, versions = kept["machine"], sorted(kept["versions"].items(), key=_folded)
    shown = [
        f"{found['cores']} cores ({found['processor']})",
        found["memory"],
        found["system"],
        *([] if kept["load"] is None else [f"load {kept['load']}"]),
        f"Python {found['python']}",
        *(f"{name} {version}" for name, version in versions),
    ]
    return ", ".join(shown)


def _folded(item: tuple[str, str]) -> str:
    return item[0].lower()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _memory() -> str:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "memory unknown"
    return f"{size / (1 << 30):.0f} GiB"
