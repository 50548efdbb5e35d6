"""The part of a vault that a server shows: one box, and one namespace with what is below it.

Rules:
- A client names a namespace relative to the server's own; nothing it can say leads out of it.
- Box and namespace of every vault call come from here, never from arguments or filters.
- An id is looked up in the namespace that is named with it; without one, in the whole scope. If several memories have
  it, the client is asked to name the namespace. A short name (`naming`) means one memory, wherever it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from strongroom_mcp import naming
from strongroom_mcp.framing import meant, shown
from vault_core import Memory, MemoryNotFoundError, Vault
from vault_core.errors import InvalidInputError

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a server is confined to."""

    namespace: Labels = ()
    box: str = "main"

    def inside(self, labels: Sequence[str] | None) -> Labels:
        """The vault's namespace for one that a client names."""
        return self.namespace + tuple(meant(label) for label in labels or ())

    def relative(self, namespace: Labels) -> list[str]:
        """The namespace as a client sees it."""
        return [shown(label) for label in namespace[len(self.namespace) :]]

    def name(self, memory: Memory) -> str:
        """What a client calls a memory."""
        return self.named(memory.id, memory.namespace)

    def address(self, memory: Memory) -> str:
        """The address of a memory as a resource."""
        name = self.name(memory)
        return f"memory://{quote(name if naming.is_short(name) else memory.id, safe='')}"

    def named(self, id: str, namespace: Labels) -> str:
        """What a client calls the memory with this id, of a namespace in this part of the vault."""
        return naming.called(id, namespace[len(self.namespace) :])

    def contains(self, memory: Memory) -> bool:
        """Whether a memory is in this part of the vault."""
        return memory.box == self.box and memory.namespace[: len(self.namespace)] == self.namespace

    def find(self, vault: Vault, id: str, labels: Sequence[str] | None = None) -> Memory:
        """The memory that a client means.

        Raises:
            MemoryNotFoundError: there is none in this scope.
            InvalidInputError: there are several; the namespace has to be named.
        """
        if naming.is_short(id):
            return self._short_named(vault, id)
        for name in dict.fromkeys((id, meant(id))):
            found = self._named(vault, name, labels)
            if len(found) > 1:
                raise InvalidInputError("several memories have this id; name the namespace too")
            if found:
                return found[0]
        raise MemoryNotFoundError("there is no memory with this id")

    def _named(self, vault: Vault, id: str, labels: Sequence[str] | None) -> list[Memory]:
        exact = vault.get_many([id], namespace=self.inside(labels), box=self.box)[0]
        if labels is not None or (exact is not None and not self.namespace_is_shared(vault)):
            return [] if exact is None else [exact]
        return vault.list(
            namespace=self.namespace,
            filter={"id": id},
            limit=2,
            include_superseded=True,
            include_expired=True,
            include_archived=True,
            box=self.box,
        )

    def _short_named(self, vault: Vault, name: str) -> Memory:
        """The memory with this short name. Looks at every one, for hardly any has a name that needs it."""
        for memory in vault.list(
            namespace=self.namespace,
            filter=lambda memory: naming.short_name(memory.id, self._below(memory)) == name,
            limit=1,
            include_superseded=True,
            include_expired=True,
            include_archived=True,
            box=self.box,
        ):
            return memory
        raise MemoryNotFoundError("there is no memory with this id")

    def _below(self, memory: Memory) -> Labels:
        return memory.namespace[len(self.namespace) :]

    def namespace_is_shared(self, vault: Vault) -> bool:
        """Whether there are namespaces below the server's own."""
        return len(vault.namespaces(prefix=self.namespace, limit=2, box=self.box)) > 1
