use std::time::Duration;

use jobs::job;

#[job]
async fn send(_to: String) {}

async fn main_part(jobs: jobs::Jobs) -> Result<jobs::RunId, jobs::SubmitError> {
    let run = jobs.after(Duration::from_secs(60), send).queue("mail").retries(3).await?;
    Ok(run.id())
}

fn main() {
    let _ = main_part;
}
