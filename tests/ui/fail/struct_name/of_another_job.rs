use jobs::job;

#[job(struct_name = Mail)]
async fn letter() {}

#[job(struct_name = Mail)]
async fn parcel() {}

fn main() {}
