"""What the product's own tests share."""

import os

FULL = bool(os.environ.get("STRONGROOM_TEST_FULL"))  # every case of the long tests, not a selection
