"""The list: what is changed in the product, and which tests must then fail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Break:
    """One promise broken: in `file`, the only place where `old` stands becomes `new`, and each of `tests` must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


BREAKS: tuple[Break, ...] = (
    Break(
        "state-passes-what-is-unsettled",
        "target_zoho_crm/confirmation/state_gate.py",
        old="while self._queue and not self._queue[0].waits_for:",
        new="while self._queue:",
        tests=("tests/target/test_settlement.py::test_the_law_of_state",),
    ),
    Break(
        "keys-in-flight-are-not-noted",
        "target_zoho_crm/confirmation/in_flight.py",
        old="self._flights.append(flight)",
        new="pass",
        tests=("tests/target/test_in_flight.py::test_a_newer_version_waits_until_the_older_one_has_landed",),
    ),
    Break(
        "lookback-is-ignored",
        "tap_legacy_orders/ranges.py",
        old="return clock.lookback + max(",
        new="return max(",
        tests=("tests/tap/test_selection.py::test_an_order_committed_late_is_found_within_the_lookback",),
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
        old="        self._flags.set(outcomes)\n",
        new="",
        tests=(
            "tests/pair/test_sync_flag.py::test_a_flag_that_a_kill_swallowed_is_set_by_the_next_run_which_sends_nothing",
            "tests/pair/test_sync_flag.py::test_a_set_up_that_changes_to_the_flag_sets_all_flags_and_sends_nothing",
        ),
    ),
    Break(
        "keys-are-not-folded",
        "target_zoho_crm/mapping/key_folding.py",
        old="return folded_key(shortest_number(key) if self.numbers else key, folds_case=self.folds_case)",
        new="return key",
        tests=("tests/pair/test_refusals.py::test_orders_whose_keys_zoho_takes_for_one_are_refused_by_name",),
    ),
    Break(
        "keys-are-folded-by-upper-case-alone",
        "sync_databases/folded_keys.py",
        old="if key.isascii():",
        new="if key:",
        tests=("tests/pair/test_whose_record.py::test_keys_that_some_folding_takes_for_one_are_refused_by_name",),
    ),
    Break(
        "calls-are-matched-by-other-fields",
        "target_zoho_crm/mapping/field_mapping.py",
        old="return any(each.field.unique and each.field != self.key_field for each in self.written)",
        new="return False",
        tests=(
            "tests/pair/test_whose_record.py::test_two_orders_with_one_value_of_another_unique_field_are_two",
            "tests/pair/test_whose_record.py::test_a_record_that_a_person_made_is_neither_taken_over_nor_renamed",
        ),
    ),
    Break(
        "orders-are-made-again-in-silence",
        "sync_ledger/acks.py",
        old='another = table.c.zoho_id != new("zoho_id")',
        new="another = sa.false()",
        tests=("tests/pair/test_whose_record.py::test_orders_that_are_made_again_are_counted_and_named_with_both_ids",),
    ),
    Break(
        "each-run-has-a-lock-of-its-own",
        "sync_ledger/leases.py",
        old='lock_name = f"{stream} {partition.name}"',
        new="lock_name = run_id",
        tests=("tests/pair/test_killed.py::test_a_second_run_ends_at_once_while_one_is_live",),
    ),
    Break(
        "a-lost-lease-is-not-noticed",
        "sync_ledger/leases.py",
        old="if self._lost.is_set() or connection.execute(self._beat, facts).rowcount != 1:",
        new="if connection.execute(self._beat, facts).rowcount > 1:",
        tests=(
            "tests/ledger/test_runs.py::test_a_sleeper_finds_its_lock_gone_before_it_sends_or_writes",
            "tests/pair/test_unforgivable.py::test_an_order_is_never_doubled",
        ),
    ),
    Break(
        "partitions-overlap",
        "sync_ledger/partitions.py",
        old="return total % _number(self.of) == _number(self.index - 1)",
        new="return total % _number(self.of) <= _number(self.index - 1)",
        tests=(
            "tests/tap/test_reading_by_partition.py::test_all_partitions_stream_what_one_run_streams_and_none_twice",
        ),
    ),
    Break(
        "letters-count-in-partitions",
        "sync_ledger/partitions.py",
        old='WEIGHTS = {"1": 249,',
        new='WEIGHTS = {"s": 1, "S": 2, "o": 1, "a": 1, "1": 249,',
        tests=("tests/ledger/test_partitions.py::test_keys_that_zoho_takes_for_one_are_in_one_share",),
    ),
    Break(
        "runs-of-other-splits-are-not-looked-for",
        "sync_ledger/leases.py",
        old="held = _holder(ledger, others)",
        new="held = None",
        tests=("tests/ledger/test_runs.py::test_of_splits_that_begin_at_one_moment_one_lives_at_most",),
    ),
    Break(
        "half-a-success-is-believed",
        "target_zoho_crm/confirmation/outcomes.py",
        old='if code == SUCCESS and status == "success":',
        new='if code == SUCCESS or status == "success":',
        tests=("tests/target/test_outcomes.py::test_a_success_that_is_not_beyond_doubt_is_none",),
    ),
    Break(
        "a-row-without-an-id-is-believed",
        "target_zoho_crm/writing/result_files.py",
        old="        if digits is not None:\n",
        new="        if action:\n",
        tests=("tests/target/test_result_files.py::test_a_row_that_is_not_beyond_doubt_is_no_success",),
    ),
    Break(
        "results-are-matched-by-place",
        "target_zoho_crm/writing/result_files.py",
        old="        key = KEY_SEPARATOR.join(row[: columns.key])\n",
        new="        key = list(manifest)[len(found) % len(manifest)]\n",
        tests=("tests/target/test_result_files.py::test_rows_are_told_apart_by_their_key_and_never_by_their_place",),
    ),
    Break(
        "of-two-rows-the-first-is-believed",
        "target_zoho_crm/writing/result_files.py",
        old="return one if one.zoho_id == other.zoho_id else refused(one.key, one.version, [_CONFLICT])",
        new="return one",
        tests=("tests/target/test_result_files.py::test_a_key_named_twice_is_no_success_unless_both_rows_agree",),
    ),
    Break(
        "shared-records-are-no-conflict",
        "target_zoho_crm/confirmation/key_conflicts.py",
        old="refused.append(_conflict(outcome, rivals) if rivals else outcome)",
        new="refused.append(outcome)",
        tests=("tests/pair/test_key_conflicts.py::test_two_orders_of_one_call_or_job_in_one_record_are_in_conflict",),
    ),
    Break(
        "a-match-by-the-key-is-a-conflict",
        "target_zoho_crm/confirmation/outcomes.py",
        old="if other and key_field is not None and other.casefold() != key_field.casefold():",
        new="if other and key_field is not None:",
        tests=("tests/pair/test_key_conflicts.py::test_orders_that_are_in_the_crm_already_are_no_conflict",),
    ),
    Break(
        "answers-of-another-count-are-believed",
        "target_zoho_crm/confirmation/outcomes.py",
        old="len(data) == count:\n        return data\n",
        new="data:\n        return (data * count)[:count]\n",
        tests=("tests/target/test_outcomes.py::test_an_answer_with_another_count_is_believed_in_nothing",),
    ),
    Break(
        "damaged-results-are-believed",
        "target_zoho_crm/writing/result_files.py",
        old='        raise _unreadable(f"it is damaged ({type(error).__name__})") from error',
        new='        return {key: Outcome(key, version, Status.SYNCED, "1") for key, version in manifest.items()}, []',
        tests=("tests/target/test_result_files.py::test_a_damaged_zip_never_gives_a_success_that_was_not_in_it",),
    ),
    Break(
        "attempts-never-end",
        "target_zoho_crm/confirmation/retries.py",
        old="if attempts >= max_attempts:",
        new="if attempts < 0:",
        tests=("tests/pair/test_unforgivable.py::test_an_order_is_never_retried_for_ever",),
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
        "any-host-may-see-the-token",
        "target_zoho_crm/api/transport.py",
        old="if not settings.endpoints.may_see_token(call.url):",
        new="if not call.url:",
        tests=("tests/target/test_hosts.py::test_the_token_goes_to_no_stranger",),
    ),
    Break(
        "tokens-are-logged",
        "target_zoho_crm/api/transport.py",
        old="            self._credits.reserve(call.credits, call.kind)\n",
        new=(
            "            self._credits.reserve(call.credits, call.kind)\n"
            '            logger.debug("%s by %s", call.where, token.value)\n'
        ),
        tests=("tests/target/test_hosts.py::test_neither_tokens_nor_records_are_logged_on_any_level",),
    ),
    Break(
        "calls-at-once-are-not-limited",
        "target_zoho_crm/api/limits.py",
        old="room = self._calls < self._window.size and (",
        new="room = self._calls >= 0 and (",
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
        "an-unknown-result-is-believed",
        "target_zoho_crm/writing/job_steps.py",
        old="status=Status.REJECTED, code=code, family=Family.TRANSIENT)",
        new="status=Status.SYNCED)",
        tests=("tests/pair/test_unforgivable.py::test_an_order_is_never_falsely_called_synced",),
    ),
)
