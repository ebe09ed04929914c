"""What a careless caller may send."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)

patiently = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""On a machine with other things to do, a slow example is no failure."""
