//! The `#[job]` attribute of `jobs`.
#![forbid(unsafe_code)]

/// Makes a job of a function.
#[proc_macro_attribute]
pub fn job(_attribute: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    item
}
