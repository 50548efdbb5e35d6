"""One contender in a process of its own: `python -m benchmarks.child NAME FOLDER`.

Reads one JSON request a line, `{"do": method, "with": arguments}`, and answers with `{"gives": result}`,
`{"missing": why}` or `{"failed": why}`. What libraries print goes to standard error instead.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, TextIO

from benchmarks.contenders import make


def main(name: str, folder: Path) -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    before = resident()
    try:
        contender = make(name, folder)
    except ImportError as error:
        _say(answers, {"missing": f"{error.name or name} is not installed"})
        return
    except Exception as error:  # noqa: BLE001  another project's code: whatever it is, the others go on
        _say(answers, {"failed": f"{type(error).__name__}: {error}"})
        return
    _say(answers, {"gives": dict(contender.versions())})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "resident":
                result: Any = {"before": before, **resident()}
            else:
                result = getattr(contender, request["do"])(**request["with"])
        except Exception as error:  # noqa: BLE001  as above
            _say(answers, {"failed": f"{type(error).__name__}: {error}"})
            return
        _say(answers, {"gives": result})


def resident() -> dict[str, float]:
    """Bytes of memory this process has now and had at most; empty where the system doesn't say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return {}
    found = {line.split(":")[0]: float(line.split()[1]) * 1024 for line in lines if line.startswith("Vm")}
    return {"now": found["VmRSS"], "peak": found["VmHWM"]}


def _say(answers: TextIO, answer: Any) -> None:
    answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
