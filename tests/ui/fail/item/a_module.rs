use jobs::job;

#[job]
mod sweep {
    pub fn run() {}
}

fn main() {
    sweep::run();
}
