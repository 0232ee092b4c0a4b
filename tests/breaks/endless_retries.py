"""Breaks of the promise: An order is never retried for ever, and never given up in silence."""

from __future__ import annotations

from breaks.one_break import Break

ENDLESS_RETRIES: tuple[Break, ...] = (
    Break(
        "acks-stand-under-an-alias",
        "target_zoho_crm/stream_request.py",
        old="return self.announced.stream or self.named",
        new="return self.named",
        tests=("tests/pair/test_set_ups.py::test_an_alias_of_a_stream_map_changes_nothing_about_the_acks",),
    ),
    Break(
        "dropped-keywords-are-not-missed",
        "target_zoho_crm/stream_binding.py",
        old="    why = _why_foreign(request, ledger, is_open=is_open)\n",
        new="    why = None\n",
        tests=(
            "tests/pair/test_set_ups.py::test_one_keyword_that_is_missing_is_enough",
            "tests/pair/test_set_ups.py::test_a_run_whose_tap_goes_by_another_ledger_writes_nothing",
        ),
    ),
    Break(
        "a-number-that-is-none-ends-the-run",
        "target_zoho_crm/record_decoding.py",
        old="except ValueError:  # a number is none",
        new="except KeyError:  # a number is none",
        tests=("tests/pair/test_one_records_trouble.py::test_of_300_orders_299_are_written_where_one_is_in_trouble",),
    ),
    Break(
        "a-strangers-link-ends-the-run",
        "target_zoho_crm/writing/job_steps.py",
        old="return isinstance(error, ConfigurationError) and error.code not in OF_EVERY_CALL",
        new="return False",
        tests=("tests/pair/test_stuck_jobs.py::test_a_stuck_job_holds_up_its_own_orders_alone",),
    ),
    Break(
        "an-abandoned-job-is-not-waited-for",
        "target_zoho_crm/writing/given_up_jobs.py",
        old="if since >= WAITS_AFTER:",
        new="if since >= since:",
        tests=(
            "tests/pair/test_stuck_jobs.py::test_the_orders_of_an_abandoned_job_that_may_still_land_wait_for_a_day",
        ),
    ),
    Break(
        "attempts-never-end",
        "target_zoho_crm/confirmation/retries.py",
        old="if attempts < max_attempts:",
        new="if attempts >= 0:",
        tests=("tests/pair/test_unforgivable.py::test_an_order_is_never_retried_for_ever",),
    ),
    Break(
        "an-outage-parks-orders",
        "target_zoho_crm/confirmation/retries.py",
        old="until = failing_since + PARKED_AFTER if failing_since is not None else now",
        new="until = now",
        tests=(
            "tests/pair/test_calls_that_fail_for_one.py::test_where_writes_fail_for_everybody_for_a_day_nobody_is_parked",
        ),
    ),
    Break(
        "orders-whose-calls-fail-are-left-for-ever",
        "target_zoho_crm/writing/split_call.py",
        old="                self._search(failure, began)",
        new="                raise failure.plain from failure",
        tests=(
            "tests/pair/test_calls_that_fail_for_one.py::test_one_order_of_250_whose_call_fails_each_time_is_found_in_one_run",
            "tests/pair/test_calls_that_fail_for_one.py::test_an_insert_that_fails_for_one_order",
        ),
    ),
    Break(
        "orders-of-failed-uploads-go-by-jobs-again",
        "sync_ledger/quarantine.py",
        old="_CODES = (_ALONE, _TOGETHER, *_BY_CALLS)",
        new="_CODES = (_ALONE, _TOGETHER)",
        tests=("tests/pair/test_calls_that_fail_for_one.py::test_seven_of_a_job_are_named_and_the_others_synced",),
    ),
    Break(
        "an-undone-flag-is-not-noticed",
        "target_zoho_crm/confirmation/sync_flags.py",
        old="if _state(statements, connection, witness) != (versions[witness], False):",
        new="if _state(statements, connection, witness) is None:",
        tests=(
            "tests/pair/test_sync_flag.py::test_a_trigger_that_takes_the_flag_for_a_change_ends_the_run_and_the_order_is_sent_once",
        ),
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
        old='values = {"status": AckStatus.REJECTED.value, "next_attempt_at": now,',
        new='values = {"status": AckStatus.REJECTED.value, "next_attempt_at": None,',
        tests=(
            "tests/orders_sync/test_order_commands.py::test_a_refused_order_is_seen_mended_in_the_crm_retried_and_then_synced",
        ),
    ),
    Break(
        "orders-are-never-parked",
        "target_zoho_crm/confirmation/retries.py",
        old="    return min(now + pause, until) if now < until else None\n",
        new="    return now + pause\n",
        tests=("tests/pair/test_refusals.py::test_an_order_is_not_tried_for_ever",),
    ),
    Break(
        "refusals-that-pass-are-not-due-again",
        "target_zoho_crm/confirmation/retries.py",
        old="    if attempts < max_attempts:\n        return now + pause\n",
        new="    if attempts < max_attempts:\n        return None\n",
        tests=("tests/pair/test_refusals.py::test_rows_that_a_job_never_tried_are_due_again_in_the_next_run",),
    ),
    Break(
        "a-failed-job-blames-its-orders",
        "target_zoho_crm/writing/job_steps.py",
        old="code=code, message=message, family=Family.TRANSIENT)",
        new="code=code, message=message, family=Family.DATA)",
        tests=("tests/pair/test_refusals.py::test_a_job_that_fails_as_a_whole_blames_no_order",),
    ),
    Break(
        "nothing-is-searched",
        "target_zoho_crm/writing/split_call.py",
        old="        for key in find_failing([key for key in keys if key in self.unsent], self._passes):\n",
        new="        for key in find_failing([key for key in keys if not self.unsent], self._passes):\n",
        tests=(
            "tests/pair/test_poison.py::test_poison_in_calls_is_found_within_sixty_extra_calls",
            "tests/pair/test_poison.py::test_poison_in_jobs_is_found_within_one_extra_job_and_sixty_extra_calls",
        ),
    ),
    Break(
        "an-outage-is-searched",
        "target_zoho_crm/confirmation/unattributed_failures.py",
        old="        if not self._gets_through(since):\n",
        new="        if since < 0 and not self._gets_through(since):\n",
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
        "an-unnamed-refusal-of-an-upload-ends-the-run",
        "target_zoho_crm/api/transport.py",
        old="call.splits or (call.fence is not None and isinstance(error, ConfigurationError))",
        new="call.splits",
        tests=("tests/pair/test_calls_that_fail_for_one.py::test_seven_of_a_job_are_named_and_the_others_synced",),
    ),
)
