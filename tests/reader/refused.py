"""The one exception of the reader."""


class Refused(Exception):  # noqa: N818 - it names what the reader did with the vault
    """These bytes are not a vault of format 1 that the given secret opens.

    `error` is the name that docs/format.md gives the refusal.
    """

    def __init__(self, reason: str, *, error: str = "VaultTamperedError") -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error


def require(condition: object, reason: str) -> None:
    """Raise `Refused` unless the condition holds."""
    if not condition:
        raise Refused(reason)
