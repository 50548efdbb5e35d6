"""Vault: one person's memory, open. Joins the rooms and holds no logic of its own."""

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, TypeVar

from vault_core.crypto import KdfParameters, Key
from vault_core.embedders.base import as_embedder, embed_query_checked, warn_unavailable
from vault_core.errors import (
    InvalidInputError,
    MemoryNotFoundError,
    SessionStateError,
    UnavailableError,
    WrongPassphraseError,
)
from vault_core.keys import AgentKey, Header, KeyProvider, Keyring, Passphrase, Slot, provider_from, seal_header
from vault_core.keys.providers import KeyringKey, check_provider
from vault_core.lifecycle import Briefing, ForgetPolicy, Receipt, Summariser
from vault_core.log.log import seal_first_entry
from vault_core.memory import Draft, Memory, Namespace, SearchResult, Space
from vault_core.memory.arguments import check_callable, check_fraction, check_ids
from vault_core.memory.draft import DEFAULT_SPACE, check_id, check_label, check_namespace, check_vector, draft_of
from vault_core.memory.model import TIERS
from vault_core.memory.times import KEEP, from_micros
from vault_core.retrieval.choice import Reranker
from vault_core.session import Session, fading, locks, reading
from vault_core.session.asking import asking
from vault_core.session.briefing import brief
from vault_core.session.changes import Change, changes
from vault_core.session.consolidating import Consolidation, consolidate
from vault_core.session.items import Items
from vault_core.session.locks import Rotation, SlotEntry
from vault_core.session.outside import seal_outside, unseal_outside
from vault_core.session.reading import Boxes, Order, Query
from vault_core.session.reembed import BATCH, Reembedding, reembed
from vault_core.session.session import microseconds
from vault_core.session.transaction import Transaction
from vault_core.session.verify import Progress, Report, verify
from vault_core.session.writing import Writer
from vault_core.store import open_store

if TYPE_CHECKING:
    from vault_core.aio import AsyncVault
    from vault_core.transfer import ExportReport, ImportReport

