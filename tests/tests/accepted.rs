//! What `#[job]` accepts, by what could go wrong. `accepted_lints.rs` is a crate of its own, as lints are of a crate.
#![allow(unreachable_pub, reason = "visibility is among what is tested")]

mod accepted {
    mod attempts;
    mod behind_a_facade;
    mod forbidden_unsafe;
    mod forms;
    mod from_macro_rules;
    mod functions_in_functions;
    mod hostile_names;
    mod limits;
    mod many_arguments;
    mod modules_and_visibility;
    mod names_of_generated_locals;
    mod no_implicit_prelude;
    mod other_attributes;
    mod raw_names;
    mod renamed_crate;
    mod return_types;
    mod struct_name_beside_a_module;
}
