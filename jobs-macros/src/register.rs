//! Generates the descriptor of a job, and its entry in the program's list of jobs.

use jobs_syntax::Missed;
use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};

use crate::ast::{Function, Param};
use crate::attempts::duration;
use crate::expand::{Names, option};
use crate::given::value;
use crate::literal::When;
use crate::schedules::{Schedule, args_text};
use crate::valid::Job;

/// The descriptor, and its entry in the program's list of jobs.
pub(crate) fn register(names: &Names, function: &Function, job: &Job) -> TokenStream {
    let (krate, alias) = (&names.krate, names.alias());
    let private = quote!(#krate::__private);
    let Job { name, aliases, enabled, overlap, attempts, limits, schedules, .. } = job;
    let description = &function.description;
    let blocking = function.item.sig.asyncness.is_none();
    let startup = option(job.startup.map(|(startup, order)| {
        let blocking = startup.blocking;
        quote!(#private::Startup { blocking: #blocking, order: #order })
    }));
    let overlap = option(overlap.map(|overlap| {
        let variant = format_ident!("{overlap:?}");
        quote!(#private::Overlap::#variant)
    }));
    let attempts = attempts.expand(&private);
    let limits = limits.expand(&private);
    let default = option(value(names, function, &[]).map(|value| quote!(|| #private::Erased::new(#value))));
    let schedules = schedules.iter().map(|schedule| schedule_decl(names, function, schedule));
    let arguments = function.arguments().map(|argument| {
        let (ty, name, redacted) = (&argument.ty, argument.name(), argument.redacted);
        let has_default = argument.default.is_some();
        quote! {
            #private::ArgumentDecl {
                name: #name,
                type_name: ::core::any::type_name::<#ty>,
                has_default: #has_default,
                redacted: #redacted,
            }
        }
    });
    let states = function.params.iter().filter_map(|param| match param {
        Param::State { name, ty } => Some(quote! {
            #private::StateDecl {
                type_id: ::core::any::TypeId::of::<#ty>,
                type_name: ::core::any::type_name::<#ty>,
                parameter: #name,
            }
        }),
        _ => None,
    });
    quote! {
        static __DESCRIPTOR: #private::Descriptor = #private::Descriptor {
            name: #name,
            aliases: &[#(#aliases),*],
            description: #description,
            module: ::core::module_path!(),
            file: ::core::file!(),
            line: ::core::line!(),
            blocking: #blocking,
            enabled: #enabled,
            startup: #startup,
            overlap: #overlap,
            attempts: #attempts,
            limits: #limits,
            arguments: &[#(#arguments),*],
            schedules: &[#(#schedules),*],
            states: &[#(#states),*],
            default: #default,
            read: #private::read::<#alias>,
        };

        #private::inventory::submit! { #private::registered::<#alias>(&__DESCRIPTOR) }
    }
}

fn schedule_decl(names: &Names, function: &Function, schedule: &Schedule) -> TokenStream {
    let krate = &names.krate;
    let private = quote!(#krate::__private);
    let Schedule { when, text, tz, key, jitter, missed, args, lines_below } = schedule;
    let variant = match when {
        When::Cron { .. } => quote!(Spec),
        When::Named => quote!(Named),
        When::Every if text.trim_start().starts_with('@') => quote!(Spec),
        When::Every => quote!(Every),
        When::Delay => quote!(FixedDelay),
    };
    let tz = option(tz.as_ref().map(ToTokens::to_token_stream));
    let key = option(key.as_ref().map(ToTokens::to_token_stream));
    let jitter = option(jitter.map(duration));
    let missed = option(missed.map(|missed| self::missed(&private, missed)));
    let args_text = args_text(args, function);
    let value = value(names, function, args);
    // A macro of the user's may hold the whole of it: then its call is the line, and the distance still fits.
    let line = match u32::try_from(*lines_below) {
        Ok(0) | Err(_) => quote!(::core::line!()),
        Ok(below) => quote!(::core::line!() + #below),
    };
    quote! {
        #private::ScheduleDecl {
            when: #private::WhenDecl::#variant(#text),
            tz: #tz,
            key: #key,
            jitter: #jitter,
            missed: #missed,
            job: || #private::Erased::new(#value),
            args: #args_text,
            line: #line,
        }
    }
}

fn missed(private: &TokenStream, missed: Missed) -> TokenStream {
    let policy = format_ident!("{}", missed.policy().as_str().to_uppercase());
    match missed.window() {
        Some(window) => {
            let window = duration(window);
            quote!(#private::Missed::#policy.within(#window))
        }
        None => quote!(#private::Missed::#policy),
    }
}
