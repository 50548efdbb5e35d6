"""What the package needs, and what it says when that is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

import langchain_strongroom
from support.processes import run_program


def without(*missing: str) -> None:
    """Make packages as if they were not installed."""
    for name in missing:
        sys.modules[name] = None  # type: ignore[assignment]


def store_without_langgraph() -> None:
    without("langgraph.store.base")
    ask("StrongroomStore")


def middleware_without_langchain() -> None:
    without("langchain")
    ask("StrongroomMiddleware")


def saver_without_langchain() -> None:
    without("langchain", "langgraph.graph", "langgraph.pregel")
    sys.stdout.write(
        f"{langchain_strongroom.StrongroomSaver.__name__} {langchain_strongroom.StrongroomStore.__name__}\n"
    )


def ask(name: str) -> None:
    try:
        getattr(langchain_strongroom, name)
    except ModuleNotFoundError as error:
        sys.stdout.write(f"{error}\n")


def test_every_name_is_there_and_no_other() -> None:
    for name in langchain_strongroom.__all__:
        assert getattr(langchain_strongroom, name).__name__ == name
        assert name in dir(langchain_strongroom)
    with pytest.raises(AttributeError, match="has no attribute 'StrongroomNothing'"):
        _ = langchain_strongroom.StrongroomNothing


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (store_without_langgraph, "StrongroomStore needs langgraph.store.base: pip install 'strongroom[langchain]'\n"),
        (
            middleware_without_langchain,
            "StrongroomMiddleware needs langchain.agents: pip install langchain\n",
        ),
        (saver_without_langchain, "StrongroomSaver StrongroomStore\n"),
    ],
    ids=["store", "middleware", "saver"],
)
def test_a_missing_package_is_named_with_how_to_get_it(program: object, said: str) -> None:
    assert run_program(program) == said  # type: ignore[arg-type]


def test_importing_the_package_imports_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, langchain_strongroom; print({'langgraph', 'numpy'} & set(sys.modules))"],
        env={"PYTHONPATH": ":".join(str(Path(path).resolve()) for path in sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "set()\n"
