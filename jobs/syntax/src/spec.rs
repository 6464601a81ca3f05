use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use crate::duration::{format_duration, interval, parse_interval};
use crate::field::Field;
use crate::item::{FieldSet, parse_field};
use crate::name::PREFIX;
use crate::piece::Piece;
use crate::print::Canonical;
use crate::render::quoted;
use crate::{CronSpec, Stars, SyntaxError, SyntaxErrorKind as Kind, descriptor, zone};

/// The longest text that is parsed, in bytes. No schedule needs a tenth of it.
pub const MAX_TEXT: usize = 1024;

const FIELDS: &str = "the fields are `min hour dom month dow`, or `sec min hour dom month dow`";

/// A parsed schedule: what to do when, and in which zone when the text names one.
///
/// Its `Display` is the canonical text, which says everything that the schedule is: specs are equal exactly when
/// their canonical texts are, and [`parse`](Self::parse) reads the same spec from it.
///
/// ```
/// # use jobs_syntax::Spec;
/// let spec = Spec::parse("CRON_TZ=Europe/Oslo  */15 9-17 ? * mon-fri")?;
/// assert_eq!(spec.to_string(), "TZ=Europe/Oslo 0 */15 9-17 * * 1-5");
/// assert_eq!(spec, Spec::parse("TZ=Europe/Oslo 0 */15 9-17 * * 1-5")?);
/// # Ok::<(), jobs_syntax::SyntaxError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spec {
    zone: Option<Box<str>>,
    when: When,
}

/// When a schedule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum When {
    /// Whenever the wall clock matches.
    Cron(CronSpec),
    /// Whenever this much time has passed.
    Every(Duration),
}

impl Spec {
    /// Parses a schedule: five or six fields, a descriptor such as `@daily`, or `@every 90m`,
    /// each with an optional prefix `TZ=Zone `.
    ///
    /// # Errors
    ///
    /// The first mistake in the text, with its place and its fix.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let whole = Piece::whole(text).trim();
        if whole.is_empty() {
            return Err(whole.error(Kind::Empty, "empty schedule").with_help(
                "write five or six fields, such as `0 3 * * *`, or a descriptor, such as `@daily`",
            ));
        }
        if text.len() > MAX_TEXT {
            let message = format!("a schedule of {} bytes is longer than {MAX_TEXT}", text.len());
            return Err(whole.error(Kind::TooLong, message).with_help(FIELDS));
        }
        let (zone, rest) = split_zone(whole)?;
        refuse_zones(rest, zone.is_some())?;
        let when =
            if rest.text().starts_with('@') { parse_descriptor(rest)? } else { parse_fields(text, rest)? };
        Ok(Self { zone: zone.map(|zone| zone.text().into()), when })
    }

    /// The schedule that fires whenever `interval` has passed.
    ///
    /// # Errors
    ///
    /// As [`parse_interval`] for the canonical text of the interval.
    pub fn every(interval: Duration) -> Result<Self, SyntaxError> {
        parse_interval(&format_duration(interval))
            .map(|interval| Self { zone: None, when: When::Every(interval) })
    }

    /// The zone of a `TZ=` or `CRON_TZ=` prefix. It is not looked up in a zone database here.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// When the schedule fires.
    #[must_use]
    pub fn when(&self) -> &When {
        &self.when
    }
}

impl FromStr for Spec {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        Self::parse(text)
    }
}

/// The zone of a prefix, and the schedule behind it.
fn split_zone(text: Piece<'_>) -> Result<(Option<Piece<'_>>, Piece<'_>), SyntaxError> {
    let (word, rest) = text.split_word();
    let Some((key, zone)) = word.split_once('=') else { return Ok((None, text)) };
    if !matches!(key.text(), "TZ" | "CRON_TZ") {
        let known = ["TZ", "CRON_TZ"].into_iter().find(|known| known.eq_ignore_ascii_case(key.text()));
        let help = match (known, key.text()) {
            (Some(known), _) => format!("write {}", quoted(&format!("{known}={}", zone.text()))),
            (None, "every" | "schedule" | "spec" | "cron") => "write the schedule alone".to_owned(),
            (None, _) => "a zone stands before a schedule as in `TZ=Europe/Oslo 0 3 * * *`".to_owned(),
        };
        let key = text.split_at(key.text().len() + 1).0;
        return Err(key
            .error(Kind::UnknownPrefix, format!("unknown prefix {}", quoted(key.text())))
            .with_help(help));
    }
    if zone.is_empty() {
        let message = format!("{} has no zone behind it", quoted(word.text()));
        return Err(word
            .error(Kind::MissingZone, message)
            .with_help("write the zone without a space, as in `TZ=Europe/Oslo 0 3 * * *`"));
    }
    zone::check(zone)?;
    if rest.is_empty() {
        let message = format!("{} has no schedule behind it", quoted(word.text()));
        return Err(word.error(Kind::MissingSchedule, message).with_help(format!(
            "write the schedule behind it, as in {}",
            quoted(&format!("{} 0 3 * * *", word.text()))
        )));
    }
    Ok((Some(zone), rest))
}

