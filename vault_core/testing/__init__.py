"""What stores and adapters are tested with: the conformance suite, faults, a clock and an embedder that obey.

Needs the extra `test`. A store's test file is a fixture and a subclass:

```python
class TestMyStore(StoreConformance):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return MyPlace(tmp_path)
```
"""

try:
    import pytest
except ImportError as error:
    raise ImportError("vault_core.testing needs pytest: pip install 'strongroom[test]'") from error

pytest.register_assert_rewrite("vault_core.testing.conformance")  # before its import: failures then show values

from vault_core.testing.clock import FakeClock  # noqa: E402  after the registration above
from vault_core.testing.conformance import Place, StoreConformance  # noqa: E402
from vault_core.testing.embedder import FakeEmbedder  # noqa: E402
from vault_core.testing.faults import Crashed, Fault, FaultPlan, FaultyStore, NetworkFault  # noqa: E402

__all__ = [
    "Crashed",
    "FakeClock",
    "FakeEmbedder",
    "Fault",
    "FaultPlan",
    "FaultyStore",
    "NetworkFault",
    "Place",
    "StoreConformance",
]
