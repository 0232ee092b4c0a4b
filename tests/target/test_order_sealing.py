"""Orders that go from worker to worker through the ledger come out as they went in, and only for those who may."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from target_zoho_crm.api.access_token import Credentials
from target_zoho_crm.batch import Entry
from target_zoho_crm.delivery.order_sealing import OrderSealing

OURS = OrderSealing(Credentials("client", "secret", "token"), "a ledger")

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers() | texts | st.binary()
scalars |= st.decimals(allow_nan=False, allow_infinity=False) | st.floats(allow_nan=False)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
entries = st.builds(Entry, texts, st.lists(values, max_size=4).map(tuple), texts)


def shown(value: object) -> str:
    """A value with its type: 7, 7.0 and Decimal("7.00") are not the same."""
    return repr(value)


@given(st.dictionaries(texts, entries, max_size=5))
def test_every_value_comes_back_as_it_was(orders: dict[str, Entry]) -> None:
    rows = OURS.opened(OURS.seal(orders))
    assert rows is not None
    assert rows.keys == list(orders)
    assert rows.versions == [each.version for each in orders.values()]
    assert shown(rows.values) == shown([each.values for each in orders.values()])
    assert (rows.contents or [""] * len(orders)) == [each.content for each in orders.values()]


def test_nothing_of_an_order_can_be_read_and_other_credentials_open_none() -> None:
    sealed = OURS.seal({"SO-1": Entry("v1", ("Zoë", Decimal("7.00")))})
    assert b"SO-1" not in sealed
    assert OrderSealing(Credentials("client", "another", "token"), "a ledger").opened(sealed) is None
    assert OrderSealing(Credentials("client", "secret", "token"), "another ledger").opened(sealed) is None
