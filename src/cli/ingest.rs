//! Owns `tidegate ingest`: files in, their chunks with vectors into the index beside the app. What a chunk is and how it
//! is embedded is decided in `run`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::Parts;
use super::flags::AppArgs;
use super::program::{Program, Refused, replace};
use super::progress::Progress;
use super::run::{failed, refuse, say};
use super::table::Table;
use crate::lang::value::{JsonStyle, Value};
use crate::run::ingest::{CHUNK_CHARS, CHUNK_SIZES, Embedder, HASH, Index, Ingested, Pace, Work};
use crate::run::missing_capabilities;

/// The index, and the lock of who writes it, below the app's folder.
pub(super) const INDEX: &str = ".namel3ss/embeddings.jsonl";
const LOCK: &str = ".namel3ss/embeddings.lock";
/// Bytes of one document.
const MOST_BYTES: u64 = 64 << 20;
/// Chunks between two savings, at least; a large index is saved when it grew by half.
const SAVE_AFTER: usize = 256;

/// Texts to be embedded.
#[derive(Debug, Args)]
pub(super) struct IngestArgs {
    /// The app
    #[arg(value_name = "APP.AI")]
    app: PathBuf,
    /// UTF-8 texts
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Characters of a chunk, at most; 20 to 20000
    #[arg(long, value_name = "N", default_value_t = CHUNK_CHARS)]
    chunk_chars: usize,
    /// Who embeds: `hash`, or PROVIDER/MODEL of a configured provider
    #[arg(long, value_name = "MODEL", default_value = HASH)]
    model: String,
    /// Print JSON: each document and what became of it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: AppArgs,
}

/// Ingests the files. The exit code says whether every chunk has a vector now.
pub(super) fn run(args: &IngestArgs, parts: Parts) -> bool {
    let program = match Program::open(&args.app, args.settings.load_args()) {
        Ok(program) => program,
        Err(refused) => return refuse(&refused, &args.app, args.json),
    };
    let why = "Ingestion takes files in (uploads) and makes vectors of them (embedding), and the app asks for less.";
    if let Some(fault) = missing_capabilities(&program.app, &["embedding", "uploads"], why) {
        return refuse(&Refused::Program(vec![fault], program.source), &args.app, args.json);
    }
    match go(args, &program, parts) {
        Ok((model, ingested)) => {
            match args.json {
                true => say(&as_json(&model, &ingested).to_json(JsonStyle::Pretty)),
                false => say(&as_text(&program.beside(INDEX), &model, &ingested)),
            }
            ingested.iter().all(|done| done.unavailable.is_empty())
        }
        Err(text) => failed(&text),
    }
}

fn go(args: &IngestArgs, program: &Program, parts: Parts) -> Result<(Arc<str>, Vec<Ingested>), String> {
    if !CHUNK_SIZES.contains(&args.chunk_chars) {
        let (least, most) = (CHUNK_SIZES.start(), CHUNK_SIZES.end());
        return Err(format!("--chunk-chars must be from {least} to {most}, got {}", args.chunk_chars));
    }
    let documents = documents(&args.files, program)?;
    let path = program.beside(INDEX);
    let _lock = lock(&program.beside(LOCK))?;
    let index = read(&path)?;
    let config = &program.loaded.config;
    let settings = &config.performance;
    let pace = Pace::of(settings, config.gateway.deadline_ms);
    actix_web::rt::System::new().block_on(async {
        let asker = (parts.asker)(config, settings).map_err(|error| error.to_string())?;
        asker.engine().ready().await;
        let embedder = Embedder::new(&asker, &args.model, pace)?;
        let work = Work::new(&index, embedder.id(), &documents, args.chunk_chars);
        let ingested = embed(&embedder, work, index, &path).await?;
        Ok((Arc::clone(embedder.id()), ingested))
    })
}

/// Embeds what is new and saves the index: at the end, and before that whenever much would be lost.
async fn embed(
    embedder: &Embedder,
    mut work: Work,
    mut index: Index,
    path: &Path,
) -> Result<Vec<Ingested>, String> {
    let texts = work.texts();
    let mut progress = Progress::new("chunks", texts.len());
    let mut saved = (index.len(), Ok(()));
    work.take(Vec::new(), &mut index); // what has nothing new is complete
    embedder
        .embed(&texts, |embeddings| {
            work.take(embeddings, &mut index);
            progress.at(work.done());
            if index.len() >= saved.0 + SAVE_AFTER.max(saved.0 / 2) {
                saved = (index.len(), write(path, &index));
            }
        })
        .await;
    progress.end();
    saved.1?;
    write(path, &index)?;
    Ok(work.ingested().to_vec())
}

