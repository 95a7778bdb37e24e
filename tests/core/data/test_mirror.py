from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_xseg.data.mirror import mirror_indices


@given(st.integers(1, 40), st.integers(0, 100), st.integers(0, 100))
def test_as_numpys_reflect(length: int, before: int, after: int) -> None:
    expected = np.pad(np.arange(length), (before, after), mode="reflect")
    np.testing.assert_array_equal(mirror_indices(-before, length + after, length), expected)


@given(st.integers(1, 20), st.integers(-50, 50), st.integers(0, 50))
def test_any_stretch_is_a_part_of_the_whole(length: int, start: int, size: int) -> None:
    whole = mirror_indices(-60, 120, length)
    np.testing.assert_array_equal(
        mirror_indices(start, start + size, length), whole[start + 60 : start + 60 + size]
    )
