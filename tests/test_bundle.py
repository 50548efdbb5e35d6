"""The bundle for desktop clients and the entry for registries: they say what the program needs."""

import json
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import vault_core

SCRIPT = Path(__file__).parents[1] / "mcp_server" / "bundle.py"
TOOL = "@anthropic-ai/mcpb@2.1.2"

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the wheel's suite has no sources beside it")


@pytest.fixture(scope="module")
def bundle() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def manifest(bundle: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = bundle["manifest"]()
    return made


@pytest.fixture
def written(bundle: dict[str, Any], tmp_path: Path) -> list[Path]:
    wheel = tmp_path / "strongroom-0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    paths: list[Path] = bundle["write"](wheel, tmp_path / "dist", "io.github.somebody")
    return paths


def test_the_bundle_holds_what_its_manifest_names(written: list[Path]) -> None:
    with zipfile.ZipFile(written[0]) as opened:
        names = set(opened.namelist())
        manifest = json.loads(opened.read("manifest.json"))
        project = opened.read("pyproject.toml").decode()

    assert names == {"manifest.json", "pyproject.toml", "server.py", "LICENSE", "strongroom-0-py3-none-any.whl"}
    assert manifest["server"]["entry_point"] in names
    assert 'path = "strongroom-0-py3-none-any.whl"' in project
    assert "strongroom[mcp" in project


def test_the_same_content_is_the_same_bundle(bundle: dict[str, Any], written: list[Path], tmp_path: Path) -> None:
    first = written[0].read_bytes()

    again = bundle["write"](tmp_path / "strongroom-0-py3-none-any.whl", tmp_path / "dist", "io.github.somebody")

    assert again[0].read_bytes() == first


def test_every_setting_of_the_manifest_is_used_and_none_is_missing(manifest: dict[str, Any]) -> None:
    used = set(re.findall(r"\$\{user_config\.(\w+)\}", json.dumps(manifest["server"])))

    assert used == set(manifest["user_config"])
    for name, setting in manifest["user_config"].items():
        assert setting["required"] or "default" in setting, name  # without one its placeholder would stay


def test_a_passphrase_is_kept_as_a_secret_and_never_an_argument(manifest: dict[str, Any]) -> None:
    assert manifest["user_config"]["passphrase"]["sensitive"] is True
    assert not any("passphrase" in argument for argument in manifest["server"]["mcp_config"]["args"])


def test_the_versions_are_the_package_s(bundle: dict[str, Any], manifest: dict[str, Any]) -> None:
    entry = bundle["registry_entry"]("io.github.somebody")

    assert bundle["VERSION"] == vault_core.__version__ == entry["packages"][0]["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?", manifest["version"])
    assert (bundle["semantic"]("0.2.0"), bundle["semantic"]("0.1.0.dev0")) == ("0.2.0", "0.1.0-dev.0")


def test_the_registry_s_entry_keeps_its_rules(written: list[Path]) -> None:
    entry = json.loads(written[1].read_bytes())

    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", entry["name"])
    assert 0 < len(entry["description"]) <= 100
    assert all(re.fullmatch(r"[A-Z_]+", one["name"]) for one in entry["packages"][0]["environmentVariables"])
    assert not any(one["name"] == "STRONGROOM_PASSPHRASE" for one in entry["packages"][0]["environmentVariables"])


@pytest.mark.parametrize(
    ("settings", "arguments", "passphrase"),
    [
        ({}, [], None),
        ({"READ_ONLY": "true", "NAMESPACE": "alice/work"}, ["-n", "alice", "-n", "work", "--read-only"], None),
        ({"READ_ONLY": "false", "NAMESPACE": "", "PASSPHRASE": ""}, [], None),
        ({"NAMESPACE": "${user_config.namespace}", "PASSPHRASE": "${user_config.passphrase}"}, [], None),
        ({"PASSPHRASE": "plum anchor violet lantern"}, [], "plum anchor violet lantern"),
    ],
    ids=["nothing", "all", "empty", "placeholders", "passphrase"],
)
def test_the_bundle_starts_the_server_as_its_settings_say(
    settings: dict[str, str],
    arguments: list[str],
    passphrase: str | None,
    bundle: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import os

    seen: list[Any] = []
    monkeypatch.setattr(
        "vault_core.cli.main", lambda: seen.append((sys.argv[1:], os.environ.get("STRONGROOM_PASSPHRASE")))
    )
    monkeypatch.setattr(sys, "argv", ["server.py", "--vault", "me.vault"])
    for name, value in settings.items():
        monkeypatch.setenv(f"STRONGROOM_{'' if name == 'PASSPHRASE' else 'BUNDLE_'}{name}", value)
    monkeypatch.setenv("STRONGROOM_PASSPHRASE", os.environ.get("STRONGROOM_PASSPHRASE", ""))

    exec(compile(bundle["SERVER"], "server.py", "exec"), {"__name__": "__main__"})  # noqa: S102  our own script

    expected = ["--namespace" if one == "-n" else one for one in arguments]
    assert seen == [(["mcp", "--vault", "me.vault", *expected], passphrase)]


def validated(folder: Path) -> subprocess.CompletedProcess[str]:
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("Node is not here")
    done = subprocess.run(
        [npx, "--yes", "--prefer-offline", TOOL, "validate", "manifest.json"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    if "npm error" in done.stderr:
        pytest.skip("npm can't fetch the tool")
    return done


@pytest.mark.parametrize("broken", [False, True], ids=["as it is", "without an entry point"])
def test_the_tool_of_the_format_takes_the_manifest_and_refuses_a_broken_one(
    broken: bool, manifest: dict[str, Any], tmp_path: Path
) -> None:
    if broken:
        del manifest["server"]["entry_point"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))

    done = validated(tmp_path)

    assert ("validation passes" in done.stdout) is not broken, done.stdout + done.stderr
