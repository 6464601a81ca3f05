use jobs::job;

#[job]
async fn mail(to: Self, cc: Vec<Self>) {
    drop((to, cc));
}

fn main() {}
