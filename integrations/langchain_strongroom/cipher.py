"""StrongroomCipher: checkpoints of any LangGraph saver, sealed by a vault; and the serializer that accepts no others.

What a saver keeps outside of its serializer stays in the clear there: thread ids, names of channels and nodes,
metadata, and the values that a saver stores inline. `StrongroomSaver` seals those too.
"""

from typing import Any, NoReturn

from langgraph.checkpoint.serde.base import CipherProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from vault_core import Vault
from vault_core.errors import VaultTamperedError

NAME = "strongroom"  # what stands behind the "+" of a row's type
_PURPOSE = "langgraph checkpoint"
_CLEAR = "a row of the checkpointer is not sealed by this vault; nothing unsealed is loaded"


class StrongroomCipher(CipherProtocol):
    """A cipher for LangGraph's serializers: sealed under the vault's key, also after it is rotated.

    Use it through `StrongroomSerializer`: upstream's `EncryptedSerializer` loads a row that is not encrypted.
    """

    def __init__(self, vault: Vault, *, box: str = "main") -> None:
        self._vault, self._box = vault, box

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """Seal bytes; gives the cipher's name with them."""
        return NAME, self._vault.seal(plaintext, purpose=_PURPOSE, box=self._box)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """Open what `encrypt` sealed.

        Raises:
            VaultTamperedError: it was changed, or another cipher or vault made it.
        """
        if not isinstance(ciphertext, bytes | bytearray | memoryview):  # a forger's NULL or number
            raise VaultTamperedError(_CLEAR)
        if ciphername != NAME:
            raise VaultTamperedError("a row of the checkpointer says that another cipher sealed it")
        return self._vault.unseal(ciphertext, purpose=_PURPOSE, box=self._box)

    def __repr__(self) -> str:
        return f"StrongroomCipher({self._vault!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a cipher holds an open vault and can't be pickled; open it anew in the other process")


class StrongroomSerializer(JsonPlusSerializer):
    """LangGraph's serializer with every value sealed: `SqliteSaver(connection, serde=StrongroomSerializer(vault))`.

    A row that is not sealed is refused (`VaultTamperedError`), also one that says `null`; and the type of a value is
    sealed with it, so that nobody can have it read as another. Arguments are those of `JsonPlusSerializer`. It is one
    by birth, for LangGraph wraps other serializers anew when it narrows their allowlists.
    """

    def __init__(self, vault: Vault, *, box: str = "main", **arguments: Any) -> None:
        super().__init__(**arguments)
        self._cipher = StrongroomCipher(vault, box=box)

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Serialize and seal."""
        kind, plaintext = super().dumps_typed(obj)
        name, sealed = self._cipher.encrypt(kind.encode() + b"\x00" + plaintext)
        return f"{kind}+{name}", sealed

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Open and load.

        Raises:
            VaultTamperedError: the row is not sealed, or not as it was.
        """
        label: Any = data[0]  # what a forger wrote into the row may be of any type
        sealed = data[1]
        kind, plus, name = label.partition("+") if isinstance(label, str) else ("", "", "")
        if not plus:
            raise VaultTamperedError(_CLEAR)
        said, _, plaintext = self._cipher.decrypt(name, sealed).partition(b"\x00")
        if said != kind.encode("utf-8", "replace"):
            raise VaultTamperedError(_CLEAR)
        return super().loads_typed((kind, plaintext))

    def __repr__(self) -> str:
        return f"StrongroomSerializer({self._cipher!r})"
