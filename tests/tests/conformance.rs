//! What every store has to do: one suite, run against each, above the store, through submissions and outcomes.
//!
//! A store is one line at the end of this file. A case is an async function of a [`Fixture`](fixture::Fixture) in a file of
//! `conformance/`, and a name in the list of [`on!`]; one that is not in the list is dead code, and a warning.

mod support;

#[path = "../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

#[path = "conformance/cancel.rs"]
mod cancel;
#[path = "conformance/fixture.rs"]
mod fixture;
#[path = "conformance/jobs.rs"]
mod jobs_of_the_suite;
#[path = "conformance/limits.rs"]
mod limits;
#[path = "conformance/missed.rs"]
mod missed;
#[path = "conformance/order.rs"]
mod order;
#[path = "conformance/outcomes.rs"]
mod outcomes;
#[path = "conformance/records.rs"]
mod records;
#[path = "conformance/retries.rs"]
mod retries;
#[path = "conformance/shutdown.rs"]
mod shutdown;
#[path = "conformance/slots.rs"]
mod slots;
#[path = "conformance/startup.rs"]
mod startup;
#[path = "conformance/steering.rs"]
mod steering;
#[path = "conformance/unique.rs"]
mod unique;

/// Runs every case on a store, each in a test of its own.
macro_rules! on {
    ($store:ident) => {
        on! { $store:
            outcomes { a_submission_runs_once, arguments_arrive_as_they_were_submitted, errors_and_panics_are_told,
                an_attempt_that_takes_too_long_has_timed_out, a_handle_tells_the_outcome_as_often_as_it_is_asked,
                a_job_submits_another }
            order { runs_start_in_the_order_of_submission, the_pool_is_never_exceeded, a_delayed_run_starts_when_it_is_due,
                delayed_runs_start_in_the_order_in_which_they_are_due, an_instant_that_has_passed_is_now }
            limits { a_queue_has_its_size_and_others_pass, concurrency_holds_back_its_job_alone, a_rate_lets_so_many_start,
                a_higher_priority_goes_first_and_nothing_starves }
            records { what_a_job_returns_is_kept, runs_are_found_by_job_and_state,
                a_run_is_cancelled_and_made_again_by_its_identity }
            retries { a_failure_is_tried_again_after_a_wait_that_grows, after_the_last_attempt_the_run_has_failed,
                every_attempt_has_the_arguments_of_the_submission, a_job_says_when_it_is_tried_again,
                a_job_gives_its_run_up, a_run_that_waits_leaves_its_place_to_others, a_slot_is_not_tried_again }
            cancel { a_queued_run_never_starts, a_delayed_run_never_starts, a_run_that_waits_to_be_tried_again_is_not,
                a_running_run_is_dropped_where_it_awaits, an_attempt_after_the_first_is_dropped_where_it_awaits, a_run_that_has_ended_is_not_cancelled,
                the_next_run_takes_the_place }
            unique { the_same_arguments_are_one_run_while_it_is_live, a_delayed_run_and_one_that_is_tried_again_are_live,
                a_cancelled_run_makes_way, a_window_has_one_run }
            slots { a_slot_fires_once_at_its_time, an_interval_fires_from_start_to_start, a_removed_schedule_fires_no_more,
                buffer_one_lets_one_wait, buffer_all_lets_all_wait, skip_lets_none_wait, allow_runs_side_by_side,
                cancel_other_ends_the_one_before, submissions_do_not_count_for_the_overlap, a_retry_counts_for_the_overlap }
            missed { the_policy_says_what_is_made_up, a_slot_that_is_late_by_less_than_a_minute_fires }
            steering { slots_pass_while_a_job_is_paused, a_paused_job_can_be_submitted, run_now_runs_beside_the_schedule,
                an_unknown_job_is_refused }
            startup { blocking_jobs_run_one_after_another_before_start_returns, an_error_of_a_blocking_job_stops_the_start,
                others_begin_at_the_start }
            shutdown { a_shutdown_waits_for_what_runs, after_its_patience_runs_are_interrupted,
                what_was_cut_off_is_no_attempt,
                what_has_not_started_does_not_start, nothing_is_accepted_after_it, a_second_shutdown_tells_the_same,
                handles_outlive_it }
        }
    };
    ($store:ident: $($module:ident { $($case:ident),* $(,)? })*) => {
        mod $store {
            $(mod $module {
                $(#[tokio::test]
                async fn $case() {
                    crate::$module::$case(crate::fixture::Fixture::$store()).await;
                })*
            })*
        }
    };
}

on!(memory);
on!(sqlite);
on!(postgres);
