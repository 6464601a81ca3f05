use jobs::job;

#[job]
async fn greet(names: Vec<str>) {
    drop(names);
}

fn main() {
    let _ = greet { names: vec![String::from("Ada")] };
}
