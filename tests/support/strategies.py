"""Values of the product's own kinds, for property tests."""

from datetime import UTC, datetime

import numpy as np
from hypothesis import strategies as st

from vault_core.memory.model import TIERS, Draft

characters = st.characters(exclude_categories=["Cs"])
texts = st.text(characters, max_size=40)
labels = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
units = st.floats(0, 1, allow_nan=False)
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
moments = st.datetimes(_FIRST.replace(tzinfo=None), _LAST.replace(tzinfo=None), timezones=st.just(UTC))
micros = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
json_objects = st.dictionaries(texts, json_values, max_size=4)
contents = (
    st.text(characters, min_size=1, max_size=200).filter(lambda text: text.strip() and "\0" not in text)
    | json_objects
    | st.lists(json_values, max_size=4)
)
vectors = st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3).map(lambda v: np.array(v, np.float32))
fields = st.dictionaries(st.just("") | labels, vectors, min_size=1, max_size=3)

drafts = st.builds(
    Draft,
    content=contents,
    id=labels,
    namespace=st.lists(labels, max_size=4).map(tuple),
    memory_type=st.none() | labels,
    tags=st.lists(labels, max_size=4).map(tuple),
    metadata=st.none() | json_objects,
    importance=st.none() | units,
    confidence=st.none() | units,
    sensitivity=st.none() | labels,
    source=st.none() | labels,
    thread=st.none() | labels,
    event_time=st.none() | moments,
    valid_from=st.none() | moments,
    valid_to=st.none() | moments,
    expires_at=st.none() | moments,
    slot=st.none() | st.tuples(labels, labels),
    supersedes=st.lists(labels, max_size=3).map(tuple),
    emotional_intensity=st.none() | units,
    valence=st.none() | st.floats(-1, 1, allow_nan=False),
    data_class=st.none() | labels,
    tier=st.sampled_from(TIERS),
    vectors=st.none() | st.dictionaries(labels, fields, max_size=2),
    index=st.none() | st.booleans() | st.dictionaries(labels, keys, max_size=2),
    reason=st.none() | labels,
)
