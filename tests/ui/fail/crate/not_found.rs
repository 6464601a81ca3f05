use jobs::job;

#[job(every = "1h", crate = nope)]
async fn sweep(#[default] rooms: u32) {
    drop(rooms);
}

fn main() {}
