//! What `#[job]` writes down about a function, and how a job's arguments are kept.

use jobs::__private::{Descriptor, Overlap, Startup, WhenDecl};
use jobs::{Job, JobContext, job};

fn descriptor<J: Job>() -> &'static Descriptor {
    J::__descriptor().expect("a job of the attribute has a descriptor")
}

struct Db;

/// Mails.
///
///   Indented, `code`.
///
/// The end.
#[job(schedule = ["0 0 3 * * *", " cron.nightly "], tz = "Europe/Oslo", args(times = 1 + 2, to = "ops"))]
#[jobs::job(schedule = "@every 90m", key = "often", args(to = "dev"))]
#[job(every = "24h", args(to = "x"), overlap = "cancel_other", aliases = ["mailer", "post"])]
async fn mail(
    #[state] db: &Db,
    cx: &JobContext,
    to: String,
    #[default = 7] times: u32,
    #[default] r#type: Option<String>,
    #[default = Some(1)] note: Option<u8>,
) -> Result<(), String> {
    let _ = (db, cx, to, times, r#type, note);
    Ok(())
}

#[job(startup = "blocking", order = -3, enabled = false, name = "first-of-all", struct_name = Begin)]
fn begin() {}

#[job(startup)]
async fn warm(#[default = "all"] what: String) {
    drop(what);
}

#[job]
fn on_demand(count: u8, note: Option<u8>) {
    let _ = (count, note);
}

mod inner {
    #[jobs::job(every = "1s")]
    pub(super) async fn nested() {}
}

#[test]
fn the_job_is_as_the_attribute_says() {
    let mail = descriptor::<mail>();
    assert_eq!((mail.name, mail.aliases), ("mail", &["mailer", "post"][..]));
    assert_eq!(mail.description, "Mails.\n\n  Indented, `code`.\n\nThe end.");
    assert_eq!(mail.module, module_path!());
    assert_eq!(mail.file, file!());
    assert!(!mail.blocking && mail.enabled);
    assert_eq!((mail.startup, mail.overlap), (None, Some(Overlap::CancelOther)));

    let begin = descriptor::<Begin>();
    assert_eq!((begin.name, Begin::NAME), ("first-of-all", "first-of-all"));
    assert!(begin.blocking && !begin.enabled && begin.schedules.is_empty() && begin.default.is_some());
    assert_eq!(begin.startup, Some(Startup { blocking: true, order: -3 }));

    let warm = descriptor::<warm>();
    assert_eq!(warm.startup, Some(Startup { blocking: false, order: 0 }));
    assert!(warm.default.is_some());

    let on_demand = descriptor::<on_demand>();
    assert_eq!((on_demand.description, on_demand.overlap), ("", None));
    assert!(on_demand.default.is_none() && on_demand.schedules.is_empty() && on_demand.startup.is_none());

    assert_eq!(descriptor::<inner::nested>().module, concat!(module_path!(), "::inner"));
}

#[test]
fn every_attribute_adds_its_schedules() {
    let mail = descriptor::<mail>();
    let schedules: Vec<_> = mail
        .schedules
        .iter()
        .map(|schedule| (schedule.when, schedule.tz, schedule.key, schedule.args, schedule.line - mail.line))
        .collect();
    let oslo = Some("Europe/Oslo");
    assert_eq!(
        schedules,
        [
            // In the order of the parameters, whatever that of the attribute.
            (WhenDecl::Spec("0 0 3 * * *"), oslo, None, "to = \"ops\", times = 1 + 2", 0),
            (WhenDecl::Named("cron.nightly"), oslo, None, "to = \"ops\", times = 1 + 2", 0),
            (WhenDecl::Spec("@every 90m"), None, Some("often"), "to = \"dev\"", 1),
            (WhenDecl::Every("24h"), None, None, "to = \"x\"", 2),
        ]
    );
}

#[test]
fn states_are_known_by_their_type() {
    let [state] = descriptor::<mail>().states else { panic!("one state") };
    assert_eq!(state.parameter, "db");
    assert_eq!((state.type_id)(), std::any::TypeId::of::<Db>());
    assert_eq!((state.type_name)(), std::any::type_name::<Db>());
}

#[test]
fn the_program_lists_every_job_once() {
    let mut names: Vec<_> = jobs::__private::inventory::iter::<&Descriptor>
        .into_iter()
        .map(|descriptor| descriptor.name)
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["first-of-all", "mail", "nested", "on_demand", "warm"]);
}

#[test]
fn arguments_survive_being_kept() {
    let job = mail { to: "ada".into(), times: 3, r#type: Some("x".into()), note: None };
    let kept = serde_json::to_string(&job).unwrap();
    assert_eq!(kept, r#"{"to":"ada","times":3,"type":"x","note":null}"#);
    let mail { to, times, r#type, note } = serde_json::from_str(&kept).unwrap();
    assert_eq!((to.as_str(), times, r#type.as_deref(), note), ("ada", 3, Some("x"), None));
    assert_eq!(serde_json::to_string(&Begin {}).unwrap(), "{}");
    let Begin {} = serde_json::from_str("{}").unwrap();
}

#[test]
fn unknown_fields_are_passed_over_and_missing_ones_take_their_default() {
    let mail { to, times, r#type, note } = serde_json::from_str(r#"{"later":[{"x":1}],"to":"ada"}"#).unwrap();
    assert_eq!((to.as_str(), times, r#type, note), ("ada", 7, None, Some(1)));
    let warm { what } = serde_json::from_str("{}").unwrap();
    assert_eq!(what, "all");
    // As everywhere in serde, an `Option` that is missing is none.
    let on_demand { count, note } = serde_json::from_str(r#"{"count":3}"#).unwrap();
    assert_eq!((count, note), (3, None));
}

#[test]
fn a_sequence_is_read_in_the_order_of_the_parameters() {
    let mail { to, times, .. } = serde_json::from_str(r#"["ada", 9]"#).unwrap();
    assert_eq!((to.as_str(), times), ("ada", 9));
}

#[test]
fn what_does_not_decode_says_what_is_wrong() {
    let error = |json| serde_json::from_str::<mail>(json).unwrap_err().to_string();
    assert!(error(r#"{"times":3}"#).starts_with("missing argument `to`"), "{}", error(r#"{"times":3}"#));
    assert!(error(r#"{"to":1}"#).starts_with("invalid type: integer `1`, expected a string"));
    assert!(error("3").contains("expected the arguments of `mail`"), "{}", error("3"));
}

#[test]
fn a_job_is_cloned_and_shows_no_values() {
    let job = warm { what: "secret".into() };
    assert_eq!(format!("{:?} {:?}", job.clone(), Begin {}), "warm { .. } Begin");
    assert_eq!(job.clone().what, job.what);
}

#[test]
fn the_function_stays_a_function() {
    begin();
    on_demand(3, None);
    let _: fn() = begin;
}
