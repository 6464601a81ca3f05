//! A job may be local to a function, and use what is local to it.
use jobs::job;

#[test]
fn accepted() {
    #[derive(Clone, serde::Serialize, serde::Deserialize, Default)]
    struct Local;

    #[job(every = "1h")]
    async fn with_local_type(#[default] local: Local) {
        let _ = local;
    }

    #[job(every = "1h")]
    async fn without() {}

    let _ = (with_local_type { local: Local }, without {});
    drop(with_local_type(Local));
    let closure = || {
        #[job]
        fn in_a_closure() {}
        in_a_closure();
        in_a_closure {}
    };
    let _ = closure();
}
