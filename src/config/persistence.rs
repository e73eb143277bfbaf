//! Owns the `[persistence]` settings of an application: where its records are kept, from `namel3ss.toml` and two
//! variables. Must not open anything.

use std::path::PathBuf;

use super::faults::{KeyPath, Source};
use super::layers::FileLayer;
use super::near;
use super::performance::APP_FILE;
use super::reader::Walk;

/// The file of records beside an app, unless it is named.
const DB_PATH: &str = ".namel3ss/data.db";

const SECTION: &str = "persistence";
/// Each key with the variable that is stronger than the file.
const TARGET: (&str, &str) = ("target", "N3_PERSIST_TARGET");
const FILE: (&str, &str) = ("db_path", "N3_DB_PATH");

/// Where an application keeps its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persistence {
    /// What they are kept in.
    pub target: PersistTarget,
    /// The file of [`PersistTarget::Sqlite`], from the folder of the app.
    pub db_path: PathBuf,
}

/// What records are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersistTarget {
    /// Memory: they end with the process.
    Memory,
    /// A file that SQLite reads.
    Sqlite,
}

impl PersistTarget {
    const ALL: [Self; 2] = [Self::Memory, Self::Sqlite];

    /// The word of the setting.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
        }
    }

    fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name().eq_ignore_ascii_case(text.trim()))
    }
}

impl Default for Persistence {
    fn default() -> Self {
        Self { target: PersistTarget::Memory, db_path: PathBuf::from(DB_PATH) }
    }
}

/// Reads the settings and records each with its source.
pub(super) fn read(walk: &mut Walk<'_>, file: Option<&FileLayer<'_>>) -> Persistence {
    let mut layers = Layers { walk, file };
    layers.refuse_what_is_no_setting();
    let target = layers.value(TARGET, PersistTarget::Memory.name(), |text| match PersistTarget::of(text) {
        Some(target) => Ok(target.name().to_owned()),
        None => Err(format!(
            "{text:?} cannot be served: use \"memory\" (records end with the process) or \"sqlite\" (a file beside the app)"
        )),
    });
    let db_path = layers.value(FILE, DB_PATH, |text| match text.contains('\0') {
        false => Ok(text.to_owned()),
        true => Err("must be the path of a file".to_owned()),
    });
    Persistence {
        target: PersistTarget::of(&target).unwrap_or(PersistTarget::Memory),
        db_path: PathBuf::from(db_path),
    }
}

struct Layers<'w, 'l, 'f> {
    walk: &'w mut Walk<'l>,
    file: Option<&'w FileLayer<'f>>,
}

impl Layers<'_, '_, '_> {
    /// Every layer is checked, the strongest answers. An empty text is as good as none.
    fn value(
        &mut self,
        (key, variable): (&'static str, &'static str),
        default: &str,
        check: impl Fn(&str) -> Result<String, String>,
    ) -> String {
        let in_file = self.in_file(key).and_then(|(text, source)| {
            let name = format!("{SECTION}.{key}");
            self.checked(&text, &name, Some(&source), &check).map(|value| (value, source))
        });
        let in_env = self.walk.layers.env(variable).filter(|text| !text.trim().is_empty());
        let in_env = in_env.map(str::to_owned).and_then(|text| {
            let value = self.checked(&text, variable, None, &check)?;
            Some((value, Source::Env(variable.to_owned())))
        });
        let (value, source) = in_env.or(in_file).unwrap_or((default.to_owned(), Source::Default));
        self.walk.record(&KeyPath::root().key(SECTION).key(key), value.as_str().into(), source);
        value
    }

    fn checked(
        &mut self,
        text: &str,
        name: &str,
        source: Option<&Source>,
        check: impl Fn(&str) -> Result<String, String>,
    ) -> Option<String> {
        check(text)
            .map_err(|refusal| self.walk.faults.add_plain(source.cloned(), format!("{name} {refusal}")))
            .ok()
    }

    fn in_file(&mut self, key: &str) -> Option<(String, Source)> {
        let file = self.file?;
        let value = file.table.get(SECTION)?.get_ref().as_table()?.get(key)?;
        let source = file.source(&value.span());
        let Some(text) = value.get_ref().as_str() else {
            self.walk.faults.add_plain(Some(source), format!("{SECTION}.{key} must be text"));
            return None;
        };
        (!text.trim().is_empty()).then(|| (text.to_owned(), source))
    }

    /// A misspelt key would leave records in memory unseen.
    fn refuse_what_is_no_setting(&mut self) {
        let Some(file) = self.file else { return };
        let Some((name, section)) = file.table.get_key_value(SECTION) else { return };
        let Some(table) = section.get_ref().as_table() else {
            let source = file.source(&name.span());
            self.walk.faults.add_plain(Some(source), format!("{SECTION} must be a table"));
            return;
        };
        let known = [TARGET.0, FILE.0];
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let hint = near::hint(key.get_ref(), known);
            let text = format!("{SECTION}.{} is not a setting of {APP_FILE} here{hint}", key.get_ref());
            self.walk.faults.add_plain(Some(file.source(&key.span())), text);
        }
    }
}
