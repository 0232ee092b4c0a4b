"""Breaks of the promise: An order is never doubled."""

from __future__ import annotations

from breaks.one_break import Break

SLEPT = "tests/pair/test_sleep.py::test_a_run_that_slept_sends_nothing_more_and_what_it_had_sent_is_in_doubt"

DOUBLED_ORDERS: tuple[Break, ...] = (
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
        "orders-are-made-again-in-silence",
        "sync_ledger/ack_updates.py",
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
            "tests/ledger/test_leases.py::test_a_sleeper_finds_its_lock_gone_before_it_sends_or_writes",
            "tests/pair/test_unforgivable.py::test_an_order_is_never_doubled",
        ),
    ),
    Break(
        "a-lease-is-checked-before-the-connection-is-made",
        "target_zoho_crm/api/transport.py",
        old="check = None if call.fence is None else call.fence.check",
        new="check = call.fence and call.fence.check()",
        tests=(SLEPT,),
    ),
    Break(
        "a-check-holds-for-an-hour",
        "target_zoho_crm/api/http_sessions.py",
        old="CHECK_HOLDS_SECONDS = 3.0",
        new="CHECK_HOLDS_SECONDS = 3600.0",
        tests=(SLEPT,),
    ),
    Break(
        "what-a-sleeper-sent-is-settled-by-its-answer",
        "sync_ledger/leases.py",
        old="            if ended:  # else",
        new="            if True:  # else",
        tests=("tests/ledger/test_leases.py::test_what_a_sleeper_sent_is_in_doubt_though_it_was_answered_in_the_end",),
    ),
    Break(
        "a-silent-run-is-taken-over-unwatched",
        "sync_ledger/runs.py",
        old="while rows and watched < LEASE_WATCH_SECONDS:",
        new="while rows and watched < 0:",
        tests=(
            "tests/ledger/test_leases.py::test_a_clock_that_was_set_neither_ends_a_living_run_nor_keeps_a_dead_one",
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
        old="repeat=Repeat.ONCE if any(order.is_once for order in call) else Repeat.SAFE,",
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
        old="return self.judge(outcomes, job) if again else outcomes",
        new="return outcomes",
        tests=("tests/pair/test_operation.py::test_a_lost_answer_to_an_insert_is_no_refusal",),
    ),
    Break(
        "key-columns-are-not-compared",
        "sync_ledger/bindings.py",
        old="if _differ(self.key_columns, bound.key_columns):",
        new="if False:",
        tests=(
            "tests/pair/test_key_columns.py::test_a_run_by_other_key_columns_writes_nothing",
            "tests/pair/test_key_columns.py::test_records_of_another_tap_by_another_key_are_not_taken",
        ),
    ),
)