/// A zone where none belongs: behind the schedule, before it without its prefix, or a second one.
fn refuse_zones(text: Piece<'_>, is_zoned: bool) -> Result<(), SyntaxError> {
    let found = text.words().find_map(|word| Some((word, zone_of(word)?)));
    let Some((word, zone)) = found.filter(|(word, _)| is_zoned || word.span() != text.span()) else {
        return Ok(());
    };
    if is_zoned {
        let message = format!("{} is a second zone, and a schedule has one", quoted(word.text()));
        return Err(word
            .error(Kind::RepeatedZone, message)
            .with_help("keep one; for several zones write several schedules"));
    }
    let others = text.words().filter(|other| other.span() != word.span()).map(Piece::text);
    let mended: Vec<&str> = others.collect();
    let mended = format!("TZ={} {}", zone.text(), mended.join(" "));
    let message = format!("{} is a time zone, which stands before the schedule", quoted(word.text()));
    Err(word.error(Kind::MisplacedZone, message).with_help(format!("write {}", quoted(&mended))))
}

/// The zone that a word of a schedule names.
fn zone_of(word: Piece<'_>) -> Option<Piece<'_>> {
    match word.split_once('=') {
        Some((key, zone)) => (matches!(key.text(), "TZ" | "CRON_TZ") && !zone.is_empty()).then_some(zone),
        None => zone::looks_like_name(word.text()).then_some(word),
    }
}

fn parse_descriptor(text: Piece<'_>) -> Result<When, SyntaxError> {
    let (word, rest) = text.split_word();
    if word.text() == descriptor::EVERY {
        if rest.is_empty() {
            return Err(word
                .error(Kind::MissingDuration, "`@every` has no duration behind it")
                .with_help("write one, as in `@every 90m`"));
        }
        return interval(rest).map(When::Every);
    }
    let Some(fields) = descriptor::fields(word.text()) else { return Err(descriptor::unknown(word)) };
    if !rest.is_empty() {
        let message = format!("{} stands alone, but {} follows it", quoted(word.text()), quoted(rest.text()));
        return Err(rest.error(Kind::TrailingText, message).with_help(format!(
            "write {} or the fields {}",
            quoted(word.text()),
            quoted(fields)
        )));
    }
    parse_fields(fields, Piece::whole(fields))
}

fn parse_fields(source: &str, text: Piece<'_>) -> Result<When, SyntaxError> {
    let mut words = text.words();
    let mut fields = [Piece::whole(""); 6];
    let mut count = 0;
    for (field, word) in fields.iter_mut().zip(words.by_ref()) {
        *field = word;
        count += 1;
    }
    if let Some(seventh) = words.next() {
        return Err(too_many(text, seventh, words.next().is_some()));
    }
    if count < 5 {
        return Err(too_few(text, &fields[..count]));
    }
    if count == 5 {
        // No second field: the second 0, as an item of its own without a star.
        fields.rotate_right(1);
        fields[0] = Piece::whole("0");
    }
    let mut sets = [FieldSet::default(); 6];
    for ((set, field), text) in sets.iter_mut().zip(Field::ALL).zip(fields) {
        *set = parse_field(field, text)?;
    }
    let spec = from_sets(&sets);
    let [.., day, month, weekday] = fields.map(Piece::span);
    spec.check_fires(day, month, weekday, source)?;
    Ok(When::Cron(spec))
}

fn too_few(text: Piece<'_>, fields: &[Piece<'_>]) -> SyntaxError {
    let first = fields.first().map_or("", |word| word.text());
    if fields.len() == 1 && first.starts_with(PREFIX) {
        let message = format!("{} is the name of a schedule, not a schedule", quoted(first));
        return text
            .error(Kind::NamedSchedule, message)
            .with_help("write the schedule itself; names do not nest");
    }
    let count = fields.len();
    let message = match count {
        1 => format!("{} is one field, a schedule has five or six", quoted(text.text())),
        count => format!("{} has {count} fields, a schedule has five or six", quoted(text.text())),
    };
    let help = if first.starts_with(['"', '\'', '`']) {
        "take out the quotes".to_owned()
    } else if let Some(descriptor) = descriptor::without_at(first).filter(|_| count <= 2) {
        let rest = text.skip(first.len()).text();
        format!("did you mean {}?", quoted(&format!("{descriptor}{rest}")))
    } else if count == 1 && parse_interval(first).is_ok() {
        format!("for an interval write {}", quoted(&format!("@every {first}")))
    } else if count == 1 {
        format!("write fields such as `0 3 * * *`, a descriptor such as `@daily`, or `@every 90m`; {FIELDS}")
    } else {
        FIELDS.to_owned()
    };
    text.error(Kind::TooFewFields, message).with_help(help)
}

