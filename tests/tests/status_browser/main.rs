//! The status page in a real browser: what a person sees and does.
//!
//! With `JOBS_SCREENSHOTS=FOLDER` a picture of every screen is left there; `scripts/screenshots` does that.

mod accessible;
mod browser;
mod cluster;
mod pictures;
mod program;
#[path = "../../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use browser::{Browser, Tab};
use jobs::{RunId, RunState};
use program::{Program, send_confirmation};

const OFF: &str = "off";
/// The number of the key.
const CONTROL: u8 = 2;
const EVERY_SECOND: &str = "* * * * * *";

fn no_complaints(tab: &mut Tab<'_>) {
    assert_eq!(tab.complaints(), [""; 0]);
}

/// A program in which something runs, something failed, something waits and something is paused.
fn busy() -> Program {
    let program = Program::start(OFF);
    program.runtime.block_on(async {
        let jobs = &program.jobs;
        jobs.pause("close_the_books").await.unwrap();
        jobs.run_now("reminder_emails").await.unwrap().wait().await;
        for order in 1..=5 {
            jobs.now(send_confirmation { to: format!("buyer{order}@example.org"), order })
                .await
                .unwrap()
                .wait()
                .await;
        }
        jobs.run_now("charge_card").await.unwrap().wait().await;
        for _ in 0..2 {
            jobs.run_now("reindex").await.unwrap();
        }
        jobs.run_now("exchange_rates").await.unwrap();
    });
    program
}

#[test]
fn the_list_shows_every_job_and_what_it_does() {
    let program = busy();
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    tab.open(&program.url(""));
    assert_eq!(tab.eval("document.title"), "Jobs · jobs");
    let shown = tab.text("#jobs");
    for job in program.jobs.snapshot().jobs {
        assert!(shown.contains(&job.name), "{} is not there:\n{shown}", job.name);
    }
    assert!(tab.text("#job-reindex").contains("RUNNING 2"));
    assert!(tab.text("#job-close_the_books").contains("PAUSED"));
    assert!(tab.text("#job-sweep_sessions").contains("DISABLED"));
    assert!(tab.text("#job-reminder_emails").contains("every 15 minutes from 9:00 to 17:45"));
    no_complaints(&mut tab);
}

#[test]
fn searching_and_filtering_narrow_the_list() {
    let program = busy();
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    tab.open(&program.url(""));
    tab.key_with("k", "KeyK", CONTROL);
    tab.write("mails");
    tab.eval("document.querySelector('#q').form.requestSubmit()");
    tab.loaded();
    let names = "[...document.querySelectorAll('#jobs .name')].map(name => name.innerText).join()";
    assert_eq!(tab.eval(names), "reminder_emails,send_confirmation");
    tab.open(&program.url("?state=paused"));
    assert_eq!(tab.eval(names), "close_the_books");
    tab.open(&program.url("?q=nothing+is+called+that"));
    assert!(tab.text("main").contains("No job is like that"));
    no_complaints(&mut tab);
}

#[test]
fn run_pause_and_resume_do_what_they_say() {
    let program = Program::start(OFF);
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    tab.open(&program.url("/jobs/reminder_emails"));
    tab.follow("#steer button[aria-label='Pause this job']");
    assert!(tab.text("main").contains("The job is paused"));
    assert!(program.jobs.snapshot().job("reminder_emails").unwrap().paused);
    tab.follow("#steer button[aria-label='Resume this job']");
    assert!(!program.jobs.snapshot().job("reminder_emails").unwrap().paused);
    tab.follow("#steer button[aria-label='Run now']");
    assert!(tab.text("main").contains("The run is queued"));
    tab.until("document.querySelector('#previous').innerText.includes('succeeded')");
    no_complaints(&mut tab);
}

#[test]
fn a_page_that_is_open_shows_what_changes() {
    let program = Program::start(EVERY_SECOND);
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    tab.open(&program.url(""));
    tab.until("document.querySelector('#live').innerText === 'Live'");
    tab.until("document.querySelector('#job-heartbeat').innerText.includes('succeeded')");
    program.run("reindex");
    tab.until("document.querySelector('#job-reindex').innerText.includes('RUNNING')");
    program.gate.0.add_permits(1);
    tab.until("document.querySelector('#job-reindex').innerText.includes('IDLE')");
    no_complaints(&mut tab);
}

