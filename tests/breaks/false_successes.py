"""Breaks of the promise: An order is never falsely called synced."""

from __future__ import annotations

from breaks.one_break import Break

FALSE_SUCCESSES: tuple[Break, ...] = (
    Break(
        "set-ups-are-not-compared",
        "sync_ledger/bindings.py",
        old="lines = [] if bound is None else wanted.differences(bound)",
        new="lines: list[str] = []",
        tests=(
            "tests/pair/test_set_ups.py::test_a_run_to_another_module_key_field_or_org_writes_nothing",
            "tests/pair/test_set_ups.py::test_a_table_renamed_under_one_stream_name_is_asked_about",
        ),
    ),
    Break(
        "keys-in-flight-are-not-noted",
        "target_zoho_crm/confirmation/in_flight.py",
        old="self._flights.append(flight)",
        new="pass",
        tests=("tests/target/test_in_flight.py::test_a_newer_version_waits_until_the_older_one_has_landed",),
    ),
    Break(
        "calls-are-matched-by-other-fields",
        "target_zoho_crm/mapping/field_mapping.py",
        old="return bool(self.further_unique)",
        new="return False",
        tests=(
            "tests/pair/test_whose_record.py::test_two_orders_with_one_value_of_another_unique_field_are_two",
            "tests/pair/test_whose_record.py::test_a_record_that_a_person_made_is_neither_taken_over_nor_renamed",
        ),
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
        tests=(
            "tests/pair/test_key_conflicts.py::test_two_orders_of_one_call_or_job_in_one_record_are_in_conflict",
            "tests/pair/test_key_conflicts.py::test_an_order_in_another_orders_record_is_a_conflict_of_both",
        ),
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
        old=("len(data) == count:\n        return data\n"),
        new=("data:\n        return (data * count)[:count]\n"),
        tests=("tests/target/test_outcomes.py::test_an_answer_with_another_count_is_believed_in_nothing",),
    ),
    Break(
        "damaged-results-are-believed",
        "target_zoho_crm/writing/result_files.py",
        old='        raise _unreadable(f"it is damaged ({type(error).__name__})") from error',
        new=(
            '        return {key: Outcome(key, version, Status.SYNCED, "1") for key, version in manifest.items()}, []'
        ),
        tests=("tests/target/test_result_files.py::test_a_damaged_zip_never_gives_a_success_that_was_not_in_it",),
    ),
    Break(
        "an-unknown-result-is-believed",
        "target_zoho_crm/writing/job_steps.py",
        old="status=Status.REJECTED, code=code, message=message, family=Family.TRANSIENT)",
        new="status=Status.SYNCED)",
        tests=("tests/pair/test_unforgivable.py::test_an_order_is_never_falsely_called_synced",),
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
        "overtaken-input-is-sent",
        "sync_ledger/leases.py",
        old="if so_far != read_after:",
        new="if not so_far:",
        tests=("tests/pair/test_main_job.py::test_what_another_run_may_have_overtaken_is_not_sent",),
    ),
    Break(
        "refused-lines-are-overlooked",
        "target_zoho_crm/writing/child_failures.py",
        old=("    if not failures:\n        return list(outcomes)\n"),
        new=("    if outcomes or failures:\n        return list(outcomes)\n"),
        tests=("tests/pair/test_line_faults.py::test_a_line_that_zoho_refuses_is_named_and_its_order_is_not_synced",),
    ),
    Break(
        "what-is-in-doubt-is-not-looked-at",
        "sync_ledger/in_doubt.py",
        old="waiting = {} if write.kind in _NOT_OVERWRITING else",
        new="waiting = {} if write.manifest else",
        tests=(
            "tests/pair/test_in_doubt.py::test_an_old_version_that_a_slow_job_writes_late_does_not_stay",
            "tests/pair/test_sleep_and_doubt.py::test_an_old_version_that_lands_after_a_sleep_does_not_stay",
            "tests/pair/test_late_calls.py::test_an_older_version_that_a_call_wrote_late_does_not_stay",
        ),
    ),
    Break(
        "what-differs-is-believed",
        "target_zoho_crm/delivery/verification.py",
        old="if each.verdict is not Verdict.DIFFERENT}",
        new="if each.verdict in Verdict}",
        tests=("tests/pair/test_late_calls.py::test_an_older_version_that_a_call_wrote_late_does_not_stay",),
    ),
    Break(
        "drift-is-written-again",
        "target_zoho_crm/delivery/verification.py",
        old="if earlier is not None and (",
        new="if earlier is None and earlier and (",
        tests=(
            "tests/pair/test_in_doubt.py::test_what_an_automation_overwrites_each_time_is_drift_between_the_first_and_the_last_look",
        ),
    ),
    Break(
        "what-lands-again-is-taken-for-drift",
        "sync_ledger/in_doubt.py",
        old="may_be_drift = text.startswith(WRITTEN_ONCE) and not is_last",
        new="may_be_drift = text.startswith(WRITTEN_ONCE)",
        tests=(
            "tests/pair/test_in_doubt.py::test_an_old_version_that_lands_again_after_it_was_mended_does_not_stay",
            "tests/pair/test_sleep_and_doubt.py::test_an_old_version_that_lands_twice_after_a_newer_one_does_not_stay",
            "tests/ledger/test_writes_in_doubt.py::test_at_the_last_look_how_an_order_differed_before_does_not_count",
        ),
    ),
    Break(
        "what-was-not-compared-yet-is-not-looked-at-again",
        "sync_ledger/in_doubt.py",
        old="believed = sa.or_(called_synced, sa.and_(*_is_in_doubt(ack, write.stream))) if is_last else called_synced",
        new="believed = called_synced",
        tests=(
            "tests/ledger/test_writes_in_doubt.py::test_at_the_last_look_how_an_order_differed_before_does_not_count",
        ),
    ),
    Break(
        "a-field-that-was-never-written-counts-as-written",
        "target_zoho_crm/confirmation/sent_contents.py",
        old="self._mapping_number if written else None",
        new="self._mapping_number",
        tests=("tests/pair/test_set_up_changes.py::test_a_new_content_that_is_noted_without_a_call_is_no_write",),
    ),
    Break(
        "a-dead-tap-is-taken-for-one-that-ended",
        "target_zoho_crm/end_of_input.py",
        old="        if not self._open:\n",
        new="        if self._open is not None:\n",
        tests=(
            "tests/pair/test_tap_did_not_finish.py::test_the_target_keeps_what_came_and_does_not_call_the_run_finished",
            "tests/pair/test_tap_did_not_finish.py::test_a_following_tap_that_dies_is_no_stop",
        ),
    ),
    Break(
        "a-run-that-was-cut-short-counts-as-finished",
        "target_zoho_crm/run.py",
        old='"finished" if cut_short is None else "failed", why',
        new='"finished"',
        tests=("tests/pair/test_tap_did_not_finish.py::test_contents_are_compared_since_a_run_that_was_not_cut_short",),
    ),
    Break(
        "an-empty-answer-says-that-there-is-nothing",
        "target_zoho_crm/api/transport.py",
        old="if status < HTTPStatus.MULTIPLE_CHOICES and body is None and status != HTTPStatus.NO_CONTENT:",
        new="if False:",
        tests=(
            "tests/pair/test_line_faults.py::test_an_empty_answer_to_the_question_for_lines_keeps_none_that_is_gone",
        ),
    ),
)
