"""What users of notebook schedulers complain of most, and the tests that say what happens here.

A table for readers: each name below says in words what should happen; a test sees to it that the
names stay those of tests.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent

PAINS: Mapping[str, tuple[str, ...]] = {
    "Jobs do not run when the server is off; two servers run them twice.": (
        "scheduler_plugin/test_rest.py::test_a_job_outlives_the_server",
        "scheduler_plugin/test_rest_definitions.py"
        "::test_a_tick_completes_its_record_while_the_server_is_dead",
        "scheduler_plugin/test_ticks_local.py::test_two_servers_on_one_home_run_a_tick_once",
        "backends/local/test_cron_days.py::test_no_tick_runs_twice_and_none_that_was_seen_is_lost",
        "scheduler_plugin/test_scheduler.py::test_nothing_of_upstream_runs_a_job_or_a_definition",
    ),
    "A failure says nothing: no log, no traceback, no progress.": (
        "scheduler_plugin/test_rest.py"
        "::test_a_failed_notebook_says_which_error_and_cell_and_leaves_every_file",
        "scheduler_plugin/test_rest.py"
        "::test_a_log_is_read_while_it_is_written_and_followed_to_the_end",
        "in_pod/test_running.py::test_the_error_names_its_class_and_cell",
        "in_pod/test_running.py::test_the_output_of_a_failed_run_shows_the_error",
        "in_pod/test_faults.py::test_a_killed_kernel_fails_the_run_within_seconds",
    ),
    "The chosen environment or kernel is ignored, or lacks something.": (
        "scheduler_plugin/test_real_environments.py"
        "::test_a_cell_sees_the_packages_of_the_chosen_environment",
        "scheduler_plugin/test_real_environments.py"
        "::test_a_notebook_of_bash_runs_in_bash_with_its_parameters",
        "scheduler_plugin/test_real_environments.py"
        "::test_an_environment_without_a_kernel_makes_no_job",
        "scheduler_plugin/test_real_environments.py"
        "::test_a_kernelspec_whose_ipykernel_was_removed_makes_no_job",
        "scheduler_plugin/test_environments.py"
        "::test_the_servers_kernel_is_never_another_than_the_notebooks",
    ),
    "The status is wrong, or IN_PROGRESS for ever.": (
        "scheduler_plugin/test_rest.py::test_a_stopped_job_is_stopped_and_keeps_its_start_time",
        "scheduler_plugin/test_jobs.py::test_a_terminated_run_is_healed",
        "scheduler_plugin/test_jobs.py::test_a_job_whose_workflow_was_deleted_is_failed",
        "scheduler_plugin/test_decisions.py::test_a_stop_by_the_user_outlives_a_later_success",
        "scheduler_plugin/test_definitions.py::test_overlapping_ticks_end_each_its_own_record",
    ),
    "Cleaning up is one click for each of a hundred thousand runs.": (
        "scheduler_plugin/test_housekeeping.py::test_the_timer_keeps_as_many_as_are_wanted",
        "scheduler_plugin/test_housekeeping.py"
        "::test_a_definition_says_how_many_of_its_jobs_are_kept",
        "scheduler_plugin/test_housekeeping.py"
        "::test_workflow_files_and_record_of_an_ended_job_are_deleted",
        "cli/test_jobs.py::test_old_failed_jobs_are_deleted_and_no_others",
    ),
    "Files beside the notebook are missing, those that it wrote are lost.": (
        "scheduler_plugin/test_rest.py"
        "::test_files_beside_the_notebook_go_along_and_new_ones_come_back",
        "scheduler_plugin/test_folders.py"
        "::test_a_folder_that_is_too_big_is_refused_with_the_limits",
    ),
    "A schedule runs a hidden copy; an edit wipes parameters or resumes a paused one.": (
        "scheduler_plugin/test_definitions.py::test_a_new_input_is_used_from_the_next_tick_on",
        "scheduler_plugin/test_definitions.py::test_the_form_takes_the_notebook_as_it_is_now",
        "scheduler_plugin/test_definitions.py"
        "::test_pausing_and_resuming_keep_parameters_and_everything_else",
        "scheduler_plugin/test_definitions.py"
        "::test_a_paused_definition_stays_paused_when_its_schedule_is_edited",
    ),
    "Parameters have the wrong types, need quotes, or never arrive.": (
        "scheduler_plugin/test_rest.py::test_parameters_arrive_in_the_notebook_as_they_were_typed",
        "scheduler_plugin/test_parameters.py::test_a_typed_text_means",
        "in_pod/test_running.py::test_parameters_arrive_typed_and_equal",
        "in_pod/test_remarks.py::test_a_parameter_that_the_tagged_cell_does_not_know_is_named",
    ),
    "Nobody is told that a job failed, or telling fails the job.": (
        "scheduler_plugin/test_notifications.py"
        "::test_a_failure_is_told_with_the_jobs_name_and_its_message",
        "scheduler_plugin/test_notifications.py"
        "::test_nobody_listening_is_said_and_nothing_is_raised",
        "scheduler_plugin/test_notifications.py"
        "::test_a_name_without_a_usable_address_is_refused_when_the_job_is_created",
    ),
    "Time-out, retries and overlaps have fields that do nothing.": (
        "scheduler_plugin/test_policies.py"
        "::test_a_notebook_that_fails_once_is_completed_by_its_second_attempt",
        "scheduler_plugin/test_policies.py"
        "::test_a_notebook_that_always_fails_is_failed_by_its_last_attempt",
        "in_pod/test_faults.py::test_a_frozen_kernel_is_told_of_and_timed_out",
        "scheduler_plugin/test_definitions.py"
        "::test_a_definitions_own_policies_are_in_its_cron_workflow",
        "backends/local/test_cron.py::test_the_policy_decides",
        "backends/local/test_cron.py::test_a_missed_tick_is_caught_up_within_the_starting_deadline",
        "scheduler_plugin/test_runtime_parameters.py"
        "::test_a_number_above_the_operators_limit_is_refused",
    ),
    "Secrets end in the notebook, the database, the manifest.": (
        "scheduler_plugin/test_secrets.py"
        "::test_a_secret_reaches_the_notebook_and_no_file_of_job_or_run",
        "scheduler_plugin/test_secrets.py"
        "::test_only_the_notebooks_step_gets_a_secret_and_its_request_only_the_variable",
        "scheduler_plugin/test_rest_definitions.py"
        "::test_no_secret_and_no_value_of_a_user_is_in_a_process_list",
    ),
    "An upgrade breaks it.": (
        "scheduler_plugin/test_older_databases.py"
        "::test_jobs_and_definitions_of_an_older_database_are_listed_described_and_deleted",
        "scheduler_plugin/test_older_databases.py"
        "::test_a_database_with_columns_of_a_later_version_is_used",
        "scheduler_plugin/test_version3.py"
        "::test_a_job_is_known_by_its_backend_outside_and_by_its_uuid_inside",
    ),
    "A permission is missing, and nobody says which; Argo is away, and nothing works.": (
        "scheduler_plugin/test_nebari.py::test_a_user_without_a_role_is_told_which_one_to_ask_for",
        "cli/test_doctor.py::test_who_may_not_submit_is_told_what_to_ask_for",
        "scheduler_plugin/test_definitions.py"
        "::test_lists_and_definitions_show_while_the_backend_is_away",
        "scheduler_plugin/test_scheduler.py::test_a_scheduler_is_made_while_its_cluster_is_away",
    ),
    "Outputs cannot be named, or not in a format that can be handed on.": (
        "scheduler_plugin/test_output_names.py::test_an_output_is_named_by_the_template",
        "scheduler_plugin/test_rest.py::test_output_report_log_and_input_are_downloaded",
        "in_pod/test_running.py::test_every_report_is_written",
    ),
    "Notebooks cannot be chained, nor run by a script.": (
        "dsl/test_notebook.py::test_parameters_make_order_and_outputs_are_a_mapping",
        "cli/test_jobs.py::test_a_past_job_is_run_again_by_its_id",
    ),
    "Processors, memory, GPU, image and node cannot be chosen for a job.": (
        "scheduler_plugin/test_compute_jobs.py::test_the_picker_shows_the_operators_list",
        "scheduler_plugin/test_compute_jobs.py"
        "::test_the_notebooks_pod_is_of_the_chosen_type_and_no_other_step_is",
        "scheduler_plugin/test_compute_jobs.py"
        "::test_on_this_machine_a_type_is_a_limit_or_said_to_be_none",
    ),
    "The database is locked for some seconds, and a record stays IN_PROGRESS.": (
        "scheduler_plugin/test_ticks_local.py"
        "::test_a_database_that_is_locked_at_the_tick_is_waited_for",
        "scheduler_plugin/test_in_pod.py"
        "::test_with_a_database_that_stays_locked_the_truth_is_in_the_outbox",
        "scheduler_plugin/test_jobs.py"
        "::test_an_outcome_that_reached_only_the_outbox_is_taken_in_without_the_backend",
    ),
    "Schedules are an hour off: time zones, daylight saving.": (
        "spec/test_cron_ticks.py::test_a_skipped_hour_is_skipped_and_a_repeated_one_repeats",
        "scheduler_plugin/test_definitions.py::test_changing_only_the_time_zone_keeps_the_schedule",
        "scheduler_plugin/test_rest_definitions.py"
        "::test_outputs_are_named_in_the_definitions_time_zone",
    ),
    "One user sees, stops or is taken for another.": (
        "scheduler_plugin/test_two_users.py::test_nobody_sees_anothers_jobs_and_definitions",
        "scheduler_plugin/test_two_users.py"
        "::test_whoever_knows_the_id_of_anothers_job_can_do_nothing_with_it",
        "scheduler_plugin/test_two_users.py::test_a_client_cannot_say_who_it_is",
    ),
}


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((HERE / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("pain", PAINS)
def test_every_pain_has_tests_that_say_what_happens(pain: str) -> None:
    for name in PAINS[pain]:
        path, _, test = name.partition("::")
        assert test.startswith("test_")
        assert test in names_in(path)
