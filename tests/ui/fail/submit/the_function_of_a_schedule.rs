use jobs::job;

#[job]
fn sweep() {}

async fn main_part(jobs: jobs::Jobs) -> Result<(), jobs::SubmitError> {
    jobs.schedule("@daily", sweep).tz("Europe/Oslo").await?;
    Ok(())
}

fn main() {
    let _ = main_part;
}
