//! Macros of the user's may write jobs, in whole or in part.
use jobs::job;

macro_rules! nightly {
    ($(#[$attr:meta])* $vis:vis $name:ident, $spec:literal, $every:expr, $ty:ty, $default:expr) => {
        $(#[$attr])*
        #[job(schedule = $spec)]
        #[job(every = $every, args(value = $default))]
        $vis async fn $name(#[default = $default] value: $ty) {
            drop(value);
        }
    };
}

nightly!(pub from_macro, "0 0 3 * * *", "1h", Vec<u8>, vec![1]);
nightly!(
    /// Documented.
    other_from_macro, "cron.nightly", "2h", Option<String>, None
);

macro_rules! whole {
    ($item:item) => {
        $item
    };
}

whole! {
    #[job(every = "2h")]
    /// With a doc comment.
    fn passed_through(#[default] text: String, #[default] cx: u8) {
        let _ = (text, cx);
    }
}

macro_rules! name_from_outside {
    ($($name:ident: $ty:ty),*) => {
        #[job]
        async fn fields($($name: $ty),*, inside: u8) {
            let _ = ($($name),*, inside);
        }
    };
}

name_from_outside!(one: u8, two: String);

macro_rules! with_text {
    ($text:expr) => {
        #[job(every = "1h", args(to = $text))]
        async fn texts(to: String, #[default = $text] from: Box<str>) {
            drop((to, from));
        }
    };
}

macro_rules! with_text_passed_on {
    ($text:expr) => {
        with_text!($text);
    };
}

with_text_passed_on!("ops");

#[test]
fn accepted() {
    let _ = texts { to: String::new(), from: "ops".into() };
    let _ = (from_macro { value: vec![] }, other_from_macro { value: None });
    let _ = passed_through { text: String::new(), cx: 1 };
}
