//! The page of a process that is one of several.

use std::sync::Arc;
use std::time::Duration;

use jobs::{Config, Jobs, RunState};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::accessible::AUDIT;
use crate::browser::Browser;
use crate::pictures::{WORST_CONTRAST, wanted};
use crate::program::{Gate, charge_card, reindex, send_confirmation};
use crate::server::Server;
use crate::{OFF, no_complaints};

/// Two processes of one program, each with a pool of its own. The second serves the page.
struct Cluster {
    runtime: Runtime,
    one: Jobs,
    two: Jobs,
    gate: Gate,
    url: String,
}

impl Cluster {
    fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let gate = Gate(Arc::new(Semaphore::new(0)));
        let address = Server::shared().database();
        let start = || {
            let config = Config::default()
                .without_environment()
                .named("cron.workhours_15m", "0 */15 9-17 ? * MON-FRI")
                .named("cron.often", OFF)
                .store(&address)
                .pool(4)
                .queue("payments", 2)
                .shutdown_timeout(Duration::ZERO)
                .state(gate.clone());
            runtime.block_on(jobs::start(config)).unwrap_or_else(|error| panic!("{error}"))
        };
        let (one, two) = (start(), start());
        let address = runtime.block_on(two.serve_status("127.0.0.1:0")).unwrap();
        Self { one, two, gate, url: format!("http://{address}/@jobs"), runtime }
    }

    /// Seven runs of a job that waits fill most of both pools.
    fn work(&self) {
        self.runtime.block_on(async {
            for order in 1..=9 {
                let to = format!("buyer{order}@example.org");
                self.one.now(send_confirmation { to, order }).await.unwrap().wait().await;
            }
            self.one.now(charge_card { order: 4711, number: "4111".into() }).await.unwrap();
            for _ in 0..9 {
                self.one.now(reindex {}).await.unwrap();
            }
            self.one
                .after(Duration::from_secs(3600), send_confirmation { to: "ada".into(), order: 7 })
                .await
                .unwrap();
            while self.two.runs().state(RunState::Running).list().await.len() < 8 {
                tokio::task::yield_now().await;
            }
        });
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.runtime.block_on(async {
            self.one.shutdown().await;
            self.two.shutdown().await;
        });
    }
}

#[test]
fn every_screen_of_a_cluster_is_about_all_of_it_and_readable() {
    let cluster = Cluster::start();
    cluster.work();
    let run = cluster.runtime.block_on(cluster.two.runs().state(RunState::Running).list())[0].id;
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    let screens = [
        ("cluster-jobs", String::new()),
        ("cluster-pool", "/pool".into()),
        ("cluster-runs", "/runs".into()),
        ("cluster-run", format!("/runs/{run}")),
        ("cluster-job", "/jobs/reindex".into()),
    ];
    for (name, path) in screens {
        for (scheme, dark, width) in [("light", false, 1280), ("dark", true, 1280), ("phone", false, 390)] {
            tab.size(width, 900);
            tab.dark(dark);
            tab.open(&format!("{}{path}", cluster.url));
            let (wrong, worst) = (tab.eval(AUDIT), tab.eval(WORST_CONTRAST));
            if let Some(folder) = wanted() {
                tab.picture(&folder.join(format!("{name}-{scheme}.png")));
            }
            assert_eq!(wrong.as_array().map(Vec::len), Some(0), "{name} {scheme}: {wrong:#}");
            let (text, shape) = (worst["text"][0].as_f64().unwrap(), worst["shape"][0].as_f64().unwrap());
            assert!(text >= 4.5 && shape >= 3.0, "{name} {scheme}: {worst}");
            let wider =
                tab.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth");
            assert!(wider.as_i64().unwrap() <= 0, "{name} {scheme} is too wide by {wider}");
        }
    }
    no_complaints(&mut tab);
}

#[test]
fn a_page_shows_what_another_process_does() {
    let cluster = Cluster::start();
    let mut browser = Browser::start();
    let mut tab = browser.tab();
    tab.open(&cluster.url);
    tab.until("document.querySelector('#live').innerText === 'Live'");
    assert!(tab.text("#tiles").contains("in 2 processes"), "{}", tab.text("#tiles"));
    // It is paused there, and the page is told by nobody but the server.
    cluster.runtime.block_on(cluster.one.pause("exchange_rates")).unwrap();
    tab.until("document.querySelector('#job-exchange_rates').innerText.includes('PAUSED')");
    cluster.work();
    tab.until("document.querySelector('#job-reindex').innerText.includes('RUNNING 8')");
    tab.open(&format!("{}/pool", cluster.url));
    assert_eq!(tab.eval("document.querySelectorAll('#nodes tr').length"), 2);
    cluster.gate.0.add_permits(20);
    tab.until("[...document.querySelectorAll('#nodes tr')].every(row => row.innerText.includes('–'))");
    cluster.runtime.block_on(cluster.one.shutdown());
    tab.until("document.querySelectorAll('#nodes tr').length === 1");
    no_complaints(&mut tab);
}