T = TypeVar("T")
Hits = list[SearchResult]  # named here, for inside the class `list` is a method
Memories = list[Memory]
MaybeMemories = list[Memory | None]
Namespaces = list[Namespace]
Mode = Literal["hybrid", "lexical", "dense"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Figures of an open vault. Counts are of current, visible memories; bytes are what the store uses."""

    memories: int
    by_type: Mapping[str, int]
    by_tier: Mapping[str, int]
    namespaces: int
    items: int
    boxes: Sequence[str]
    spaces: Mapping[str, Space]
    commits: int
    key_generation: int
    owner: str
    created_at: datetime
    store_bytes: int
    location: str


class Vault:
    """An open vault: every method is safe from any thread, and durable when it returns.

    Made by `Vault.create` and `Vault.open`; use it in a `with` block, or call `close`. Other processes may have the
    same vault open; what they commit is in the next read here. After `fork()` a child has to open the vault anew.

    Any method may raise `UnavailableError` (the store can't serve), `VaultTamperedError` (its bytes are not what was
    written), `SessionStateError` (closed, forked, read-only, keys rotated) and `InvalidInputError` (the argument that
    it names).
    """

    def __init__(self, session: Session, embedder: Any = None) -> None:
        """Use `Vault.create` or `Vault.open`."""
        self._session = session
        self._embedder = as_embedder(embedder)
        self._writer = Writer(session, self._embedder)

    @classmethod
    def create(
        cls,
        location: Any,
        *,
        passphrase: str | None = None,
        unlock: KeyProvider | None = None,
        owner: str = "",
        embedder: Any = None,
        kdf: KdfParameters | None = None,
    ) -> Self:
        """Make a vault and open it.

        `location` is a path, `memory://`, or a store. It is unlocked by the passphrase, or by the provider `unlock`;
        with neither, by the passphrase of the environment (see `Vault.open`).

        Raises:
            ConflictError: there is something already.
            InvalidInputError: the passphrase is too weak, or there is none.
        """
        provider = _given(passphrase, unlock)
        if provider is None:
            raise InvalidInputError("give a passphrase (or a key provider as unlock) for the new vault")
        if isinstance(provider, Passphrase):
            provider.check_quality()
        if owner != "":
            check_label(owner, "owner")
        embedder = as_embedder(embedder)  # refused before there is anything
        vault, now, mek = secrets.token_bytes(16), microseconds(), Key.random()
        keyring = Keyring.new(owner, now)
        try:
            slot = Slot.make(mek, provider, vault, kdf)
            header = seal_header(vault, 1, keyring, [slot], mek)
            entry, _ = seal_first_entry(vault, keyring, header, secrets.token_bytes(16), now)
        finally:
            keyring.wipe()
        store = open_store(location, create=True)
        try:
            store.create(header, entry)
            store.lock(exclusive=False)
            session = Session.unlocked(store, Header.parse(header), header, mek, provider)
        except BaseException:
            store.close()
            raise
        return cls(session, embedder)

    @classmethod
    def open(
        cls,
        location: Any,
        *,
        passphrase: str | None = None,
        unlock: KeyProvider | None = None,
        embedder: Any = None,
        read_only: bool = False,
        exclusive: bool = False,
        accept_rollback: bool = False,
    ) -> Self:
        """Open a vault.

        Unlocked by the first of: `passphrase`, `unlock`, `STRONGROOM_PASSPHRASE_COMMAND`,
        `STRONGROOM_PASSPHRASE_FILE`, `STRONGROOM_PASSPHRASE`, the key agent that `strongroom unlock` has left the key
        with, the OS keyring. The agent goes first because it never asks anybody, which a keyring may do.
        `exclusive` keeps other sessions out; `accept_rollback` accepts an older state than this machine has seen, and
        says so in the log.

        Raises:
            VaultNotFoundError: there is no vault.
            WrongPassphraseError: no slot opens with this secret. Where the agent's key has become useless, by a
                rotation or a change of its slot, the message says so, and to unlock again.
            RollbackError: the store shows an older or other state than this machine has seen.
            VaultAlreadyOpenError: another session is in the way.
            FormatTooNewError: a newer version wrote it.
        """
        given, embedder = _given(passphrase, unlock), as_embedder(embedder)
        agent = given if isinstance(given, AgentKey) else AgentKey()
        store = open_store(location, read_only=read_only)
        try:
            store.lock(exclusive=exclusive)
            session = Session.open(
                store,
                [given] if given is not None else [agent, KeyringKey()],
                read_only=read_only,
                accept_rollback=accept_rollback,
            )
        except WrongPassphraseError:
            store.close()
            if given is agent or agent.stale:
                raise WrongPassphraseError(agent.advice()) from None
            if given is None:
                raise WrongPassphraseError(
                    "no secret was given: pass a passphrase, set STRONGROOM_PASSPHRASE_FILE or _COMMAND, "
                    "or run: strongroom unlock"
                ) from None
            raise
        except BaseException:
            store.close()
            raise
        return cls(session, embedder)

    # writing memories

    def add(self, content: Any, *, box: str = "main", **fields: Any) -> Memory:
        """Store one memory and give it as it is stored.

        `content` is text or JSON (an object or list). Fields, all optional: `id`, `namespace`, `memory_type`, `tags`,
        `metadata`, `importance`, `confidence`, `sensitivity`, `source`, `thread`, `event_time`, `valid_from`,
        `valid_to`, `expires_at`, `slot`, `supersedes`, `emotional_intensity`, `valence`, `data_class`, `tier`,
        `vector`, `vectors`, `index`, `keep_history`, `reason`, `origin`: see `Draft`.

        With an explicit `id` it is an upsert: everything is replaced, `created_at` kept. Without one, identical content
        in the same namespace refreshes the memory that is there. Without `memory_type` the rules of
        `vault_core.memory.classify` choose one. `similar` of what it gives names memories of the same namespace that
        say nearly the same; they are left as they are, see `merge`.
        """
        return self.add_many([draft_of(content, fields)], box=box)[0]

    def add_many(self, drafts: Iterable[Draft], *, box: str = "main") -> Memories:
        """Store memories in one commit: all of them, or none. Gives them in the order of the drafts.

        Near-duplicates (`similar`) are looked for in batches of up to 32 drafts.
        """
        return self._writer.add_many(drafts, box)

    def update(
        self, id: str, *, namespace: Sequence[str] = (), box: str = "main", keep_history: bool = True, **fields: Any
    ) -> Memory:
        """Write a new version with the named fields replaced; the others stay.

        Raises:
            MemoryNotFoundError: there is no such memory.
        """
        return self._writer.update(check_id(id), check_namespace(namespace), box, fields, keep_history=keep_history)

    def restore(self, id: str, version: str, *, namespace: Sequence[str] = (), box: str = "main") -> Memory:
        """Make an earlier version (`memory.version`) the current one again, also where another memory supersedes it.

        Raises:
            MemoryNotFoundError: there is no such memory or version.
        """
        return self._writer.restore(check_id(id), version, check_namespace(namespace), box)

    def merge(
        self, keep: str, others: Iterable[str], *, namespace: Sequence[str] = (), content: Any = None, box: str = "main"
    ) -> Memory:
        """Let one memory stand for others that say the same, in one commit that erases nothing.

        `keep` gets a new version that supersedes the others, with the tags of all, the highest importance and the
        earliest `created_at`; with `content` it says that. `restore(keep, version)` with its earlier version undoes it.

        Raises:
            MemoryNotFoundError: one of them is not there; nothing is changed.
        """
        return self._writer.merge(check_id(keep), check_ids(others), check_namespace(namespace), box, content)

    def touch(
        self, ids: Iterable[str], *, namespace: Sequence[str] = (), expires_at: Any = KEEP, box: str = "main"
    ) -> int:
        """Confirm memories as still true and used; with `expires_at` change when they expire (None: never).

        Raises:
            MemoryNotFoundError: one of them is not there; none is changed.
        """
        return self._writer.touch(ids, check_namespace(namespace), box, expires_at)

    def archive(self, id: str, *, namespace: Sequence[str] = (), undo: bool = False, box: str = "main") -> None:
        """Hide a memory from every query without erasing anything; `undo` brings it back."""
        self._writer.mark(check_id(id), check_namespace(namespace), box, archived=not undo, pinned=None)

    def pin(self, id: str, *, namespace: Sequence[str] = (), undo: bool = False, box: str = "main") -> None:
        """Mark a memory as one that agents should always have, and vouch for it; `undo` takes the mark back."""
        self._writer.mark(check_id(id), check_namespace(namespace), box, archived=None, pinned=not undo)

    def trust(self, id: str, *, namespace: Sequence[str] = (), undo: bool = False, box: str = "main") -> None:
        """Vouch for a memory that an agent, a tool or a page brought: the user's word that it is right.

        From then on its `trust` is "trusted": it is found by every search and may stand in a briefing. It holds for
        this version; a new one has to be vouched for anew. `undo` takes it back.

        Raises:
            MemoryNotFoundError: there is no such memory.
        """
        self._writer.trust(check_id(id), check_namespace(namespace), box, trusted=not undo)

    def forget(self, id: str, *, namespace: Sequence[str] = (), dry_run: bool = False, box: str = "main") -> Receipt:
        """Erase a memory and its whole history, from the log's records, the index and the snapshots.

        Composites and affinities made of it are erased with it (`receipt.stale`); `consolidate` makes them anew.

        Can't be undone; `archive` can. If the receipt says `purged=False`, another session kept the store from
        overwriting its journal; the next session to open the vault does it.

        Raises:
            MemoryNotFoundError: there is no such memory.
        """
        return self.forget_many([id], namespace=namespace, dry_run=dry_run, box=box)

    def forget_many(
        self,
        ids: Iterable[str] | None = None,
        *,
        namespace: Sequence[str] | None = None,
        filter: Any = None,
        policy: ForgetPolicy | None = None,
        missing_ok: bool = False,
        dry_run: bool = False,
        box: str = "main",
    ) -> Receipt:
        """Erase memories by id, or all that a filter (and a namespace with what is below it) selects, in one commit.

        With `missing_ok`, ids that are not there are passed over; the receipt's `ids` are those that were.
        With a `policy` only those among them that have grown weak: they become ghosts, out of every answer, which
        confirming (`touch`), pinning or adding them again brings back, and `expire` erases once their time is over.

        Raises:
            MemoryNotFoundError: one of the ids is not there; nothing is erased.
            InvalidInputError: neither ids nor a filter nor a namespace nor a policy.
        """
        if ids is not None:
            if filter is not None or policy is not None:
                raise InvalidInputError("give ids, or a filter or policy, not both")
            exact = check_namespace(() if namespace is None else namespace)
            return self._writer.forget(check_ids(ids), exact, None, box, missing_ok=missing_ok, dry_run=dry_run)
        if policy is not None:
            if not isinstance(policy, ForgetPolicy):
                raise InvalidInputError("policy must be a ForgetPolicy")
            faded = partial(fading.fade, self._session, self._writer, policy, box_name=box, dry_run=dry_run)
            return asking(Query(namespace=namespace, filter=filter), faded)
        if filter is None and namespace is None:
            raise InvalidInputError("say what to forget: ids, a filter, a namespace or a policy")
        query = Query(
            namespace=namespace, filter=filter, include_superseded=True, include_expired=True, include_archived=True
        )
        forgotten = partial(self._writer.forget, None, (), box=box, missing_ok=True, dry_run=dry_run)
        return asking(query, forgotten)

    def expire(self, *, box: Boxes = None, dry_run: bool = False) -> Receipt:
        """Erase what has expired, and ghosts whose time is over.

        No answer holds them before that either, but their bytes are still there. One commit for each box that holds
        some; without `box` all boxes are swept.
        """
        return fading.expire(self._session, self._writer, box, dry_run=dry_run)

    def transact(self, work: Callable[[Transaction], T], *, box: str = "main") -> T:
        """Run `work(tx)` on the newest state; all it writes is one commit, nothing if it raises.

        It may run again: after a conflict, and once what it adds without vectors has been embedded.
        """
        check_callable(work, "what transact runs")
        check_label(box, "box")
        return self._writer.transact(
            box, lambda batch, drafted, revised: work(Transaction(self._session, box, batch, drafted, revised))
        )

    def writing_as(self, **who: str) -> AbstractContextManager[None]:
        """In this `with` block, what the current thread or task writes carries `who` in its provenance.

        For a server that writes for others: `with vault.writing_as(client="Claude Code", tool="memory_store"): …`.
        Nested blocks add up. `program` and `session` stay the library's own.

        Raises:
            InvalidInputError: one of those two is named, or a value is no short text.
        """
        for name, value in who.items():
            if name in ("program", "session"):
                raise InvalidInputError(f"the library says itself what the {name} is")
            check_label(value, name)
        return self._session.writing_as(who)

    # reading by id

    def get(self, id: str, *, namespace: Sequence[str] = (), box: str = "main") -> Memory:
        """The memory with this id in exactly this namespace, whether superseded, archived or expired.

        Raises:
            MemoryNotFoundError: there is none.
        """
        found = self.get_many([id], namespace=namespace, box=box)[0]
        if found is None:
            raise MemoryNotFoundError("there is no memory with this id in this namespace")
        return found

    def get_many(self, ids: Iterable[str], *, namespace: Sequence[str] = (), box: str = "main") -> MaybeMemories:
        """Memories in the order of the ids; None where there is none."""
        return reading.get_many(self._session, ids, check_namespace(namespace), box)

    def history(self, id: str, *, namespace: Sequence[str] = (), line: bool = False, box: str = "main") -> Memories:
        """Every unerased version of a memory, oldest first, each with its provenance, time and reason.

        `line` gives the whole line across ids, in the order in which it was learned: all values of its slot, what they
        supersede and what supersedes them.

        Raises:
            MemoryNotFoundError: there is none.
        """
        return reading.history(self._session, id, check_namespace(namespace), box, line=line)

    def changes(
        self,
        id: str | None = None,
        *,
        namespace: Sequence[str] | None = None,
        since: datetime | str | int | None = None,
        limit: int | None = None,
        box: Boxes = None,
    ) -> Iterator[Change]:
        """Every change there ever was, from the log, oldest first, in constant memory: see `Change`.

        With `id` those of one memory, in exactly this namespace: versions, pins, archiving, uses. `namespace` alone
        selects it and everything below. `since` is a time or the number of a commit. The log is verified on the way.

        Raises:
            MemoryNotFoundError: there is no memory with this id.
            VaultTamperedError: the log is not what was written.
        """
        return changes(self._session, id, namespace, since, limit, box)

    # querying

    def search(
        self,
        query: str,
        *,
        top_k: int = 10,
        offset: int = 0,
        namespace: Sequence[str] | None = None,
        exact: bool = False,
        memory_type: str | None = None,
        filter: Any = None,
        query_vector: Any = None,
        space: str | None = None,
        mode: Mode = "hybrid",
        thread: str | None = None,
        min_score: float | None = None,
        cut: bool = True,
        diversity: float | None = None,
        reranker: Reranker | None = None,
        include_superseded: bool = False,
        include_expired: bool = False,
        include_untrusted: bool = False,
        as_of: datetime | str | None = None,
        explain: bool = False,
        box: Boxes = None,
    ) -> Hits:
        """The memories that answer a query best, best first.

        `namespace` selects it and everything below; `exact` only that level. `filter` is a dict, a `Filter` or a
        function of a `Memory`, which is asked while the vault is not locked. `mode="lexical"` uses words alone,
        `"dense"` the vector alone: plain cosine, min(top_k, n) hits. `thread` keeps to one conversation. `cut` drops
        hits that are far worse than the best.
        `diversity`, 0 to 1, picks hits that are unlike each other; a `reranker` reads the best 50 and orders them anew.
        `explain` gives every part of a score, as `hit.parts`; they add up to `hit.score`. Phrases in double quotes must
        be there, and times ("last summer") favour what happened then. `as_of` shows what was believed and true then:
        of what had been stored by that time, the versions that held, with nothing that began later or had ended.
        What came from tools, pages or files is left out (see `trust`) unless `include_untrusted`. Without `box` every
        box is asked. While the embedder can't be reached, a hybrid search answers by words alone, with an
        `EmbedderUnavailableWarning`.

        Raises:
            EmbedderMismatchError: the vault's vectors are another embedder's; see `reembed`.
            UnavailableError: a dense search, and the embedder can't be reached.
        """
        if not isinstance(query, str):
            raise InvalidInputError("a query is text")
        if mode not in ("hybrid", "lexical", "dense"):
            raise InvalidInputError('mode must be "hybrid", "lexical" or "dense"')
        vector, fingerprint = None, ""
        if mode != "lexical":
            vector, fingerprint = self._query_vector(query, query_vector, space, must=mode == "dense")
        if mode == "dense" and vector is None:
            raise InvalidInputError("a dense search needs an embedder or a query_vector")
        return reading.search(
            self._session,
            query,
            vector,
            _space(space),
            Query(
                namespace=namespace,
                exact=exact,
                memory_type=memory_type,
                filter=filter,
                include_superseded=include_superseded,
                include_expired=include_expired,
                include_untrusted=include_untrusted,
                as_of=as_of,
                thread=thread,
                box=box,
            ),
            lexical=mode != "dense",
            top_k=top_k,
            offset=offset,
            min_score=min_score,
            cut=cut,
            explain=explain,
            diversity=check_fraction(diversity, "diversity"),
            reranker=reranker,
            fingerprint=fingerprint,
        )

    def find_similar(
        self,
        vector: Any,
        *,
        top_k: int = 10,
        offset: int = 0,
        threshold: float | None = None,
        space: str | None = None,
        diversity: float | None = None,
        namespace: Sequence[str] | None = None,
        exact: bool = False,
        filter: Any = None,
        include_superseded: bool = False,
        include_expired: bool = False,
        include_untrusted: bool = False,
        box: Boxes = None,
    ) -> Hits:
        """The memories whose vectors are nearest by cosine, and nothing else: min(top_k, n) hits, no cut."""
        query = Query(
            namespace=namespace,
            exact=exact,
            filter=filter,
            include_superseded=include_superseded,
            include_expired=include_expired,
            include_untrusted=include_untrusted,
            box=box,
        )
        return reading.find_similar(
            self._session,
            check_vector(vector),
            _space(space),
            query,
            top_k=top_k,
            offset=offset,
            threshold=threshold,
            diversity=check_fraction(diversity, "diversity"),
        )

    def list(
        self,
        *,
        namespace: Sequence[str] | None = None,
        exact: bool = False,
        memory_type: str | None = None,
        filter: Any = None,
        order_by: Order = "-updated",
        limit: int | None = 100,
        offset: int = 0,
        include_superseded: bool = False,
        include_expired: bool = False,
        include_archived: bool = False,
        as_of: datetime | str | None = None,
        include_untrusted: bool = True,
        box: Boxes = None,
    ) -> Memories:
        """A page of memories. `order_by` is `created`, `updated` or `event`, with `-` in front for newest first.

        `as_of` shows what was believed and true then, as in `search`.
        """
        query = Query(
            namespace=namespace,
            exact=exact,
            memory_type=memory_type,
            filter=filter,
            include_superseded=include_superseded,
            include_expired=include_expired,
            include_archived=include_archived,
            as_of=as_of,
            include_untrusted=include_untrusted,
            box=box,
        )
        return reading.list_memories(self._session, query, order_by, limit, offset)

    def stream(
        self,
        *,
        namespace: Sequence[str] | None = None,
        filter: Any = None,
        include_superseded: bool = False,
        include_expired: bool = False,
        include_archived: bool = False,
        as_of: datetime | str | None = None,
        box: Boxes = None,
    ) -> Iterator[Memory]:
        """All memories in the order they were written, in constant memory."""
        query = Query(
            namespace=namespace,
            filter=filter,
            include_superseded=include_superseded,
            include_expired=include_expired,
            include_archived=include_archived,
            as_of=as_of,
            box=box,
        )
        return reading.stream(self._session, query)

    def count(
        self,
        *,
        namespace: Sequence[str] | None = None,
        exact: bool = False,
        memory_type: str | None = None,
        filter: Any = None,
        include_superseded: bool = False,
        include_expired: bool = False,
        include_archived: bool = False,
        as_of: datetime | str | None = None,
        box: Boxes = None,
    ) -> int:
        """How many memories `list` would give without a limit."""
        query = Query(
            namespace=namespace,
            exact=exact,
            memory_type=memory_type,
            filter=filter,
            include_superseded=include_superseded,
            include_expired=include_expired,
            include_archived=include_archived,
            as_of=as_of,
            box=box,
        )
        return reading.count(self._session, query)

    def namespaces(
        self,
        *,
        prefix: Sequence[str] = (),
        suffix: Sequence[str] = (),
        max_depth: int | None = None,
        limit: int | None = None,
        offset: int = 0,
        include_expired: bool = True,
        box: Boxes = None,
    ) -> Namespaces:
        """Namespaces that hold memories, sorted and cut to `max_depth`; `"*"` in prefix or suffix is any one label.

        `include_expired=False` leaves out those where everything has expired.
        """
        return reading.namespaces(
            self._session,
            box,
            prefix=check_namespace(prefix),
            suffix=check_namespace(suffix),
            max_depth=max_depth,
            limit=limit,
            offset=offset,
            include_expired=include_expired,
        )

    def items(self, collection: str, *, box: str = "main") -> Items:
        """The items of a collection: bytes by key, for what is no memory."""
        return Items(self._session, self._writer.commit, collection, box)

    # bytes that are kept elsewhere

    def seal(self, plaintext: bytes, *, purpose: str, box: str = "main") -> bytes:
        """Seal bytes that you keep elsewhere, such as rows of another database; only this vault opens them.

        `purpose` is a label that `unseal` has to be given too, so that what was sealed for one use is refused by
        another. Order, completeness and age are not protected: whoever keeps the bytes may drop them, serve older
        ones, or swap two of one purpose. What is stored in the vault itself has no such gaps.
        """
        return seal_outside(self._session, plaintext, purpose, box)

    def unseal(self, sealed: bytes, *, purpose: str, box: str = "main") -> bytes:
        """Open what `seal` gave, also after the keys were rotated.

        Raises:
            VaultTamperedError: other bytes, or sealed by another vault, for another box or purpose.
        """
        return unseal_outside(self._session, sealed, purpose, box)

    # the vault

    def briefing(
        self,
        *,
        namespace: Sequence[str] | None = None,
        exact: bool = False,
        max_tokens: int = 800,
        box: Boxes = None,
    ) -> Briefing:
        """The few facts that an agent should have at the start of a conversation, in at most so many tokens.

        What is pinned, who the person is, what is so now, and strong habits; only what is trusted (see `trust`). Given
        the vault and the clock it is always the same. A search is better for whatever the conversation turns to.
        """
        return brief(self._session, Query(namespace=namespace, exact=exact, box=box), max_tokens)

    def consolidate(
        self,
        *,
        namespace: Sequence[str] | None = None,
        box: str = "main",
        summarise: Summariser | None = None,
        dry_run: bool = False,
    ) -> Consolidation:
        """Make composites and affinities from the atoms of a namespace and of each below it, every one for itself.

        No model is asked, and running it twice changes nothing. `summarise` takes the texts of a composite's atoms and
        gives its text; it is asked again only when they have changed, and not by a dry run. What was made before and
        has no atoms any more is erased; what a caller made with `tier=` is left alone. Archive one to hide it for good.

        Raises:
            UnavailableError: the summariser or the embedder failed; nothing is changed.
        """
        return consolidate(self._session, self._writer, self._embedder, namespace, box, summarise, dry_run=dry_run)

    def export_memories(
        self,
        path: str | os.PathLike[str],
        *,
        namespace: Sequence[str] | None = None,
        box: Boxes = None,
        passphrase: str | None = None,
        history: bool = True,
        items: bool | None = None,
        overwrite: bool = False,
        kdf: KdfParameters | None = None,
        progress: Progress | None = None,
    ) -> "ExportReport":
        """Write memories to a file, with ids, times, history, state and vectors (docs/transfer.md).

        **In plain text**, unless `passphrase` seals it; only its owner may read the file. `namespace` takes it and
        everything below. Without `history` only current versions are written. Items go along unless a namespace is
        chosen, for they are in none; `items` says otherwise. The file is there whole or not at all.
        `progress(done, total)` counts memories and items.

        Raises:
            ConflictError: there is something at this path, and `overwrite` was not asked for.
            InvalidInputError: the passphrase is too weak, or there can be no file at this path.
            UnavailableError: it can't be written; or memories were embedded again meanwhile.
        """
        from vault_core.session import leaving  # needed by few, and slow to import

        return leaving.export_memories(
            self._session,
            path,
            namespace=namespace,
            box=box,
            passphrase=passphrase,
            history=history,
            items=items,
            overwrite=overwrite,
            kdf=kdf,
            progress=progress,
        )

    def import_memories(
        self,
        path: str | os.PathLike[str],
        *,
        passphrase: str | Callable[[], str] | None = None,
        source: str = "auto",
        namespace: Sequence[str] | None = None,
        box: str | None = None,
        items: bool | None = None,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> "ImportReport":
        """Bring memories from a file or folder, with ids, times, history, state and vectors (docs/transfer.md).

        `source` names the format; "auto" recognises it. `passphrase` opens what is sealed; a function is asked for it
        only then. What is there already is left as it is, so that a second
        import changes nothing; newer versions are added, older ones never override. `namespace` is put in front of
        every namespace. Memories go into the boxes they were in, which are made where they are missing, or all into
        `box`. What is wrong in a source is left out and reported; `dry_run` only reports. Nothing is embedded: see
        `reembed`. `progress(done, total)` counts bytes of the source.

        Raises:
            InvalidInputError: there is no such file, or it is of no format that is known.
            WrongPassphraseError: it is sealed, and does not open with this passphrase.
            VaultTamperedError: a sealed one was changed or cut off; nothing of it was brought.
            FormatTooNewError: a newer version wrote it.
        """
        from vault_core.session import arriving  # the same

        return arriving.import_memories(
            self._session,
            self._writer,
            path,
            passphrase=passphrase,
            source=source,
            namespace=namespace,
            box=box,
            items=items,
            dry_run=dry_run,
            progress=progress,
        )

    def checkpoint(self) -> bool:
        """Write a snapshot now, so that the next opening is fast. False if the journal could not be emptied."""
        return self._session.checkpoint()

    def stats(self) -> Stats:
        """Figures of the vault as it stands."""
        with self._session.reading() as session:
            indexes = [session.index(box) for box in session.keyring.boxes]
            by_type: dict[str, int] = {}
            by_tier = dict.fromkeys(TIERS, 0)
            for index in indexes:
                for tier, number in index.catalogue.tiers().items():
                    by_tier[tier] += number
                for name, number in index.catalogue.types().items():
                    by_type[name] = by_type.get(name, 0) + number
            settings = session.keyring.settings
            return Stats(
                memories=self.count(),
                by_type=by_type,
                by_tier=by_tier,
                namespaces=len(self.namespaces()),
                items=sum(sum(index.catalogue.collections().values()) for index in indexes),
                boxes=[box.name for box in session.keyring.boxes],
                spaces={name: space for index in indexes for name, space in index.spaces.items()},
                commits=session.log.state.seq,
                key_generation=session.header.key_generation,
                owner=settings["owner"],
                created_at=from_micros(settings["created"]),
                store_bytes=session.store.size(),
                location=session.store.location,
            )

    def reembed(self, *, box: Boxes = None, progress: Progress | None = None, batch_size: int = BATCH) -> Reembedding:
        """Give vectors to every memory that lacks them, or anew to all if another embedder made those there are.

        Each batch of memories is one commit; interrupted, it goes on where it was when run again. Contents, times,
        provenance and history stay as they are; the versions in `history` get other names, and the records with the
        old vectors are erased. So are vectors that you gave yourself in the default space: keep those in a space of
        their own. `progress(done, total)` is called after each batch. Without `box` it is done in every box.

        Raises:
            InvalidInputError: the vault was opened without an embedder.
            UnavailableError: the embedder failed; what was done stays.
        """
        if progress is not None:
            check_callable(progress, "progress")
        return reembed(self._session, self._writer, self._embedder, box, progress, batch_size)

    def verify(self, *, full: bool = False, progress: Progress | None = None) -> Report:
        """Walk the whole log and check every record's hash; with `full`, open every record too.

        `progress(done, total)` is called now and then.

        Raises:
            VaultTamperedError: something is not what was written.
        """
        if progress is not None:
            check_callable(progress, "progress")
        return verify(self._session, full=full, progress=progress)

    def reclaim(self) -> None:
        """Give the store's space back after much was forgotten. Needs as much free disk as the vault has bytes."""
        with self._session.reading() as session:
            session.store.reclaim()

    def slots(self) -> Sequence[SlotEntry]:
        """The ways to unlock this vault."""
        return locks.slots(self._session)

    def add_slot(self, provider: KeyProvider, *, kdf: KdfParameters | None = None) -> SlotEntry:
        """Add a way to unlock: `Passphrase`, `RecoveryKey`, `FileKey`, `CommandKey` or `KeyringKey`."""
        return locks.add_slot(self._session, provider, kdf)

    def remove_slot(self, id: str) -> None:
        """Remove a way to unlock. What its holder has copied stays readable to them; `rotate` protects what comes."""
        locks.remove_slot(self._session, id)

    def change_passphrase(self, old: str, new: str, *, kdf: KdfParameters | None = None) -> SlotEntry:
        """Replace the passphrase slot that `old` opens.

        Raises:
            WrongPassphraseError: `old` opens no slot.
        """
        return locks.change_passphrase(self._session, old, new, kdf)

    def rotate(self, *providers: KeyProvider) -> Rotation:
        """New keys for everything written from now on. Slots that none of the providers opens are dropped."""
        return locks.rotate(self._session, providers)

    def boxes(self) -> Sequence[str]:
        """The names of all boxes."""
        with self._session.reading() as session:
            return [box.name for box in session.keyring.boxes]

    def add_box(self, name: str) -> str:
        """Make a box: a part of the vault with a key of its own."""
        return locks.add_box(self._session, name)

    @property
    def id(self) -> str:
        """The vault's id, 32 hex digits."""
        return self._session.header.vault.hex()

    @property
    def read_only(self) -> bool:
        """Whether it was opened read-only."""
        return self._session.read_only

    @property
    def accepted_rollback(self) -> bool:
        """Whether this opening accepted a state that does not extend what this machine had seen."""
        return self._session.accepted_rollback

    @property
    def aio(self) -> "AsyncVault":
        """The same session, awaited."""
        from vault_core.aio import AsyncVault  # here: aio builds on Vault

        return AsyncVault(self)

    def close(self) -> None:
        """Write a snapshot if it pays, wipe the keys, let go. Calling it twice does no harm."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Vault {self.id[:8]}… {'closed' if self._session.closed else 'open'}>"

    def __reduce__(self) -> NoReturn:
        raise SessionStateError("an open vault can't be copied or pickled; open it anew where it is needed")

    def _query_vector(self, text: str, given: Any, space: str | None, *, must: bool) -> tuple[Any, str]:
        """The vector of a query, and the name of the embedder that made it."""
        if given is not None:
            return check_vector(given), ""
        if self._embedder is None or _space(space) != DEFAULT_SPACE or not text.strip():
            return None, ""
        try:
            fingerprint = self._writer.fingerprint()
            return embed_query_checked(self._embedder, text), fingerprint
        except UnavailableError as error:
            if must:
                raise
            warn_unavailable("answered by words alone", error)
            return None, ""


def _space(name: str | None) -> str:
    return DEFAULT_SPACE if name is None else check_label(name, "space")


def _given(passphrase: str | None, unlock: KeyProvider | None) -> KeyProvider | None:
    """The provider a caller hands over, or the one that the environment names."""
    if passphrase is not None:
        return Passphrase(passphrase)
    return provider_from(os.environ) if unlock is None else check_provider(unlock)
