"""Node and other people's MCP packages, installed once into a cache.

The tests that need them run only if `STRONGROOM_NODE` is set: then they can't be skipped. `STRONGROOM_NODE_DIR` names
the folder of the installation, `tests/mcp/node/package.json` its packages.
"""

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import Any

import platformdirs
import pytest

SOURCE = Path(__file__).parents[1] / "mcp" / "node"
REASON = "set STRONGROOM_NODE=1 to run clients and checkers from npm (downloads 200 MB once)"
needs_node = pytest.mark.skipif(not os.environ.get("STRONGROOM_NODE"), reason=REASON)


class NodeTools:
    """Programs of an installation, with Node 22 in front of any other."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._bin, self._home = folder / "node_modules" / ".bin", home
        self.folder = folder

    def run(self, program: str, *arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
        """What a program does."""
        path = os.pathsep.join([str(self._bin), os.environ.get("PATH", "")])
        return subprocess.run(
            [str(self._bin / program), *arguments],
            env={"PATH": path, "HOME": str(self._home)},
            input=given,
            stdin=None if given is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


def installed(home: Path) -> NodeTools:
    """The installation, made if it is not there yet."""
    wanted = (SOURCE / "package.json").read_bytes()
    default = Path(platformdirs.user_cache_dir("strongroom-tests")) / f"node-{sha256(wanted).hexdigest()[:12]}"
    folder = Path(os.environ.get("STRONGROOM_NODE_DIR") or default)
    if not (folder / "installed").exists():
        npm = shutil.which("npm")
        assert npm is not None, "STRONGROOM_NODE is set, and there is no npm"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_bytes(wanted)
        done: Any = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--force"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        (folder / "installed").touch()
    shutil.copy(SOURCE / "client.mjs", folder / "client.mjs")  # beside what it imports
    return NodeTools(folder, home)
