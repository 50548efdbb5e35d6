"""`strongroom search`, `briefing`, `list`, `show`, `history`: reading memories."""

from typing import Annotated, Any, cast

import typer

from vault_core.cli import embedder as embedders
from vault_core.cli import options, unlock
from vault_core.cli.memories import print_changes, print_hits, print_memories, print_memory
from vault_core.cli.output import safe, say, say_json
from vault_core.session.reading import Order

Id = Annotated[str, typer.Argument(metavar="ID", help="The memory's id.")]


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for, as a question or in words.")],
    top_k: Annotated[int, typer.Option("--top-k", "-k", metavar="N", help="How many hits at most.")] = 10,
    namespace: options.Below = None,
    exact: options.Exact = False,
    memory_type: options.Kind = None,
    tag: options.Tags = None,
    everything: options.Old = False,
    explain: Annotated[bool, typer.Option("--explain", help="Show what each score is made of.")] = False,
    embedder: options.Embedder = None,
    box: options.Boxes = None,
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Find the memories that answer a question, best first."""
    with unlock.open_vault(vault, embedder=embedders.chosen(embedder)) as opened:
        hits = opened.search(
            query,
            top_k=top_k,
            namespace=namespace,
            exact=exact,
            memory_type=memory_type,
            filter=options.tagged(tag),
            include_superseded=everything,
            include_expired=everything,
            include_untrusted=everything,
            explain=explain,
            box=box,
        )
    if as_json:
        say_json({"query": query, "hits": hits})
    else:
        print_hits(hits)


def briefing(
    namespace: options.Below = None,
    exact: options.Exact = False,
    max_tokens: Annotated[int, typer.Option("--max-tokens", metavar="N", help="How long it may be, about.")] = 800,
    box: options.Boxes = None,
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Print what an agent should know at the start of a conversation."""
    with unlock.open_vault(vault) as opened:
        told = opened.briefing(namespace=namespace, exact=exact, max_tokens=max_tokens, box=box)
    if as_json:
        say_json(told)
    elif told.text:
        say(safe(told.text, one_line=False))


def list_memories(
    namespace: options.Below = None,
    exact: options.Exact = False,
    memory_type: options.Kind = None,
    tag: options.Tags = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is superseded, expired or archived.")] = False,
    order: Annotated[
        str, typer.Option(metavar="ORDER", help="created, updated or event; with - in front for newest first.")
    ] = "-updated",
    limit: Annotated[int, typer.Option(metavar="N", help="How many at most.")] = 20,
    offset: Annotated[int, typer.Option(metavar="N", help="How many to pass over.")] = 0,
    box: options.Boxes = None,
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """List memories, newest first."""
    with unlock.open_vault(vault) as opened:
        chosen: dict[str, Any] = {
            "namespace": namespace,
            "exact": exact,
            "memory_type": memory_type,
            "filter": options.tagged(tag),
            "include_superseded": everything,
            "include_expired": everything,
            "include_archived": everything,
            "box": box,
        }
        found = opened.list(order_by=cast("Order", order), limit=limit, offset=offset, **chosen)
        total = opened.count(**chosen)
    if as_json:
        say_json({"memories": found, "total": total})
        return
    print_memories(found)
    if len(found) < total:
        say(f"{len(found)} of {total:,}; more with --offset {offset + len(found)}")


def show(
    id: Id,
    namespace: options.Labels = None,
    box: options.Box = "main",
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Show one memory with everything the vault knows about it."""
    with unlock.open_vault(vault) as opened:
        memory = opened.get(id, namespace=namespace or (), box=box)
    if as_json:
        say_json(memory)
    else:
        print_memory(memory)


def history(
    id: Id,
    line: Annotated[
        bool, typer.Option("--line", help="The whole line: also what it superseded, and what superseded it.")
    ] = False,
    changes: Annotated[
        bool, typer.Option("--changes", help="Every change from the log instead: also pins, archiving and uses.")
    ] = False,
    namespace: options.Labels = None,
    box: options.Box = "main",
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Show every version of a memory, oldest first."""
    with unlock.open_vault(vault) as opened:
        if changes:
            print_changes(opened.changes(id, namespace=namespace or (), box=box), as_json=as_json)
            return
        versions = opened.history(id, namespace=namespace or (), line=line, box=box)
    if as_json:
        say_json({"id": id, "versions": versions})
    else:
        print_memories(versions, versions=True)


def log(
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Only from then on: a time, or the number of a commit.")
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", help="How many at most, the oldest first.")] = None,
    namespace: options.Below = None,
    box: options.Boxes = None,
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Show every change there ever was, from the log: when, by whom, what. With --json one document a line.

    Of what was erased no more is left than when, and by which session.
    """
    begin = int(since) if since is not None and since.isascii() and since.isdigit() else since
    with unlock.open_vault(vault) as opened:
        found = opened.changes(namespace=namespace, since=begin, limit=limit, box=box)
        print_changes(found, as_json=as_json)
