"""Breaks of the promise: What else is promised."""

from __future__ import annotations

from breaks.one_break import Break

OTHER_PROMISES: tuple[Break, ...] = (
    Break(
        "two-watchers-tell-the-same",
        "sync_ledger/alerts.py",
        old="        return self._ledger.transact(once) == 1\n",
        new="        self._ledger.transact(once)\n        return True\n",
        tests=("tests/orders_sync/test_watch.py::test_two_watchers_tell_once_and_a_dead_one_keeps_nothing_back",),
    ),
    Break(
        "the-end-of-an-alert-is-kept-back",
        "sync_ledger/alerts.py",
        old="    return row.sent_at is not None or row.claimed_at is not None",
        new="    return row.sent_at is not None",
        tests=(
            "tests/orders_sync/test_watch.py::test_the_end_is_told_where_a_dead_watcher_may_have_told_the_beginning",
        ),
    ),
    Break(
        "any-page-may-decide",
        "orders_sync/live_page/server.py",
        old="        if not hosts <= self._hosts:",
        new="        if False:",
        tests=("tests/orders_sync/test_ui.py::test_nobody_else_decides",),
    ),
    Break(
        "order-text-acts-in-logs",
        "sync_databases/displayed_text.py",
        old="if not message.isprintable():",
        new="if not message:",
        tests=("tests/pair/test_order_text_is_data.py::test_a_key_that_would_act_is_shown_and_does_nothing",),
    ),
    Break(
        "slow-clients-keep-their-connections",
        "orders_sync/callback_receiver/callback_connections.py",
        old="if len(opened) > most:",
        new="if len(opened) > 10**9:",
        tests=(
            "tests/orders_sync/test_callback_connections.py::test_1100_slow_clients_make_the_receiver_deaf_to_nobody",
        ),
    ),
    Break(
        "any-host-may-see-the-token",
        "target_zoho_crm/api/transport.py",
        old="if not settings.endpoints.may_see_token(call.url):",
        new="if not call.url:",
        tests=("tests/target/test_hosts.py::test_the_token_goes_to_no_stranger",),
    ),
    Break(
        "tokens-are-logged",
        "target_zoho_crm/api/transport.py",
        old="            since = self._credits.reserve(call.credits, call.kind)\n",
        new=(
            "            since = self._credits.reserve(call.credits, call.kind)\n"
            '            logger.debug("%s by %s", call.where, token.value)\n'
        ),
        tests=("tests/target/test_hosts.py::test_neither_tokens_nor_records_are_logged_on_any_level",),
    ),
    Break(
        "calls-at-once-are-not-limited",
        "target_zoho_crm/api/limits.py",
        old="return self._calls < self._window.size and",
        new="return self._calls >= 0 and",
        tests=("tests/target/test_client.py::test_how_many_calls_go_at_once_is_learned_from_what_zoho_refuses",),
    ),
    Break(
        "calls-go-where-jobs-cost-less",
        "target_zoho_crm/writing/routing.py",
        old="else by_calls >= by_job",
        new="else by_calls >= by_job + 10",
        tests=(
            "tests/target/test_routing_minimum.py::test_without_lines",
            "tests/target/test_routing_minimum.py::test_with_lines",
        ),
    ),
    Break(
        "jobs-at-zoho-are-not-counted",
        "target_zoho_crm/writing/workers.py",
        old="self.at_zoho = Places(most_jobs, stop)",
        new="self.at_zoho = Places(most_jobs + 1, stop)",
        tests=("tests/pair/test_main_job.py::test_zoho_has_no_more_jobs_at_a_time_than_max_jobs",),
    ),
    Break(
        "heavy-calls-are-not-limited",
        "target_zoho_crm/api/places.py",
        old="if self._taken >= self._granted:",
        new="if self._taken > self._granted:",
        tests=("tests/target/test_client.py::test_zohos_limit_of_calls_at_once_is_kept",),
    ),
    Break(
        "settings-stay-on-the-session",
        "sync_databases/transaction_start.py",
        old='(f"SET LOCAL {setting}" for setting in self._settings)',
        new='(f"SET {setting}" for setting in self._settings)',
        tests=("tests/pair/test_transaction_pooler.py::test_a_run_leaves_nothing_on_a_shared_session",),
    ),
    Break(
        "the-session-stays-read-only",
        "sync_databases/transaction_start.py",
        old='mode = " READ ONLY" if self._read_only else ""',
        new='mode = "; SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY" if self._read_only else ""',
        tests=(
            "tests/pair/test_transaction_pooler.py::test_orders_are_followed_through_a_pooler_while_the_shop_writes_by_the_same_session",
        ),
    ),
    Break(
        "an-emptied-table-empties-the-crm",
        "tap_legacy_orders/deleted_orders.py",
        old="if not checked and self._table_is_empty():",
        new="if checked and self._table_is_empty():",
        tests=("tests/pair/test_deletions.py::test_an_emptied_table_deletes_nothing",),
    ),
    Break(
        "the-guard-lets-any-number-through",
        "tap_legacy_orders/change_guard.py",
        old="        if len(self._changed) > most:",
        new="        if False:",
        tests=(
            "tests/pair/test_change_guard.py::test_an_update_of_too_many_orders_writes_none",
            "tests/pair/test_change_guard.py::test_deletions_count_as_changes_and_none_is_made",
        ),
    ),
    Break(
        "a-column-that-never-rests-is-written-for-ever",
        "tap_legacy_orders/restless_columns.py",
        old="        if again:",
        new="        if False:",
        tests=(
            "tests/pair/test_restless_columns.py::test_a_column_that_differs_in_each_comparison_is_named_and_stops_the_second_one",
        ),
    ),
    Break(
        "resent-orders-stay-synced",
        "sync_ledger/resending.py",
        old="status=AckStatus.REJECTED.value,",
        new="status=AckStatus.SYNCED.value,",
        tests=("tests/pair/test_resend.py::test_named_orders_are_written_once_more_although_nothing_changed",),
    ),
    Break(
        "a-deletion-takes-whatever-has-the-id",
        "target_zoho_crm/delivery/deletions.py",
        old="if not found or fold(str(found)) == fold(key):",
        new="if True:",
        tests=("tests/pair/test_deletions.py::test_a_record_that_holds_another_key_by_now_is_not_deleted",),
    ),
    Break(
        "undone-orders-are-written-before-they-are-released",
        "target_zoho_crm/delivery/held_orders.py",
        old="if not self._any or not entries:",
        new="if entries is not None:",
        tests=("tests/pair/test_undo.py::test_what_a_run_inserted_is_deleted_and_held_until_it_is_released",),
    ),
    Break(
        "undo-overwrites-people",
        "orders_sync/undoing/judging.py",
        old="    if who is not None:",
        new="    if False:",
        tests=(
            "tests/pair/test_undo.py::test_what_people_and_later_runs_wrote_since_is_kept_and_they_are_named",
            "tests/pair/test_undo_changes.py::test_of_what_a_run_changed_it_is_kept_what_people_and_later_runs_wrote_since",
        ),
    ),
    Break(
        "a-killed-undo-lets-its-orders-go",
        "sync_ledger/undoing.py",
        old="            _hold(connection, tables.ack, lease, keys, now)",
        new="            pass",
        tests=("tests/pair/test_undo.py::test_an_undo_that_was_killed_goes_on_and_no_run_writes_its_orders_meanwhile",),
    ),
    Break(
        "undo-forgets-who-changed-records-between-two-runs",
        "orders_sync/undoing/judging.py",
        old="    if known.later.person is not None:",
        new="    if False:",
        tests=("tests/pair/test_undo_changes.py::test_with_later_runs_undone_what_people_changed_between_stays",),
    ),
)
