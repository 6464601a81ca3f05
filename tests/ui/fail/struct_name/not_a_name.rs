use jobs::job;

#[job(struct_name = "my job")]
async fn sweep() {}

fn main() {
    let _ = sweep {};
}
