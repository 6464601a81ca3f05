use jobs::job;

#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Cursor {
    #[serde(skip)]
    at: std::marker::PhantomData<*const u8>,
}

#[job]
fn sweep(from: Cursor) {}

fn main() {}
