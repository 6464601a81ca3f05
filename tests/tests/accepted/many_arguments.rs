//! There may be as many arguments as a function can have, of any type that can be kept.
#![allow(clippy::too_many_arguments)]
use std::borrow::Cow;
use std::collections::BTreeMap;

use jobs::job;

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Order<T> {
    items: Vec<T>,
}

#[job(every = "1h", args(a = "x", n = b'x', o = Order { items: vec![(1, None)] }))]
async fn many(
    a: String,
    #[default] b: u8,
    #[default = 3.5] c: f64,
    #[default = [1; 4]] d: [u8; 4],
    #[default = Some("x".to_owned())] e: Option<String>,
    #[default] f: (u8, String, [u8; 3]),
    #[default] g: BTreeMap<String, Vec<u8>>,
    #[default = "owned"] h: Cow<'static, str>,
    #[default = 'x'] i: char,
    #[default = i64::MIN] j: i64,
    #[default] k: (),
    #[default = if true { 1 } else { 2 }] l: usize,
    #[default = Box::new(1)] m: Box<u8>,
    n: u8,
    o: Order<(u8, Option<String>)>,
    #[default = "boxed"] p: Box<str>,
) {
    let _ = (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
}
