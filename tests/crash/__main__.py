"""`python -m tests.crash --states 1000000`: many power cuts, and a table of what came of them."""

import sys
from pathlib import Path

# Under this name the folder `tests` is not on the path, and `crash` must exist only once.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == "__main__":
    from crash.run import main

    sys.exit(main())
