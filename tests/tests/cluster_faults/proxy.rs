//! Stands between programs and the server, and cuts their connections in the middle of what is said.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::support::seeds::Rng;

pub(crate) struct Proxy {
    /// The address of the database by way of it.
    pub(crate) address: String,
    cut: watch::Sender<u64>,
    cuts: Arc<Cuts>,
    _tasks: JoinSet<()>,
}

/// How many connections have ended, and how many of them since they had said enough.
#[derive(Debug, Default)]
struct Cuts {
    all: AtomicU64,
    by_bytes: AtomicU64,
}

impl Proxy {
    pub(crate) async fn start(address: &str, seed: u64) -> Self {
        let server = address.split(['@', '/']).nth(3).unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let through = address.replace(&server, &listener.local_addr().unwrap().to_string());
        let (cut, cuts) = (watch::Sender::new(0), Arc::<Cuts>::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(pass_on(listener, server, Rng::new(seed), cut.clone(), Arc::clone(&cuts)));
        Self { address: through, cut, cuts, _tasks: tasks }
    }

    /// Cuts every connection that there is.
    pub(crate) fn cut_all(&self) {
        self.cut.send_modify(|cut| *cut += 1);
    }

    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.all.load(Ordering::Relaxed)
    }

    /// Those that were cut in the middle of what was said.
    pub(crate) fn cuts_by_bytes(&self) -> u64 {
        self.cuts.by_bytes.load(Ordering::Relaxed)
    }
}

async fn pass_on(
    listener: TcpListener,
    server: String,
    mut random: Rng,
    cut: watch::Sender<u64>,
    cuts: Arc<Cuts>,
) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        // After so many bytes of questions or of answers, whatever comes first.
        let (asked, answered) = (10_000 + random.below(150_000), 10_000 + random.below(150_000));
        let (server, cuts, mut cut) = (server.clone(), Arc::clone(&cuts), cut.subscribe());
        connections.spawn(async move {
            // The server may be down.
            let Ok(mut server) = TcpStream::connect(server).await else { return };
            let (questions, mut to_client) = client.split();
            let (answers, mut to_server) = server.split();
            let (mut questions, mut answers) = (questions.take(asked), answers.take(answered));
            tokio::select! {
                _ = copy(&mut questions, &mut to_server) => {}
                _ = copy(&mut answers, &mut to_client) => {}
                _ = cut.changed() => {}
            }
            cuts.all.fetch_add(1, Ordering::Relaxed);
            if questions.limit() == 0 || answers.limit() == 0 {
                cuts.by_bytes.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}
