"""`strongroom store`: places where vaults can live."""

from typing import Annotated

import typer

from vault_core.cli import options
from vault_core.cli.output import safe, say, say_json
from vault_core.errors import InvalidInputError
from vault_core.store.location import without_password

store = typer.Typer(name="store", rich_markup_mode=None, help="Prepare a place where vaults can live.")


@store.callback()
def _group() -> None:
    """A group of its own, although it has one command so far."""


@store.command()
def init(
    url: Annotated[str, typer.Argument(metavar="URL", help="The database: postgresql://user@host:port/database.")],
    role: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Let this role keep vaults there; it is made if it is missing."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    r"""Make a PostgreSQL database ready for vaults: tables, privileges, row-level security.

    It may be run again at any time, after an upgrade of strongroom for instance. A role sees its own vaults and no
    others. One that is made here has no password yet: psql's `\password NAME` gives it one.
    """
    _check(url)
    try:
        from vault_core.store.postgres import init as make_ready
    except ModuleNotFoundError:
        raise InvalidInputError("postgresql:// needs a client: pip install 'strongroom[postgres]'") from None
    made = make_ready(url, role=role)
    if as_json:
        say_json({"tables": made.tables, "role": role, "role_made": made.role})
        return
    say("made the tables for vaults" if made.tables else "the tables for vaults are there already")
    if role is not None:
        say(f"{'made' if made.role else 'let in'} the role {safe(role)}")
    say("make a vault with: strongroom init --vault 'URL?vault=NAME'")


def _check(url: str) -> None:
    """Refuse what is no database."""
    if without_password(url).partition("://")[0] not in ("postgresql", "postgres"):
        raise InvalidInputError("only a database needs this: postgresql://user@host:port/database")
