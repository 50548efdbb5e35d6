"""One change of a text: what is cut, and what comes in its place."""

from dataclasses import dataclass


class UneditableError(Exception):
    """The text can't be changed safely; the message says why."""


@dataclass(frozen=True, slots=True)
class Splice:
    """Put `new` in the place of `text[start:end]`."""

    start: int
    end: int
    new: str

    def applied(self, text: str) -> str:
        """The text with the change."""
        return text[: self.start] + self.new + text[self.end :]

    def shown(self, text: str) -> list[str]:
        """The lines that go and come. Their neighbours are not shown: they may hold other servers' secrets."""
        gone, come = text[self.start : self.end], self.new
        return [f"- {line}" for line in _lines(gone)] + [f"+ {line}" for line in _lines(come)]


def _lines(text: str) -> list[str]:
    return [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
