"""Keys as Zoho's unique field compares them: one look at all of them finds what each alone would show."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from target_zoho_crm.mapping.key_folding import KeyFolding

KEYS = st.lists(st.text("aA1 \t-", min_size=1, max_size=4), max_size=6)


@given(KEYS, st.booleans())
@example(keys=["1", "1 "], folds_case=True)
@example(keys=[" 1"], folds_case=False)
def test_changed_keys_are_those_that_fold_to_something_else(keys: list[str], folds_case: bool) -> None:  # noqa: FBT001
    folding = KeyFolding(folds_case=folds_case)
    assert folding.changed(keys) == {key: folding.fold(key) for key in keys if folding.fold(key) != key}
    assert list(folding.folded(keys)) == [folding.fold(key) for key in keys]