/// The files with the names they have in the index: from the app's folder where they lie in it. A file given twice
/// counts once.
pub(super) fn documents(files: &[PathBuf], program: &Program) -> Result<Vec<(Arc<str>, String)>, String> {
    let home = program.beside(".").canonicalize().ok();
    let mut documents: Vec<(Arc<str>, String)> = Vec::new();
    for file in files {
        let wrong = |error: std::io::Error| format!("cannot read {}: {error}", file.display());
        let about = std::fs::metadata(file).map_err(wrong)?;
        if about.is_dir() {
            return Err(format!("{0} is a folder; name the files in it, such as {0}/*.txt", file.display()));
        }
        if about.len() > MOST_BYTES {
            let bytes = about.len();
            return Err(format!("{} has {bytes} bytes, a document may have {MOST_BYTES}", file.display()));
        }
        let whole = file.canonicalize().map_err(wrong)?;
        let inside = home.as_ref().and_then(|home| whole.strip_prefix(home).ok()).unwrap_or(&whole);
        let name: Arc<str> = inside.to_string_lossy().into();
        if documents.iter().all(|(known, _)| *known != name) {
            let text = String::from_utf8(std::fs::read(file).map_err(wrong)?).map_err(|error| {
                let at = error.utf8_error().valid_up_to();
                format!("{} is not UTF-8 text: byte {at} is not part of a character", file.display())
            })?;
            documents.push((name, text.replace("\r\n", "\n")));
        }
    }
    Ok(documents)
}

/// Held until dropped, or until the process ends however it ends.
fn lock(path: &Path) -> Result<File, String> {
    let wrong = |error: std::io::Error| format!("cannot lock {}: {error}", path.display());
    path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(wrong)?;
    let file = File::create(path).map_err(wrong)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err("another ingestion into this app is running; wait for it".to_owned())
        }
        Err(std::fs::TryLockError::Error(error)) => Err(wrong(error)),
    }
}

pub(super) fn read(path: &Path) -> Result<Index, String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    Index::read(&text)
        .map_err(|fault| format!("{}: {fault}; move the file away to begin anew", path.display()))
}

fn write(path: &Path, index: &Index) -> Result<(), String> {
    replace(path, &index.to_text()).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn as_text(path: &Path, model: &str, ingested: &[Ingested]) -> String {
    let mut table = Table::new(&["document", "chunks", "embedded", "skipped", "unavailable"]);
    table.right(&["chunks", "embedded", "skipped", "unavailable"]);
    let mut sums = [0; 4];
    for done in ingested {
        let counts = [done.chunks, done.embedded, done.skipped, done.unavailable.len()];
        sums = std::array::from_fn(|at| sums[at] + counts[at]);
        let [chunks, embedded, skipped, unavailable] = counts.map(|count| count.to_string());
        table.row([done.document.to_string(), chunks, embedded, skipped, unavailable]);
    }
    let failed = ingested.iter().flat_map(|done| {
        let line = |(at, reason): &(usize, String)| format!("{} chunk {at}: {reason}\n", done.document);
        done.unavailable.iter().map(line)
    });
    let failed: String = failed.collect();
    let again = if failed.is_empty() { "" } else { "Run it again to try those without a vector again.\n" };
    let [chunks, embedded, skipped, unavailable] = sums;
    let noun = if chunks == 1 { "chunk" } else { "chunks" };
    format!(
        "{table}\n{failed}{again}{chunks} {noun}: {embedded} embedded by {model}, {skipped} known, {unavailable} \
         unavailable. Index: {}",
        path.display()
    )
}

fn as_json(model: &str, ingested: &[Ingested]) -> Value {
    let whole = |number: usize| Value::int(i64::try_from(number).unwrap_or(i64::MAX));
    let document = |done: &Ingested| {
        let failed = done
            .unavailable
            .iter()
            .map(|(at, reason)| Value::fields([("chunk", whole(*at)), ("reason", reason.as_str().into())]));
        Value::fields([
            ("chunks", whole(done.chunks)),
            ("document", Value::Text(done.document.clone())),
            ("embedded", whole(done.embedded)),
            ("skipped", whole(done.skipped)),
            ("unavailable", Value::list(failed.collect())),
        ])
    };
    Value::fields([
        ("documents", Value::list(ingested.iter().map(document).collect())),
        ("index", INDEX.into()),
        ("model", model.into()),
        ("ok", Value::Bool(ingested.iter().all(|done| done.unavailable.is_empty()))),
    ])
}
