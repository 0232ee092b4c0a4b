"""Further breaks, each of the whole way of an order: plugins, database and emulator."""

from __future__ import annotations

from breaks.break_list import Break

FURTHER: tuple[Break, ...] = (
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
        "jobs-insert-in-place-of-upserting",
        "target_zoho_crm/writing/csv_files.py",
        old='        "operation": operation.value,\n',
        new='        "operation": "insert",\n',
        tests=("tests/pair/test_refusals.py::test_an_answer_lost_after_its_effect_doubles_nothing",),
    ),
    Break(
        "links-are-added-again",
        "target_zoho_crm/links/link_follow_up.py",
        old="                if not there:\n",
        new="                if wanted:\n",
        tests=("tests/target/test_links.py::test_an_order_that_is_written_again_has_each_link_once",),
    ),
    Break(
        "links-of-an-adopted-job-are-taken-for-written",
        "target_zoho_crm/links/link_follow_up.py",
        old="        return with_failures(outcomes, {outcome.key: [failure] for outcome in outcomes})\n",
        new="        return outcomes if failure else []\n",
        tests=("tests/target/test_links.py::test_a_run_killed_among_its_links_is_made_up_for_by_the_next",),
    ),
    Break(
        "jobs-that-add-rows-are-created-twice",
        "target_zoho_crm/writing/child_jobs.py",
        old="attempts = 1 if child.adds_rows else CREATE_ATTEMPTS",
        new="attempts = CREATE_ATTEMPTS",
        tests=("tests/target/test_links.py::test_a_job_of_links_without_an_answer_is_not_created_again",),
    ),
    Break(
        "locks-of-live-runs-are-overlooked",
        "sync_ledger/leases.py",
        old='lock_name = f"{stream} {partition.name}"',
        new='lock_name = f"{stream} {partition.name} {run_id}"',
        tests=("tests/faults/test_meltano.py::test_two_meltano_runs_at_once",),
    ),
    Break(
        "jobs-of-an-earlier-split-are-nobodys",
        "sync_ledger/recovery.py",
        old="partition.is_disjoint_from(run.c.partition_name)",
        new="run.c.partition_name != partition.name",
        tests=(
            "tests/pair/test_partitioned_pairs.py::test_another_split_takes_over_what_an_earlier_one_left_in_flight",
        ),
    ),
    Break(
        "a-call-that-adds-rows-is-repeated",
        "target_zoho_crm/lines/subform_lines.py",
        old="repeat=Repeat.ONCE if any(order.adds for order in call) else Repeat.SAFE,",
        new="repeat=Repeat.SAFE,",
        tests=("tests/pair/test_line_faults.py::test_a_lost_answer_to_a_call_of_lines_doubles_none",),
    ),
    Break(
        "surplus-lines-stay",
        "target_zoho_crm/lines/existing_lines.py",
        old="if key not in wanted.get(line.order_id, ()) or (line.order_id, key) in seen:",
        new="if (line.order_id, key) in seen:",
        tests=("tests/pair/test_whole_orders.py::test_load_and_change_each_repeated_after_a_kill",),
    ),
    Break(
        "refusals-of-a-repeated-insert-are-believed",
        "target_zoho_crm/writing/insertion.py",
        old="return outcomes if attempt == 1 else self.judge(outcomes, job)",
        new="return outcomes",
        tests=("tests/pair/test_operation.py::test_a_lost_answer_to_an_insert_is_no_refusal",),
    ),
    Break(
        "another-orders-record-is-no-conflict",
        "target_zoho_crm/confirmation/key_conflicts.py",
        old="refused.append(_conflict(outcome, rivals) if rivals else outcome)",
        new="refused.append(outcome)",
        tests=("tests/pair/test_key_conflicts.py::test_an_order_in_another_orders_record_is_a_conflict_of_both",),
    ),
    Break(
        "flags-are-set-for-any-version",
        "sync_databases/flag_statements.py",
        old='            self._version_text == sa.bindparam("version", type_=exact),\n',
        new='            self._version_text >= sa.bindparam("version", type_=exact),\n',
        tests=(
            "tests/pair/test_sync_flag.py::test_each_order_in_flight_is_changed_meanwhile_and_in_the_end_all_are_in_the_crm_and_flagged",
            "tests/faults/test_sync_flag_at_full_size.py::test_sixty_thousand_orders_each_changed_while_in_flight",
        ),
    ),
    Break(
        "the-target-without-comparison-compares",
        "tests/flag_without_compare.py",
        old="    _set(self, connection, {key: row[0] for key, row in now.items() if row is not None})\n",
        new="    _set(self, connection, {key: versions[key] for key, row in now.items() if row is not None})\n",
        tests=("tests/pair/test_sync_flag.py::test_the_check_fails_where_the_comparison_is_taken_out",),
    ),
    Break(
        "an-undone-flag-is-not-noticed",
        "target_zoho_crm/confirmation/sync_flags.py",
        old="if self._state(connection, witness) != (versions[witness], False):",
        new="if self._state(connection, witness) is None:",
        tests=(
            "tests/pair/test_sync_flag.py::test_a_trigger_that_takes_the_flag_for_a_change_ends_the_run_and_the_order_is_sent_once",
        ),
    ),
    Break(
        "overtaken-input-is-sent",
        "sync_ledger/leases.py",
        old="if latest is not None and latest > read_since:",
        new="if latest is None and read_since is None:",
        tests=("tests/pair/test_main_job.py::test_what_another_run_may_have_overtaken_is_not_sent",),
    ),
    Break(
        "refused-lines-are-overlooked",
        "target_zoho_crm/writing/child_failures.py",
        old="    if not failures:\n        return list(outcomes)\n",
        new="    if outcomes or failures:\n        return list(outcomes)\n",
        tests=("tests/pair/test_line_faults.py::test_a_line_that_zoho_refuses_is_named_and_its_order_is_not_synced",),
    ),
    Break(
        "the-refused-field-is-not-named",
        "target_zoho_crm/confirmation/outcomes.py",
        old="    field = fields_of(details)\n",
        new="    field = None\n",
        tests=("tests/pair/test_refusals.py::test_good_orders_go_and_each_bad_one_is_named",),
    ),
    Break(
        "retried-orders-are-not-due",
        "sync_ledger/decisions.py",
        old='values = {"status": AckStatus.REJECTED.value, "next_attempt_at": now, "attempts": 0}',
        new='values = {"status": AckStatus.REJECTED.value, "next_attempt_at": None, "attempts": 0}',
        tests=(
            "tests/orders_sync/test_order_commands.py::test_a_refused_order_is_seen_mended_in_the_crm_retried_and_then_synced",
        ),
    ),
    Break(
        "orders-are-never-parked",
        "target_zoho_crm/confirmation/retries.py",
        old="if attempts >= max_attempts:",
        new="if attempts < 0:",
        tests=("tests/pair/test_refusals.py::test_an_order_is_not_tried_for_ever",),
    ),
    Break(
        "refusals-that-pass-are-not-due-again",
        "target_zoho_crm/confirmation/retries.py",
        old="    if attempts <= 1:\n        return now\n",
        new="    if attempts <= 1:\n        return None\n",
        tests=("tests/pair/test_refusals.py::test_rows_that_a_job_never_tried_are_due_again_in_the_next_run",),
    ),
    Break(
        "a-failed-job-blames-its-orders",
        "target_zoho_crm/writing/job_steps.py",
        old="status=Status.REJECTED, code=code, family=Family.TRANSIENT)",
        new="status=Status.REJECTED, code=code, family=Family.DATA)",
        tests=("tests/pair/test_refusals.py::test_a_job_that_fails_as_a_whole_blames_no_order",),
    ),
    Break(
        "nothing-is-searched",
        "target_zoho_crm/writing/split_call.py",
        old="        for key in find_failing(list(self.unsent), self._passes):\n",
        new="        for key in find_failing(list(self.unsent)[:0], self._passes):\n",
        tests=(
            "tests/pair/test_poison.py::test_poison_in_calls_is_found_within_sixty_extra_calls",
            "tests/pair/test_poison.py::test_poison_in_jobs_is_found_within_two_extra_jobs_and_sixty_extra_calls",
        ),
    ),
    Break(
        "an-outage-is-searched",
        "target_zoho_crm/writing/split_call.py",
        old="if self._unattributed.maybe_outage and self.unsent:",
        new="if not self.unsent:",
        tests=("tests/pair/test_poison.py::test_an_outage_is_not_searched_through",),
    ),
    Break(
        "denied-tokens-are-asked-for-again",
        "sync_ledger/retry_schedules.py",
        old="TOKENS_DENIED_SECONDS = 600.0",
        new="TOKENS_DENIED_SECONDS = 100_000.0",
        tests=(
            "tests/pair/test_denied_tokens.py::test_a_token_that_ends_in_mid_run_and_is_not_renewed_blames_no_order",
        ),
    ),
    Break(
        "faults-of-the-set-up-count-against-orders",
        "target_zoho_crm/writing/job_steps.py",
        old="            self._ledger.give_back(job, code)\n            raise request_error(",
        new="            return None\n            raise request_error(",
        tests=("tests/pair/test_refusals.py::test_a_fault_of_the_set_up_counts_against_no_order",),
    ),
    Break(
        "rows-left-out-for-a-full-storage-are-kept-in-flight",
        "target_zoho_crm/confirmation/recorder.py",
        old="        confirmed = self._ledger.confirm(outcomes, channel, job, payload_hashes)\n",
        new=(
            "        outcomes = [each for each in outcomes if each.status is not Status.UNSYNCED]\n"
            "        confirmed = self._ledger.confirm(outcomes, channel, job, payload_hashes)\n"
        ),
        tests=(
            "tests/pair/test_refusals.py::test_a_full_storage_leaves_the_rows_of_a_job_due_and_not_in_flight_for_ever",
        ),
    ),
    Break(
        "jobs-at-zoho-are-not-counted",
        "target_zoho_crm/writing/workers.py",
        old="self.at_zoho = threading.BoundedSemaphore(most_jobs)",
        new="self.at_zoho = threading.BoundedSemaphore(most_jobs + 1)",
        tests=("tests/pair/test_main_job.py::test_zoho_has_no_more_jobs_at_a_time_than_max_jobs",),
    ),
    Break(
        "heavy-calls-are-not-limited",
        "target_zoho_crm/api/limits.py",
        old="and (not upsert or self._upserts < UPSERTS_AT_ONCE)",
        new="and (not upsert or self._upserts <= UPSERTS_AT_ONCE)",
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
        "target_zoho_crm/writing/delete_settings.py",
        old="        if not deleted:\n            return None\n",
        new="        if deleted:\n            return None\n",
        tests=("tests/pair/test_deletions.py::test_an_emptied_table_deletes_nothing",),
    ),
    Break(
        "what-a-signal-cut-short-is-nobodys",
        "sync_ledger/recovery.py",
        old="orphans = _look_up(ledger, _begun(ledger.tables, lease.partition), lease.stream)",
        new="orphans: list[JournalledJob] = []",
        tests=("tests/faults/test_signals.py::test_a_run_that_a_signal_met_loses_nothing",),
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
)