#[test]
fn without_scripts_the_page_shows_and_steers() {
    let program = busy();
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    tab.scripts(false);
    tab.open(&program.url(""));
    tab.follow("#job-close_the_books button[aria-label='Resume close_the_books']");
    assert!(!program.jobs.snapshot().job("close_the_books").unwrap().paused);
    tab.open(&program.url(""));
    tab.follow("#job-reminder_emails a.name");
    tab.follow("#steer button[aria-label='Run now']");
    no_complaints(&mut tab);
}

/// What sticks out of its card, which nothing but a menu may.
const OUT_OF_ITS_CARD: &str = "[...document.querySelectorAll('.card')].flatMap(card => {
    const edge = card.getBoundingClientRect().right;
    return [...card.querySelectorAll('*')]
        .filter(it => it.checkVisibility() && !it.closest('.sheet,svg,.args,pre') && it.getBoundingClientRect().right > edge + 1)
        .map(it => it.outerHTML.slice(0, 120));
})";

#[test]
fn no_screen_is_wider_than_a_phone_or_a_tablet() {
    let program = busy();
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    // The narrowest is a desk at 400 %.
    for width in [320, 360, 800, 1000, 1280] {
        tab.size(width, 812);
        for (_, path) in screens(&program) {
            tab.open(&program.url(&path));
            let wider =
                tab.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            assert!(wider.as_i64().unwrap() <= 0, "{path} is wider than {width}: {wider}");
            let out = tab.eval(OUT_OF_ITS_CARD);
            assert_eq!(out, serde_json::json!([]), "{path} at {width}");
        }
    }
    // That a job is not found is an answer like any other.
    let complaints = tab.complaints();
    assert!(complaints.iter().all(|complaint| complaint.contains("404 (Not Found)")), "{complaints:?}");
}

/// Every screen, by its name and its path.
fn screens(program: &Program) -> Vec<(&'static str, String)> {
    let run = |job: &str| format!("/runs/{}", last_run(program, job));
    vec![
        ("jobs", String::new()),
        ("job", "/jobs/close_the_books".into()),
        ("job-runs", "/jobs/send_confirmation".into()),
        ("job-several", "/jobs/order_supplies".into()),
        ("job-failed", "/jobs/charge_card".into()),
        ("runs", "/runs".into()),
        ("runs-none", "/runs?text=nothing+says+that".into()),
        ("run", run("reindex")),
        ("run-failed", run("charge_card")),
        ("run-output", run("send_confirmation")),
        ("schedules", "/schedules".into()),
        ("pool", "/pool".into()),
        ("not-found", "/jobs/nobody".into()),
    ]
}

fn last_run(program: &Program, job: &str) -> RunId {
    program.runtime.block_on(program.jobs.runs().job(job).limit(1).list())[0].id
}

#[test]
fn runs_are_found_by_what_they_are() {
    let program = busy();
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    let jobs = "[...document.querySelectorAll('#runs td[data-label=Job]')].map(job => job.innerText).join()";
    tab.open(&program.url("/runs?state=dead"));
    assert_eq!(tab.eval(jobs), "charge_card");
    tab.open(&program.url("/runs?text=buyer3"));
    assert_eq!(tab.eval(jobs), "send_confirmation");
    assert!(tab.text("#runs").contains("buyer3@example.org"));
    tab.open(&program.url("/runs?queue=payments"));
    assert_eq!(tab.eval(jobs), "charge_card");
    tab.open(&program.url("/runs?state=running"));
    assert_eq!(tab.eval(jobs), "reindex,reindex");
    no_complaints(&mut tab);
}