fn too_many(text: Piece<'_>, seventh: Piece<'_>, more: bool) -> SyntaxError {
    let span = Range { start: seventh.span().start, end: text.span().end };
    let rest = text.skip(span.start - text.span().start);
    let before = text.split_at(span.start - text.span().start).0.trim();
    if !more && is_year(seventh.text()) {
        let message = format!("{} is a year, and schedules have no year field", quoted(seventh.text()));
        return seventh.error(Kind::YearField, message).with_help(format!(
            "write {}; for a single moment submit the job with `jobs::at`",
            quoted(before.text())
        ));
    }
    let message = format!("nothing may stand after the sixth field, but {} does", quoted(rest.text()));
    SyntaxError::new(Kind::TooManyFields, span, message).with_help(format!("take it out; {FIELDS}"))
}

/// Whether a field can only be the year of Quartz: `*`, `2026`, `2026-2030`, `2026/2`.
fn is_year(text: &str) -> bool {
    text.split([',', '-', '/']).enumerate().all(|(place, part)| match part {
        "*" | "?" => true,
        part if part.bytes().all(|byte| byte.is_ascii_digit()) => {
            part.len() == 4 || place > 0 && !part.is_empty()
        }
        _ => false,
    })
}

fn from_sets(sets: &[FieldSet; 6]) -> CronSpec {
    let [second, minute, hour, day, month, weekday] = sets;
    // Each set has only the values of its field, which its type can hold.
    CronSpec {
        seconds: second.values,
        minutes: minute.values,
        hours: hour.values as u32,
        days: day.values as u32,
        nearest_weekdays: day.nearest_weekdays,
        months: month.values as u16,
        weekdays: weekday.values as u8,
        last_weekdays: weekday.last_weekdays,
        nth_weekdays: weekday.nth_weekdays,
        last_day: day.last_day,
        last_weekday: day.last_weekday,
        stars: Stars {
            second: second.star,
            minute: minute.star,
            hour: hour.star,
            day: day.star,
            month: month.star,
            weekday: weekday.star,
        },
    }
}

fn to_sets(spec: &CronSpec) -> [FieldSet; 6] {
    let CronSpec { stars, .. } = *spec;
    let plain = |values: u64, star| FieldSet { values, star, ..FieldSet::default() };
    [
        plain(spec.seconds, stars.second),
        plain(spec.minutes, stars.minute),
        plain(u64::from(spec.hours), stars.hour),
        FieldSet {
            nearest_weekdays: spec.nearest_weekdays,
            last_day: spec.last_day,
            last_weekday: spec.last_weekday,
            ..plain(u64::from(spec.days), stars.day)
        },
        plain(u64::from(spec.months), stars.month),
        FieldSet {
            last_weekdays: spec.last_weekdays,
            nth_weekdays: spec.nth_weekdays,
            ..plain(u64::from(spec.weekdays), stars.weekday)
        },
    ]
}

/// The canonical text: six fields, or `@every …`, behind `TZ=Zone ` where there is a zone.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(zone) = &self.zone {
            write!(f, "TZ={zone} ")?;
        }
        match &self.when {
            When::Every(interval) => write!(f, "{} {}", descriptor::EVERY, format_duration(*interval)),
            When::Cron(spec) => {
                for (field, set) in Field::ALL.into_iter().zip(to_sets(spec)) {
                    let gap = if field == Field::Second { "" } else { " " };
                    write!(f, "{gap}{}", Canonical { field, set })?;
                }
                Ok(())
            }
        }
    }
}
