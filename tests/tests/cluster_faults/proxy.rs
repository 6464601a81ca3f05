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
    cuts: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn start(address: &str, seed: u64) -> Self {
        let server = address.split(['@', '/']).nth(3).unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let through = address.replace(&server, &listener.local_addr().unwrap().to_string());
        let (cut, cuts) = (watch::Sender::new(0), Arc::<AtomicU64>::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(pass_on(listener, server, Rng::new(seed), cut.clone(), Arc::clone(&cuts)));
        Self { address: through, cut, cuts, _tasks: tasks }
    }

    /// Cuts every connection that there is.
    pub(crate) fn cut_all(&self) {
        self.cut.send_modify(|cut| *cut += 1);
    }

    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }
}

async fn pass_on(
    listener: TcpListener,
    server: String,
    mut random: Rng,
    cut: watch::Sender<u64>,
    cuts: Arc<AtomicU64>,
) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        // After so many bytes of questions or of answers, whatever comes first.
        let (asked, answered) = (30_000 + random.below(400_000), 30_000 + random.below(400_000));
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
            cuts.fetch_add(1, Ordering::Relaxed);
        });
    }
}
