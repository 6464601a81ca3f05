//! Instances that play processes on one PostgreSQL, and what their jobs write down.

#![allow(dead_code, unreachable_pub, reason = "every test takes what it needs of it")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobs::{Config, Jobs};
use tokio::sync::Notify;

/// What the jobs of the processes of a test have done, and where.
#[derive(Debug, Clone, Default)]
pub struct Diary(Arc<Pages>);

#[derive(Debug, Default)]
struct Pages {
    notes: Mutex<Vec<(String, String)>>,
    news: Notify,
}

impl Diary {
    pub fn note(&self, node: &Node, what: impl Into<String>) {
        self.0.notes.lock().unwrap().push((node.0.to_owned(), what.into()));
        self.0.news.notify_waiters();
    }

    pub fn notes(&self) -> Vec<String> {
        self.0.notes.lock().unwrap().iter().map(|(_, what)| what.clone()).collect()
    }

    pub fn of(&self, node: &str) -> Vec<String> {
        let notes = self.0.notes.lock().unwrap();
        notes.iter().filter(|(by, _)| by == node).map(|(_, what)| what.clone()).collect()
    }

    /// Waits until the notes are as wanted.
    pub async fn until(&self, wanted: impl Fn(&[String]) -> bool) {
        bounded(async {
            loop {
                let news = self.0.news.notified();
                let mut news = std::pin::pin!(news);
                news.as_mut().enable();
                if wanted(&self.notes()) {
                    return;
                }
                news.await;
            }
        })
        .await;
    }
}

/// Which process it is.
#[derive(Debug, Clone)]
pub struct Node(pub &'static str);

pub async fn bounded<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), event).await.expect("it happens within a minute")
}

pub fn config(address: &str, diary: &Diary, node: &'static str) -> Config {
    Config::default().store(address).state(diary.clone()).state(Node(node)).pool(10)
}

pub async fn node(address: &str, diary: &Diary, node: &'static str) -> Jobs {
    jobs::start(config(address, diary, node)).await.unwrap_or_else(|error| panic!("{error}"))
}
