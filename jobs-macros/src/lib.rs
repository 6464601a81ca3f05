//! The `#[job]` attribute of `jobs`.
//!
//! A pipeline: `ast`, `item`, `param`, `argument`, `sized` and `ty` read the item, `attr` the attributes (`entry` cuts
//! them; `value`, `literal`, `attempts` and `limits` read them); `valid` and `schedules` hold them against each other,
//! and `neighbours` and `hidden` the names against the module and the language; `expand` and `register` write the job, with the values that are
//! `given` to its arguments. Mistakes gather in a `ctxt::Ctxt`; where there are any, `fallback` takes the place of
//! `expand`.
#![forbid(unsafe_code)]

mod argument;
mod ast;
mod attempts;
mod attr;
mod ctxt;
mod entry;
mod expand;
mod fallback;
mod given;
mod hidden;
mod item;
mod key;
mod limits;
mod literal;
mod neighbours;
mod param;
mod pipeline;
mod register;
mod schedules;
mod sized;
mod source;
#[cfg(test)]
mod tests;
mod ty;
mod valid;
mod value;

use proc_macro::TokenStream;

#[doc = include_str!("job.md")]
#[proc_macro_attribute]
pub fn job(attribute: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::job(attribute.into(), item.into()).into()
}

/// Marks a function that `#[job]` has seen, for a second `#[job]` under another name.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn __stacked(_attribute: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// Puts what it holds behind the struct it stands on.
///
/// The implementations of a job hang on its struct this way, so that a `#[job]` inside of an `impl`, where no
/// struct can stand, gives one message and not one for each use of the struct.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn __implement(implementations: TokenStream, item: TokenStream) -> TokenStream {
    let mut both = item;
    both.extend(implementations);
    both
}
