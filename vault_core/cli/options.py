"""The options that many commands share, so that they read the same everywhere."""

from typing import Annotated

import typer

Place = Annotated[
    str | None,
    typer.Option(
        "--vault",
        metavar="PATH",
        help="The vault's file. Default: STRONGROOM_VAULT, else me.vault in the user's data folder.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON; an error becomes JSON on standard error.")]
Box = Annotated[str, typer.Option(metavar="BOX", help="The box that holds it.")]
Boxes = Annotated[list[str] | None, typer.Option("--box", metavar="BOX", help="Ask only this box. Repeatable.")]
Labels = Annotated[
    list[str] | None,
    typer.Option("--namespace", "-n", metavar="LABEL", help="A label of the namespace; repeat it for deeper ones."),
]
Below = Annotated[
    list[str] | None,
    typer.Option(
        "--namespace",
        "-n",
        metavar="LABEL",
        help="A label of the namespace; repeat it for deeper ones. Selects it and everything below.",
    ),
]
Exact = Annotated[bool, typer.Option("--exact", help="Only this namespace, nothing below it.")]
Kind = Annotated[
    str | None, typer.Option("--type", metavar="TYPE", help="Only memories of this type, such as PERSONA.")
]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="TAG", help="Only memories with this tag; repeat it for more.")
]
Old = Annotated[bool, typer.Option("--all", help="Also what is superseded, expired or untrusted.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")]
Embedder = Annotated[
    str | None,
    typer.Option(
        "--embedder",
        metavar="NAME",
        help="What makes vectors: ollama[:MODEL], ollama-remote[:MODEL] for a server that is not this machine, "
        "sentence:FOLDER for a sentence-transformers model, or none. Default: STRONGROOM_EMBEDDER, else none.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


def tagged(tags: list[str] | None) -> dict[str, object] | None:
    """The filter for memories that carry all these tags."""
    return {"tags": {"$all": tags}} if tags else None
