"""The limits of the format (docs/format.md §9), each with its reason."""

MAX_CONTENT_BYTES = 1 << 20  # a memory is a thought, not a file; keeps a hit cheap to open
MAX_METADATA_BYTES = 1 << 20  # the catalogue holds it in RAM
MAX_LABELS = 32
MAX_LABEL_BYTES = 512  # ids, labels, tags, and the other short texts
MAX_TAGS = 256
MAX_VECTORS = 1024
MAX_DIMENSION = 16_384
MAX_KEY_BYTES = 1024
MAX_VALUE_BYTES = 32 << 20
MAX_RECORD_BYTES = 64 << 20  # a record is opened whole, in memory
MAX_COMMIT_RECORDS = 100_000  # bounds the clear part of an entry
MAX_COMMIT_BYTES = 1 << 30
