use jobs::job;

struct Line<'a>(&'a str);

#[job]
async fn mail(line: Line<'_>) {
    drop(line.0);
}

fn main() {}