#[test]
fn a_run_tells_all_that_is_known_of_it() {
    let program = busy();
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    tab.open(&program.url(&format!("/runs/{}", last_run(&program, "charge_card"))));
    let shown = tab.text("main");
    for expected in [
        "the card was declined",
        "caused by: the bank's gateway answered 502",
        "2 of 2",
        "payments",
        "\"order\": 4711",
        "[redacted]",
        "by hand",
    ] {
        assert!(shown.contains(expected), "{expected}:\n{shown}");
    }
    tab.open(&program.url(&format!("/runs/{}", last_run(&program, "reindex"))));
    let shown = tab.text("main");
    for expected in ["640 of 2400", "reads 2 400 articles"] {
        assert!(shown.contains(expected), "{expected}:\n{shown}");
    }
    tab.open(&program.url(&format!("/runs/{}", last_run(&program, "send_confirmation"))));
    assert!(tab.text("#output").contains("mail 5 to buyer5@example.org"));
    no_complaints(&mut tab);
}

#[test]
fn cancelling_asks_first_and_running_again_makes_another() {
    let program = busy();
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    let run = last_run(&program, "reindex");
    tab.open(&program.url(&format!("/runs/{run}")));
    tab.click("#steer summary");
    tab.until("document.querySelector('#steer details').open");
    tab.follow("#steer button[aria-label='Cancel this run']");
    tab.until("document.querySelector('#state').innerText.includes('cancelled')");
    tab.open(&program.url(&format!("/runs/{}", last_run(&program, "send_confirmation"))));
    tab.follow("#steer button[aria-label='Run again']");
    tab.until("document.querySelector('#output').innerText.includes('mail 5')");
    assert!(tab.text("#facts").contains("again, after"));
    no_complaints(&mut tab);
}

#[test]
fn many_runs_are_steered_at_once() {
    let program = busy();
    let count = |state: RunState| program.runtime.block_on(program.jobs.runs().state(state).list()).len();
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    tab.open(&program.url("/runs?job=send_confirmation"));
    let before = count(RunState::Succeeded);
    tab.click("input[data-all]");
    tab.follow(".bulk button[value=retry]");
    assert!(tab.text("main").contains("5 runs are queued once more"), "{}", tab.text("main"));
    tab.until("document.querySelectorAll('#runs tr').length === 10");
    tab.until("[...document.querySelectorAll('#runs td[data-label=State]')].every(s => s.innerText === 'succeeded')");
    assert_eq!(count(RunState::Succeeded), before + 5);

    tab.open(&program.url("/runs?state=running"));
    tab.click("input[data-all]");
    tab.click(".bulk summary");
    tab.follow(".bulk button[value=cancel]");
    assert!(tab.text("main").contains("2 runs cancelled"));
    no_complaints(&mut tab);
}

#[test]
fn a_job_that_needs_arguments_is_asked_for_them() {
    let program = Program::start(OFF);
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    tab.open(&program.url(""));
    tab.follow("#job-weigh_parcel a.button");
    assert_eq!(tab.eval("location.hash"), "#run-title");
    tab.eval("document.querySelector('[name=\"arg.grams\"]').value = '250'");
    tab.follow("button[aria-label='Run with these arguments']");
    tab.follow(".flash a");
    tab.until("document.querySelector('#state').innerText.includes('succeeded')");
    no_complaints(&mut tab);
}

#[test]
fn a_job_runs_with_what_is_written_in_its_form() {
    let program = Program::start(OFF);
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    tab.open(&program.url("/jobs/send_confirmation"));
    assert_eq!(tab.eval("document.querySelector('[name=\"arg.to\"]').value"), "ada@example.org");
    tab.eval("document.querySelector('[name=\"arg.to\"]').value = '<b>\"grace\"'");
    tab.eval("document.querySelector('[name=\"arg.order\"]').value = '42'");
    tab.follow("button[aria-label='Run with these arguments']");
    tab.follow(".flash a");
    tab.until("document.querySelector('#output').innerText.includes('mail 42 to <b>')");
    no_complaints(&mut tab);
}

#[test]
fn a_queue_is_paused_and_resumed() {
    let program = busy();
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    tab.open(&program.url("/pool"));
    tab.follow("button[aria-label='Pause the queue payments']");
    assert!(tab.text("#queue-payments").contains("PAUSED"));
    let paused = |program: &Program| program.jobs.snapshot().queues.iter().any(|queue| queue.paused);
    assert!(paused(&program));
    tab.follow("button[aria-label='Resume the queue payments']");
    assert!(!paused(&program));
    no_complaints(&mut tab);
}
