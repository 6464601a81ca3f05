use jobs::job;

#[job(crate = std)]
async fn sweep(rooms: u32) {
    drop(rooms);
}

fn main() {}
