"""Breaks of the promise: An order is never lost."""

from __future__ import annotations

from breaks.one_break import Break

LOST_ORDERS: tuple[Break, ...] = (
    Break(
        "a-restored-ledger-is-not-noticed",
        "sync_ledger/identity.py",
        old="if row is None or (row.settlements or 0) < mark.settlements:",
        new="if False:",
        tests=(
            "tests/pair/test_set_ups.py::test_orders_written_since_the_backup_of_a_restored_ledger_are_looked_at_again",
        ),
    ),
    Break(
        "state-that-no-run-let-out-is-believed",
        "sync_ledger/identity.py",
        old="        return None if is_absent(ledger_id) else ",
        new="        return None if True else ",
        tests=("tests/pair/test_state_by_pipe.py::test_orders_that_another_program_took_from_the_tap_are_found",),
    ),
    Break(
        "state-passes-what-is-unsettled",
        "target_zoho_crm/confirmation/state_gate.py",
        old="while self._queue and not self._queue[0].waits_for:",
        new="while self._queue:",
        tests=("tests/target/test_settlement.py::test_the_law_of_state",),
    ),
    Break(
        "lookback-is-ignored",
        "tap_legacy_orders/ranges.py",
        old="windows.time_back(start, clock.now, zone, clock.lookback + tick, ahead=False)",
        new="windows.time_back(start, clock.now, zone, tick, ahead=False)",
        tests=("tests/tap/test_selection.py::test_an_order_committed_late_is_found_within_the_lookback",),
    ),
    Break(
        "contents-are-not-compared",
        "tap_legacy_orders/page_reader.py",
        old="compares = stretch.in_window and comparing",
        new="compares = False",
        tests=(
            "tests/tap/test_windows.py::test_an_order_changed_without_another_version_is_sent_in_the_window_and_believed_outside",
            "tests/tap/test_windows.py::test_the_hour_that_repeats_itself_hides_no_change",
        ),
    ),
    Break(
        "earlier-forms-are-believed",
        "tap_legacy_orders/contents.py",
        old="self._earlier[name] = form if form is not None and self._has_all_of(form) else None",
        new="self._earlier[name] = None",
        tests=("tests/pair/test_forms_with_lines.py::test_a_line_that_changed_while_a_column_came_is_sent",),
    ),
    Break(
        "wide-looks-begin-where-quick-ones-came-to",
        "tap_legacy_orders/followed_orders.py",
        old="            if wide:\n                self._bookmark = page.bookmark or self._bookmark\n",
        new="            self._bookmark = page.bookmark or self._bookmark\n",
        tests=(
            "tests/tap/test_followed_orders.py::test_a_late_commit_behind_a_quick_look_is_found_by_the_next_wide_one",
        ),
    ),
    Break(
        "flags-are-set-for-what-changed-under-its-version",
        "target_zoho_crm/confirmation/sent_contents.py",
        old="return {key: self._rows.get(key) for key in keys if key in self._by_key} if self._by_key else {}",
        new="return {}",
        tests=(
            "tests/pair/test_equal_versions.py::test_no_flag_is_set_for_what_changed_in_flight_under_the_same_version",
        ),
    ),
    Break(
        "acks-are-ignored",
        "tap_legacy_orders/unsynced_queries.py",
        old="return sa.or_(ack.c.record_key.is_(None), changed)\n",
        new='return sa.literal_column("1") == sa.literal_column("1")\n',
        tests=("tests/tap/test_selection.py::test_a_full_table_run_reconciles_everything_and_resends_nothing",),
    ),
    Break(
        "jobs-of-live-runs-are-adopted",
        "sync_ledger/recovery.py",
        old='run.c.stream == sa.bindparam("stream"), run.c.finished_at.is_not(None))',
        new='run.c.stream == sa.bindparam("stream"))',
        tests=("tests/ledger/test_runs.py::test_jobs_of_dead_runs_are_adopted_once_and_those_of_live_runs_never",),
    ),
    Break(
        "jobs-of-dead-runs-are-not-adopted",
        "sync_ledger/recovery.py",
        old="orphans = _look_up(ledger, _begun(ledger.tables, lease.partition), lease.stream)",
        new="orphans: list[JournalledJob] = []",
        tests=(
            "tests/ledger/test_runs.py::test_jobs_of_dead_runs_are_adopted_once_and_those_of_live_runs_never",
            "tests/pair/test_killed.py::test_the_next_run_completes_what_a_killed_run_began",
            "tests/pair/test_killed.py::test_orders_changed_while_their_job_outlived_its_run_are_sent_again",
            "tests/faults/test_signals.py::test_a_run_that_a_signal_met_loses_nothing",
        ),
    ),
    Break(
        "never-created-jobs-keep-their-orders",
        "sync_ledger/recovery.py",
        old="return sum(ledger.transact(partial(_release, ledger=ledger, orphan=orphan)) for orphan in orphans)",
        new="return len(orphans)",
        tests=("tests/ledger/test_runs.py::test_orders_of_a_job_that_was_never_created_are_due_at_once",),
    ),
    Break(
        "missed-flags-are-not-set",
        "target_zoho_crm/confirmation/recorder.py",
        old="        self._flags.set(outcomes, self._rows_sent(outcomes, adopted=False))\n",
        new="",
        tests=(
            "tests/pair/test_sync_flag.py::test_a_flag_that_a_kill_swallowed_is_set_by_the_next_run_which_sends_nothing",
            "tests/pair/test_sync_flag.py::test_a_set_up_that_changes_to_the_flag_sets_all_flags_and_sends_nothing",
        ),
    ),
    Break(
        "the-bookmark-passes-what-is-left-out",
        "tap_legacy_orders/page_reader.py",
        old="clamp = source.layout.replication(left_out[0])  #",
        new="clamp = None  #",
        tests=("tests/tap/test_selection.py::test_the_bookmark_never_passes_an_order_that_was_left_out",),
    ),
    Break(
        "the-key-field-is-not-named",
        "target_zoho_crm/writing/upsert_body.py",
        old='{"duplicate_check_fields": [mapping.key_field.api_name]} if operation is',
        new="{} if operation is",
        tests=("tests/pair/test_unforgivable.py::test_an_order_is_never_lost",),
    ),
    Break(
        "orders-just-changed-are-read",
        "tap_legacy_orders/ranges.py",
        old="too_recent_after = written(clock.now - clock.min_age - (",
        new="too_recent_after = written(clock.now + FUTURE_SLACK - (",
        tests=(
            "tests/tap/test_selection.py::test_an_order_changed_just_now_waits_and_one_dated_far_ahead_does_not_drag_the_bookmark",
        ),
    ),
    Break(
        "changed-orders-are-not-found",
        "tap_legacy_orders/unsynced_queries.py",
        old="return sa.or_(ack.c.record_key.is_(None), changed)\n",
        new="return ack.c.record_key.is_(None)\n",
        tests=(
            "tests/tap/test_law.py::test_exactly_the_unsynced_orders_are_streamed_and_none_left_out_is_passed",
            "tests/pair/test_main_job.py::test_first_load_then_changes_then_nothing",
            "tests/pair/test_main_job.py::test_an_order_changed_before_it_is_acked_ends_at_its_newest_version",
            "tests/faults/test_clock.py::test_orders_changed_after_the_clock_was_set_back_are_sent",
        ),
    ),
    Break(
        "read-files-are-removed-at-once",
        "target_zoho_crm/batch_file_reader.py",
        old="self._state_gate.when_settled(partial(self._remove, url))",
        new="self._remove(url)",
        tests=(
            "tests/pair/test_batch_files.py::test_files_stay_until_their_records_are_settled_and_unless_told_otherwise",
        ),
    ),
    Break(
        "a-spent-budget-is-spent-on",
        "target_zoho_crm/api/limits.py",
        old="            return max(0, min(limits)) if limits else None\n",
        new="            return None\n",
        tests=("tests/pair/test_budget.py::test_a_budget_for_nothing_sends_nothing_and_loses_nothing",),
    ),
    Break(
        "a-cut-connection-is-not-tried-again",
        "sync_databases/writable_database.py",
        old="                if over or not passing:\n",
        new="                if failures:\n",
        tests=(
            "tests/faults/test_database.py::test_a_ledger_connection_cut_at_commit_costs_no_order",
            "tests/faults/test_database.py::test_a_database_restart_in_mid_run_costs_no_order",
        ),
    ),
    Break(
        "a-full-disk-passes-for-written",
        "sync_databases/writable_database.py",
        old='                    raise DatabaseUnavailableError(\n                        f"the {self.what}',
        new='                    raise ValueError(\n                        f"the {self.what}',
        tests=("tests/faults/test_disk.py::test_no_room_for_sqlite",),
    ),
    Break(
        "orders-without-a-date-are-believed",
        "tap_legacy_orders/contents.py",
        old="return None if content == ack.content else Other(OTHER_CONTENT, content)",
        new="return None",
        tests=("tests/pair/test_change_detection.py::test_every_change_arrives_and_what_did_not_change_costs_nothing",),
    ),
    Break(
        "what-a-later-record-lacks-is-lost",
        "target_zoho_crm/delivery/buffer.py",
        old="if rows.partial:",
        new="if False:",
        tests=(
            "tests/target/test_singer_target.py::test_what_a_later_record_lacks_is_written_as_an_earlier_one_of_the_run_has_it",
        ),
    ),
    Break(
        "times-of-a-clock-years-ahead-are-kept",
        "sync_ledger/times_ahead.py",
        old="if ledger.with_retries(any_ahead):",
        new="if False:",
        tests=(
            "tests/ledger/test_times_ahead.py::test_an_order_is_due_and_has_failed_since_now",
            "tests/ledger/test_times_ahead.py::test_a_write_in_doubt_may_land_for_as_long_as_one_that_goes_out_now",
            "tests/ledger/test_times_ahead.py::test_a_job_is_as_old_as_one_that_is_created_now",
        ),
    ),
)
