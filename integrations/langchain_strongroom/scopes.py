"""Whose memories an agent works with: a namespace, filled in from the context of the run.

A label is filled in as a whole, so that nobody's id can spell another namespace; what is missing is an error, never
somebody else's memories.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vault_core.errors import InvalidInputError

Namespace = tuple[str, ...]
NamespaceOf = Sequence[str] | Callable[[Any], Sequence[str]]

_FIELD = re.compile(r"\{(\w+)\}")


class Scope:
    """A namespace that may depend on the run: labels such as `"{user_id}"`, or a function of the runtime."""

    def __init__(self, namespace: NamespaceOf) -> None:
        if isinstance(namespace, str) or not (callable(namespace) or isinstance(namespace, Sequence)):
            raise InvalidInputError('a namespace is a tuple of labels such as ("agents", "{user_id}"), or a function')
        if not callable(namespace):
            for label in namespace:
                _check_label(label)
        self._namespace = namespace

    def of(self, runtime: Any) -> Namespace:
        """The namespace of one run.

        Raises:
            InvalidInputError: the run's context lacks what the namespace names.
        """
        if callable(self._namespace):
            given = self._namespace(runtime)
            if isinstance(given, str) or not isinstance(given, Sequence):
                raise InvalidInputError("the function for the namespace must give a tuple of labels")
            return tuple(given)
        return tuple(_filled(label, getattr(runtime, "context", None)) for label in self._namespace)


def _check_label(label: Any) -> None:
    if not isinstance(label, str) or not label:
        raise InvalidInputError("a label of a namespace is text that is not empty")
    if ("{" in label or "}" in label) and not _FIELD.fullmatch(label):
        raise InvalidInputError('a label is text, or one field of the context such as "{user_id}", not both')


def _filled(label: str, context: Any) -> str:
    field = _FIELD.fullmatch(label)
    if field is None:
        return label
    value = context.get(field[1]) if isinstance(context, Mapping) else getattr(context, field[1], None)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise InvalidInputError(
            f"the run's context has no {field[1]!r} for the namespace; pass context={{{field[1]!r}: …}} to invoke"
        )
    return str(value)
