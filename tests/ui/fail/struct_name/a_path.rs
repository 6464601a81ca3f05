use jobs::job;

#[job(struct_name = jobs::Sweep)]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
