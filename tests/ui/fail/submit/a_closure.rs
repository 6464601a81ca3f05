use std::time::Duration;

async fn main_part(jobs: jobs::Jobs) -> Result<(), jobs::SubmitError> {
    jobs.every(Duration::from_secs(60), || async {}).key("minutely").await?;
    Ok(())
}

fn main() {
    let _ = main_part;
}
