//! What is left of a job with a mistake: the function, and a job of its name that type-checks wherever it is
//! used and is registered nowhere. So the mistake is the only message.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::{Function, Param};
use crate::expand::{Names, definition};

pub(crate) fn job(names: &Names, function: &Function) -> TokenStream {
    if function.is_method() {
        // Inside of an `impl`, where no struct can stand.
        return TokenStream::new();
    }
    let Names { krate, job, .. } = names;
    let alias = names.alias();
    let name = job.to_string();
    let unreachable = quote!(::core::panic!("a job that does not compile"));
    let implementations = quote! {
        #[automatically_derived]
        impl ::core::clone::Clone for #alias {
            fn clone(&self) -> Self {
                #unreachable
            }
        }

        #[automatically_derived]
        impl ::core::fmt::Debug for #alias {
            fn fmt(&self, _: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #unreachable
            }
        }

        #[automatically_derived]
        impl #krate::__private::serde::Serialize for #alias {
            fn serialize<__S: #krate::__private::serde::Serializer>(
                &self,
                _: __S,
            ) -> ::core::result::Result<__S::Ok, __S::Error> {
                #unreachable
            }
        }

        #[automatically_derived]
        impl<'__de> #krate::__private::serde::Deserialize<'__de> for #alias {
            fn deserialize<__D: #krate::__private::serde::Deserializer<'__de>>(
                _: __D,
            ) -> ::core::result::Result<Self, __D::Error> {
                #unreachable
            }
        }

        #[automatically_derived]
        impl #krate::Job for #alias {
            const NAME: &'static ::core::primitive::str = #name;

            async fn run(self, _: #krate::JobContext) -> #krate::JobResult {
                #unreachable
            }
        }
    };
    // The types of a generic function's parameters may name what the struct does not have.
    let generic = function.item.sig.generics.type_params().next().is_some();
    let fields = function.params.iter().filter_map(|param| match param {
        Param::Argument(argument) | Param::Refused(Some(argument)) if !generic => Some(argument),
        _ => None,
    });
    definition(names, function, fields, &implementations)
}
