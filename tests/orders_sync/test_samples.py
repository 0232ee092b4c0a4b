"""What a sample says of all orders is what statistics says of it."""

from __future__ import annotations

from collections import Counter

import pytest

from orders_sync.comparison.samples import sample_of, share_at_most


@pytest.mark.parametrize(
    ("found", "looked_at", "percent"), [(0, 1_000, 0.299), (0, 59, 4.95), (1, 100, 4.66), (10, 10, 100)]
)
def test_the_bound_is_that_of_clopper_and_pearson(found: int, looked_at: int, percent: float) -> None:
    assert share_at_most(found, looked_at) * 100 == pytest.approx(percent, abs=0.01)


def test_every_order_is_as_likely_as_any_other_to_be_in_a_sample() -> None:
    pages = [[str(number) for number in range(start, start + 5)] for start in range(0, 20, 5)]
    counted = Counter(key for _ in range(4_000) for key in sample_of(pages, 4)[0])
    assert set(counted) == {key for page in pages for key in page}
    assert all(600 < count < 1_000 for count in counted.values()), counted  # 800 each; six deviations
    assert sample_of(pages, 100) == ([key for page in pages for key in page], 20)
