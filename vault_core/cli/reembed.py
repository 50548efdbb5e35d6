"""`strongroom reembed`: vectors for what has none, or all of them anew."""

from vault_core.cli import embedder as embedders
from vault_core.cli import options, unlock
from vault_core.cli.output import Bar, safe, say, say_json


def reembed(
    embedder: options.Embedder = None,
    box: options.Boxes = None,
    vault: options.Place = None,
    as_json: options.Json = False,
) -> None:
    """Make the vectors that memories lack, or all of them anew with another embedder.

    Memories lack vectors when they were stored without an embedder, or while it could not be reached. If the vault's
    vectors are another embedder's, all are made anew and the old ones erased. Contents, times and history stay as they
    are. It can be interrupted at any time; run again, it goes on where it was.
    """
    chosen = embedders.needed(embedder)
    with unlock.open_vault(vault, embedder=chosen) as opened:
        with Bar("embedding") as bar:
            done = opened.reembed(box=box, progress=bar.at)
        fingerprint = chosen.fingerprint
    if as_json:
        say_json({"embedder": fingerprint, "memories": done.memories, "vectors": done.vectors, "spaces": done.spaces,
                  "purged": done.purged})  # fmt: skip
        return
    if done.spaces:
        say("the vectors of another embedder were replaced")
    say(f"embedded {done.memories:,} {'memory' if done.memories == 1 else 'memories'} with {safe(fingerprint)}")
    if not done.purged:
        say("another session keeps a trace of old vectors in the store's journal; the next one to open it removes that")
