"""Write `dist/strongroom.mcpb` and `dist/server.json`: how desktop clients and registries install the MCP server.

    python mcp_server/bundle.py [--namespace io.github.OWNER]

The bundle is of type `uv`: it holds our wheel and names its dependencies, which the client's uv installs for the
machine it is on. Compiled wheels inside the bundle would be right for one platform only.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
VERSION: str = PROJECT["version"]
TITLE = "Strongroom memory"
DESCRIPTION = "Encrypted memory that is yours: one vault for every client, and only you can read it."
ENTRY_POINT = "server.py"
STAMP = (2026, 1, 1, 0, 0, 0)  # of every file in the bundle: the same content is the same bundle

SERVER = '''\
"""Starts `strongroom mcp` as the client's settings say. They come as variables: an argument can't be left out."""

import os
import sys

from vault_core.cli import main


def setting(name):
    """A setting; a client that leaves one out may leave its placeholder in its place."""
    value = os.environ.pop(name, "").strip()
    return "" if value.startswith("${") else value


if __name__ == "__main__":
    arguments = ["mcp", *sys.argv[1:]]
    for label in filter(None, setting("STRONGROOM_BUNDLE_NAMESPACE").split("/")):
        arguments += ["--namespace", label]
    if setting("STRONGROOM_BUNDLE_READ_ONLY") == "true":
        arguments.append("--read-only")
    if passphrase := setting("STRONGROOM_PASSPHRASE"):
        os.environ["STRONGROOM_PASSPHRASE"] = passphrase
    sys.argv[1:] = arguments
    main()
'''


def semantic(version: str) -> str:
    """A version of Python's kind as a semantic one: 0.1.0.dev0 is 0.1.0-dev.0."""
    base, dot, development = version.partition(".dev")
    return f"{base}-dev.{development}" if dot else base


def manifest() -> dict[str, Any]:
    """The bundle's `manifest.json`, of version 0.4."""
    return {
        "manifest_version": "0.4",
        "name": "strongroom",
        "display_name": TITLE,
        "version": semantic(VERSION),
        "description": DESCRIPTION,
        "long_description": "Memory for Claude and other agents in one encrypted vault. Make it with `strongroom "
        "init`; unlock it with `strongroom unlock`, the OS keyring, or a passphrase in these settings.",
        "author": {"name": PROJECT["authors"][0]["name"]},
        "license": PROJECT["license"],
        "keywords": PROJECT["keywords"],
        "server": {
            "type": "uv",
            "entry_point": ENTRY_POINT,
            "mcp_config": {
                "command": "uv",
                "args": [
                    "run",
                    "--directory",
                    "${__dirname}",
                    ENTRY_POINT,
                    "--vault",
                    "${user_config.vault}",
                ],
                "env": {
                    "STRONGROOM_PASSPHRASE": "${user_config.passphrase}",
                    "STRONGROOM_BUNDLE_NAMESPACE": "${user_config.namespace}",
                    "STRONGROOM_BUNDLE_READ_ONLY": "${user_config.read_only}",
                },
            },
        },
        "tools_generated": True,
        "prompts_generated": True,
        "compatibility": {
            "platforms": ["darwin", "linux"],
            "runtimes": {"python": PROJECT["requires-python"]},
        },
        "user_config": {
            "vault": {
                "type": "file",
                "title": "Vault",
                "description": "The vault's file, made with `strongroom init`.",
                "required": True,
            },
            "passphrase": {
                "type": "string",
                "title": "Passphrase",
                "description": "Leave it empty if `strongroom unlock` or the OS keyring opens the vault, which is "
                "better: what is set here is handed to the server in its environment.",
                "sensitive": True,
                "required": False,
                "default": "",
            },
            "namespace": {
                "type": "string",
                "title": "Namespace",
                "description": "Show the client only what is below, such as alice/work. Empty: everything.",
                "required": False,
                "default": "",
            },
            "read_only": {
                "type": "boolean",
                "title": "Read only",
                "description": "Give the client no tool that writes.",
                "required": False,
                "default": False,
            },
        },
    }


def project(wheel: str) -> str:
    """The bundle's `pyproject.toml`: our wheel beside it, and whatever that needs."""
    return f"""\
[project]
name = "strongroom-bundle"
version = "{VERSION}"
requires-python = "{PROJECT["requires-python"]}"
dependencies = ["strongroom[mcp,keyring]"]

[tool.uv]
package = false

[tool.uv.sources]
strongroom = {{ path = "{wheel}" }}
"""


def registry_entry(namespace: str) -> dict[str, Any]:
    """The MCP registry's `server.json`, for schema 2025-12-11."""
    return {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": f"{namespace}/strongroom",
        "title": TITLE,
        "description": DESCRIPTION,
        "version": semantic(VERSION),
        "packages": [
            {
                "registryType": "pypi",
                "identifier": PROJECT["name"],
                "version": VERSION,
                "runtimeHint": "uvx",
                "runtimeArguments": [{"type": "named", "name": "--from", "value": f"strongroom[mcp]=={VERSION}"}],
                "packageArguments": [
                    {"type": "positional", "value": "strongroom"},
                    {"type": "positional", "value": "mcp"},
                    {
                        "type": "named",
                        "name": "--vault",
                        "description": "The vault's file, made with `strongroom init`.",
                        "format": "filepath",
                        "isRequired": True,
                    },
                ],
                "environmentVariables": [
                    {
                        "name": "STRONGROOM_PASSPHRASE_FILE",
                        "description": "A file with the secret, where neither `strongroom unlock` nor the OS keyring "
                        "opens the vault.",
                        "format": "filepath",
                    },
                    {
                        "name": "STRONGROOM_PASSPHRASE_COMMAND",
                        "description": "A command that prints the secret, such as a password manager's.",
                    },
                ],
                "transport": {"type": "stdio"},
            }
        ],
    }


def files(wheel: Path) -> dict[str, bytes]:
    """What is in the bundle."""
    return {
        "manifest.json": _json(manifest()),
        "pyproject.toml": project(wheel.name).encode(),
        ENTRY_POINT: SERVER.encode(),
        "LICENSE": (ROOT / "LICENSE").read_bytes(),
        wheel.name: wheel.read_bytes(),
    }


def write(wheel: Path, folder: Path, namespace: str) -> list[Path]:
    """Write both; gives where they are."""
    folder.mkdir(exist_ok=True)
    bundle, entry = folder / "strongroom.mcpb", folder / "server.json"
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files(wheel).items():
            out.writestr(_entry(name), content, zipfile.ZIP_DEFLATED)
    entry.write_bytes(_json(registry_entry(namespace)))
    return [bundle, entry]


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, STAMP)
    entry.external_attr = 0o644 << 16
    return entry


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _built(folder: str) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", folder, str(ROOT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return next(Path(folder).glob("*.whl"))


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--namespace", default="io.github.strongroom", help="whose entry in the MCP registry this is")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as work:
        for path in write(_built(work), DIST, given.namespace):
            print(path.relative_to(ROOT))
