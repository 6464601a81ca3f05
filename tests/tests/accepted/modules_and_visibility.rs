//! In any module, with any visibility: the struct and its fields take that of the function.
mod outer {
    pub mod inner {
        #[jobs::job(every = "1h")]
        pub(in crate::accepted::modules_and_visibility::outer) async fn narrow(#[default] count: u32) {
            let _ = count;
        }
    }

    mod private {
        #[jobs::job]
        pub(super) fn sweep(to: String) {
            drop(to);
        }

        #[allow(clippy::needless_pub_self)]
        #[jobs::job(name = "private")]
        pub(self) fn private_one() {}

        pub(super) fn check() {
            private_one();
            let _ = private_one {};
        }
    }

    #[jobs::job]
    pub(crate) async fn of_the_crate(to: String) {
        drop(to);
    }

    pub(super) fn check() {
        private::check();
        private::sweep(String::new());
        let _ = private::sweep { to: String::new() };
        let _ = inner::narrow { count: 1 };
    }
}

#[test]
fn accepted() {
    outer::check();
    let job = outer::of_the_crate { to: String::from("ops") };
    assert_eq!(job.to, "ops");
}
