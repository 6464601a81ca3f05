//! From a path to a text: which format it is in, and why it cannot be read.

use std::fs;
use std::io;
use std::path::Path;

use super::conf_file::ConfFile;
use super::error::ConfigError;
use super::layer::Layer;
use super::meant::nearest_of;
use super::source::Source;
use super::toml_file;
use crate::error::Problem;

/// What a text of configuration said.
#[derive(Debug, Clone, Default)]
pub(super) enum File {
    #[default]
    None,
    Toml(Source, Box<Layer>),
    Conf(ConfFile),
}

/// The formats, by the extension of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Toml,
    Conf,
}

const EXTENSIONS: [(&str, Format); 3] =
    [("toml", Format::Toml), ("conf", Format::Conf), ("ini", Format::Conf)];

/// Reads a file in the format of its extension.
pub(super) fn load(path: &Path) -> Result<File, ConfigError> {
    let source = Source::file(path);
    let format = format_of(path).map_err(|problem| ConfigError::new(vec![problem.at(source.whole())]))?;
    let bytes = fs::read(path).map_err(|error| ConfigError::io(unreadable(path, &error), error))?;
    parse(&bytes, format, source).map_err(ConfigError::new)
}

/// Reads the bytes of a text.
pub(super) fn parse(bytes: &[u8], format: Format, source: Source) -> Result<File, Vec<Problem>> {
    let text = source.decode(bytes).map_err(|problem| vec![problem])?;
    match format {
        Format::Toml => toml_file::read(text, &source).map(|layer| File::Toml(source, Box::new(layer))),
        Format::Conf => ConfFile::read(text, &source).map(File::Conf),
    }
}

fn format_of(path: &Path) -> Result<Format, Problem> {
    let formats = "`.toml` is read as TOML, `.conf` and `.ini` as Revel's app.conf";
    let Some(extension) = path.extension().map(|e| e.to_string_lossy().to_lowercase()) else {
        return Err(Problem::new("the file has no extension, which says its format").help(formats));
    };
    EXTENSIONS
        .iter()
        .find(|(known, _)| *known == extension)
        .map(|(_, format)| *format)
        .ok_or_else(|| Problem::new(format!("the extension `.{extension}` is no known format")).help(formats))
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let shown = path.display();
    if error.kind() != io::ErrorKind::NotFound {
        let reason = if path.is_dir() { "it is a folder".to_owned() } else { error.to_string() };
        return Problem::new(format!("cannot read `{shown}`: {reason}"));
    }
    let place = match std::env::current_dir() {
        Ok(folder) if path.is_relative() => format!("; the current folder is `{}`", folder.display()),
        _ => String::new(),
    };
    let near = neighbour(path).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    Problem::new(format!("there is no file `{shown}`{place}"))
        .help(format!("{near}to run without a file begin with `Config::default()`"))
}

/// A file in the same folder that could have been meant.
fn neighbour(path: &Path) -> Option<String> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let names: Vec<String> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| format_of(Path::new(name)).is_ok())
        .collect();
    let near = nearest_of(path.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(path.with_file_name(near).display().to_string())
}
