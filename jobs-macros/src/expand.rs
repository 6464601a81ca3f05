//! Generates the job: the struct of its arguments, and what makes it a `Job`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Path, ReturnType};

use crate::ast::{Argument, Function, Param};
use crate::given::{default_value, defaults};
use crate::register::register;
use crate::valid::Job;

/// What all generated code needs.
pub(crate) struct Names {
    /// The path of `jobs`.
    pub(crate) krate: Path,
    /// Whether the user gave that path.
    pub(crate) renamed: bool,
    /// The struct.
    pub(crate) job: Ident,
}

impl Names {
    /// What the implementations call the struct.
    pub(crate) fn alias(&self) -> Ident {
        Ident::new("__Job", self.job.span())
    }

    /// `Self`, shown at the function's name: the compiler tells a mistake at one place once.
    fn this(&self) -> Ident {
        Ident::new("Self", self.job.span())
    }

    /// The door to what generated code needs, as if written at a place in the source: then a mistake is shown
    /// there, and not at the attribute.
    pub(crate) fn private_at(&self, span: Span) -> TokenStream {
        if !self.renamed {
            return quote_spanned!(span=> ::jobs::__private);
        }
        let path = self.krate.to_token_stream().into_iter().map(|mut token| {
            token.set_span(token.span().located_at(span));
            token
        });
        let path: TokenStream = path.collect();
        quote_spanned!(span=> #path::__private)
    }
}

pub(crate) fn job(names: &Names, function: &Function, job: &Job) -> TokenStream {
    let defaults = defaults(names, function);
    let clone = clone(names, function);
    let serde = serde(names, function);
    let run = run(names, function, job);
    let register = register(names, function, job);
    definition(names, function, function.arguments(), &quote!(#defaults #clone #serde #run #register))
}

/// The struct, with the function's name and visibility, and its implementations.
///
/// They call it by an alias: where a module has taken the name, the compiler says so in one place.
pub(crate) fn definition<'a>(
    names: &Names,
    function: &Function,
    arguments: impl Iterator<Item = &'a Argument>,
    implementations: &TokenStream,
) -> TokenStream {
    let Names { krate, job, .. } = names;
    let alias = names.alias();
    let vis = &function.item.vis;
    let doc = format!("The job of the function `{}`, with its arguments.", function.item.sig.ident.unraw());
    let deprecated: Vec<_> =
        function.item.attrs.iter().filter(|attribute| attribute.path().is_ident("deprecated")).collect();
    // The generated code names what is deprecated, which is no use of it that its author has to hear of.
    let allow = (!deprecated.is_empty()).then(|| quote!(#[allow(deprecated)]));
    let fields = arguments.map(|argument| {
        let Argument { ident, ty, docs, .. } = argument;
        let docs = if docs.is_empty() {
            let doc = format!("The argument `{}`.", argument.name());
            quote!(#[doc = #doc])
        } else {
            quote!(#(#docs)*)
        };
        quote!(#docs #vis #ident: #ty)
    });
    // Where the path is wrong, its last word is shown and not the whole attribute.
    let private =
        names.private_at(krate.segments.last().map_or_else(Span::call_site, |last| last.ident.span()));
    quote! {
        #[#private::__implement {
            #allow
            const _: () = {
                type #alias = #job;
                #implementations
            };
        }]
        #[doc = #doc]
        #[allow(non_camel_case_types, clippy::pub_underscore_fields)]
        #(#deprecated)*
        #vis struct #job {
            #(#fields),*
        }
    }
}

/// `Clone`, and a `Debug` that asks nothing of the arguments and shows none of their values.
fn clone(names: &Names, function: &Function) -> TokenStream {
    let Names { krate, job, .. } = names;
    let (alias, this) = (names.alias(), names.this());
    let text = job.unraw().to_string();
    let fields = function.arguments().map(|argument| {
        let ident = &argument.ident;
        quote!(#ident: #krate::__private::ArgumentOf::at(&self.#ident).cloned(&self.#ident))
    });
    let debug = if function.arguments().next().is_none() {
        quote!(f.write_str(#text))
    } else {
        quote!(f.debug_struct(#text).finish_non_exhaustive())
    };
    quote! {
        #[automatically_derived]
        impl ::core::clone::Clone for #alias {
            fn clone(&self) -> Self {
                #this { #(#fields),* }
            }
        }

        #[automatically_derived]
        impl ::core::fmt::Debug for #alias {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #debug
            }
        }
    }
}

fn serde(names: &Names, function: &Function) -> TokenStream {
    let Names { krate, job, .. } = names;
    let (alias, this) = (names.alias(), names.this());
    let private = quote!(#krate::__private);
    let serde = quote!(#private::serde);
    let arguments: Vec<&Argument> = function.arguments().collect();
    let text = job.unraw().to_string();
    let field_names = arguments.iter().map(|argument| argument.name());

    let write = arguments.iter().map(|argument| {
        let (ident, name) = (&argument.ident, argument.name());
        quote!(#private::ArgumentOf::at(&self.#ident).write(__to, #name, &self.#ident)?;)
    });
    let locals: Vec<Ident> =
        (0..arguments.len()).map(|index| format_ident!("__{index}", span = Span::mixed_site())).collect();
    let slots = arguments.iter().zip(&locals).map(|(argument, local)| {
        // The one place that asserts what an argument must be; its span is that of the type.
        let ty = &argument.ty;
        let at = names.private_at(ty.span());
        let slot = quote_spanned!(ty.span()=> <#ty as #at::Argument>::__slot());
        quote!(let mut #local = #slot;)
    });
    let reads = locals.iter().enumerate().map(|(index, local)| {
        quote! {
            ::core::option::Option::Some(#index) => {
                #local = #private::ArgumentOf::slot(&#local).read(__from)?;
            }
        }
    });
    let fields = arguments.iter().zip(&locals).map(|(argument, local)| {
        let (ident, name) = (&argument.ident, argument.name());
        let missing = match default_value(argument) {
            Some(value) => value,
            None => quote!(#private::ArgumentOf::slot(&#local).missing(#name)?),
        };
        quote! {
            #ident: match #local {
                ::core::option::Option::Some(__value) => __value,
                ::core::option::Option::None => #missing,
            }
        }
    });
    let to = if arguments.is_empty() { quote!(_to) } else { quote!(__to) };
    quote! {
        #[automatically_derived]
        impl #private::Arguments for #alias {
            const NAME: &'static ::core::primitive::str = #text;
            const FIELDS: &'static [&'static ::core::primitive::str] = &[#(#field_names),*];

            fn write<__S: #serde::ser::SerializeStruct>(
                &self,
                #to: &mut __S,
            ) -> ::core::result::Result<(), __S::Error> {
                #(#write)*
                ::core::result::Result::Ok(())
            }

            fn read<'__de, __F: #private::FieldSource<'__de>>(
                __from: &mut __F,
            ) -> ::core::result::Result<Self, __F::Error> {
                #(#slots)*
                loop {
                    match __from.field(<Self as #private::Arguments>::FIELDS)? {
                        #(#reads)*
                        ::core::option::Option::Some(_) => __from.skip()?,
                        ::core::option::Option::None => break,
                    }
                }
                ::core::result::Result::Ok(#this { #(#fields),* })
            }
        }

        #[automatically_derived]
        impl #serde::Serialize for #alias {
            fn serialize<__S: #serde::Serializer>(
                &self,
                __serializer: __S,
            ) -> ::core::result::Result<__S::Ok, __S::Error> {
                #private::Arguments::serialize(self, __serializer)
            }
        }

        #[automatically_derived]
        impl<'__de> #serde::Deserialize<'__de> for #alias {
            fn deserialize<__D: #serde::Deserializer<'__de>>(
                __deserializer: __D,
            ) -> ::core::result::Result<Self, __D::Error> {
                #private::Arguments::deserialize(__deserializer)
            }
        }
    }
}

/// `impl Job`: the call of the function.
fn run(names: &Names, function: &Function, job: &Job) -> TokenStream {
    let (krate, alias) = (&names.krate, names.alias());
    let private = quote!(#krate::__private);
    let name = &job.name;
    let called = &function.item.sig.ident;
    let is_async = function.item.sig.asyncness.is_some();
    // What a run holds across its awaits is the function's affair, so a mistake there is shown at its name.
    let at = called.span().resolved_at(Span::mixed_site());

    let cx = Ident::new("__cx", Span::mixed_site());
    let of = Ident::new("__of", Span::mixed_site());
    // A struct without fields may go anywhere.
    let has_arguments = function.arguments().next().is_some();

    let mut states = Vec::new();
    let mut inputs = Vec::new();
    for (index, param) in function.params.iter().enumerate() {
        match param {
            Param::Context => inputs.push(if is_async { quote!(&#cx) } else { quote!(#cx) }),
            Param::State { ty, .. } => {
                let local = format_ident!("__state{index}", span = Span::mixed_site());
                let at = names.private_at(ty.span());
                let state = quote_spanned!(ty.span()=> <#ty as #at::State>::__of);
                let context = if is_async { quote!(&#cx) } else { quote!(#cx) };
                states.push(quote!(let #local = #state(#context);));
                inputs.push(quote!(&#local));
            }
            Param::Argument(Argument { ident, .. }) => inputs.push(quote!(self.#ident)),
            Param::Refused(_) => {}
        }
    }
    let (returned, result) = {
        let span = match &function.item.sig.output {
            ReturnType::Default => called.span(),
            ReturnType::Type(_, ty) => ty.span(),
        };
        let returned = Ident::new("returned", span);
        let at = names.private_at(span);
        let result = quote_spanned!(span=> #at::Returned::into_result(#returned));
        let result = match &function.item.sig.output {
            ReturnType::Default => result,
            ReturnType::Type(..) => {
                let local = |name| Ident::new(name, span.resolved_at(Span::mixed_site()));
                let (output, error) = (local("output"), local("error"));
                let context = if is_async { quote!(&#cx) } else { quote!(#cx) };
                quote_spanned! {span=>
                    match #result {
                        ::core::result::Result::Ok(#output) => {
                            #at::OutputOf::at(&#output).keep(&#output, #context);
                            ::core::result::Result::Ok(())
                        }
                        ::core::result::Result::Err(#error) => ::core::result::Result::Err(#error),
                    }
                }
            }
        };
        (returned, result)
    };
    let body = if is_async {
        quote_spanned! {at=>
            #(#states)*
            let #returned = #called(#(#inputs),*).await;
            #result
        }
    } else {
        let context = if states.is_empty()
            && matches!(function.item.sig.output, ReturnType::Default)
            && !function.params.iter().any(|param| matches!(param, Param::Context))
        {
            quote!(_)
        } else {
            quote!(#cx)
        };
        let call = quote! {
            move |#context| {
                #(#states)*
                let #returned = #called(#(#inputs),*);
                #result
            }
        };
        match has_arguments {
            true => quote!(#of.blocking(#cx, #call).await),
            false => quote!(#cx.__blocking(#call).await),
        }
    };
    let future = quote_spanned! {at=>
        impl ::core::future::Future<Output = #krate::JobResult> + ::core::marker::Send + 'static
    };
    let run = match (has_arguments, is_async) {
        (true, true) => quote!(#private::RunOf::at(&self).sent(async move { #body })),
        (true, false) => quote! {
            let #of = #private::RunOf::at(&self);
            #private::RunOf::at(&self).sent(async move { #body })
        },
        (false, _) => quote!(async move { #body }),
    };
    quote! {
        #[automatically_derived]
        impl #krate::Job for #alias {
            const NAME: &'static ::core::primitive::str = #name;

            fn run(self, #cx: #krate::JobContext) -> #future {
                #run
            }

            fn __descriptor() -> ::core::option::Option<&'static #private::Descriptor> {
                ::core::option::Option::Some(&__DESCRIPTOR)
            }
        }
    }
}

pub(crate) fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}
