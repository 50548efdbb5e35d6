"""`strongroom add`: a memory from the command line, or one for each line of standard input."""

import json
import sys
import time
from typing import Annotated, Any

import typer

from vault_core import Draft, Vault
from vault_core.cli import codes, options, unlock
from vault_core.cli.interrupts import Interrupts
from vault_core.cli.lines import Line, LineReader
from vault_core.cli.output import Bar, as_json as json_line
from vault_core.cli.output import note, note_json, safe, say, say_json
from vault_core.errors import InvalidInputError, VaultError
