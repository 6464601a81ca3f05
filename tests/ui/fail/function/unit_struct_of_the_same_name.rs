use jobs::job;

#[allow(non_camel_case_types)]
struct sweep;

#[job(every = "1h")]
async fn sweep(#[default] rooms: u32) {
    drop(rooms);
}

fn main() {}
