use jobs::job;

#[job]
async fn sweep() {}

async fn main_part() -> Result<(), jobs::SubmitError> {
    jobs::now(sweep).await?;
    Ok(())
}

fn main() {
    drop(main_part());
}
