"""Print the README's command of the given name: the fence after `<!-- command: NAME -->`."""

import re
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def main(name: str) -> None:
    """Print the command, or fail when there is none."""
    mark = re.escape(f"<!-- command: {name} -->")
    found = re.search(rf"^{mark}\n```sh\n(.+?)^```$", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    if found is None:
        sys.exit(f"README.md has no command {name!r}")
    print(found[1], end="")


if __name__ == "__main__":
    main(sys.argv[1])
