//! What is left of a job with a mistake: the function, and a job of its name that type-checks wherever it is
//! used and is registered nowhere. So the mistake is the only message.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::{Argument, Function, Param};
use crate::expand::{Names, definition_with};

pub(crate) fn job(names: &Names, function: &Function) -> TokenStream {
    if function.is_method() {
        // Inside of an `impl`, where no struct can stand.
        return TokenStream::new();
    }
    let Names { krate, job } = names;
    let fields = function.params.iter().filter_map(|param| match param {
        Param::Argument(argument) | Param::Refused(Some(argument)) => Some(argument),
        _ => None,
    });
    let definition = if function.item.sig.generics.params.is_empty() {
        definition_with(names, function, fields)
    } else {
        // The types of the fields may name parameters that the struct does not have.
        definition_with(names, function, std::iter::empty::<&Argument>())
    };
    let name = job.to_string();
    let unreachable = quote!(::core::panic!("a job that does not compile"));
    quote! {
        #definition

        const _: () = {
            #[automatically_derived]
            impl ::core::clone::Clone for #job {
                fn clone(&self) -> Self {
                    #unreachable
                }
            }

            #[automatically_derived]
            impl ::core::fmt::Debug for #job {
                fn fmt(&self, _: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    #unreachable
                }
            }

            #[automatically_derived]
            impl #krate::__private::serde::Serialize for #job {
                fn serialize<__S: #krate::__private::serde::Serializer>(
                    &self,
                    _: __S,
                ) -> ::core::result::Result<__S::Ok, __S::Error> {
                    #unreachable
                }
            }

            #[automatically_derived]
            impl<'__de> #krate::__private::serde::Deserialize<'__de> for #job {
                fn deserialize<__D: #krate::__private::serde::Deserializer<'__de>>(
                    _: __D,
                ) -> ::core::result::Result<Self, __D::Error> {
                    #unreachable
                }
            }

            #[automatically_derived]
            impl #krate::Job for #job {
                const NAME: &'static ::core::primitive::str = #name;

                async fn run(self, _: #krate::JobContext) -> #krate::JobResult {
                    #unreachable
                }
            }
        };
    }
}
