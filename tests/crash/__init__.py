"""Power cuts, kills and traced writes: what a vault must survive, and what it must never write."""
