//! Lists the files of the console that `make web` built, so that `src/http/ui` compiles them in. Must not build the console: a
//! program without one is made where Node never ran, and says so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

const BUILT: &str = "web/dist/site";

fn main() -> io::Result<()> {
    // The folder around it is always there: what is missing counts as changed each time.
    io::Write::write_all(&mut io::stdout(), b"cargo::rerun-if-changed=web/dist\n")?;
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join(BUILT);
    let mut files = Vec::new();
    if root.is_dir() {
        walk(&root, &mut files)?;
    }
    files.sort();
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("console.rs"), table(&root, &files)?)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => walk(&path, found)?,
            false => found.push(path),
        }
    }
    Ok(())
}

/// The files as an array of `File`; what is the coded form of another is not one of its own.
fn table(root: &Path, files: &[PathBuf]) -> io::Result<String> {
    let mut text = "&[\n".to_owned();
    for file in files {
        let with = |ending: &str| PathBuf::from(format!("{}{ending}", file.display()));
        let coded = |ending: &str| match files.contains(&with(ending)) {
            true => format!("Some(include_bytes!({:?}))", with(ending)),
            false => "None".to_owned(),
        };
        if matches!(file.extension().and_then(|ending| ending.to_str()), Some("br" | "gz")) {
            continue;
        }
        let path = file.strip_prefix(root).map_err(io::Error::other)?.display().to_string();
        let (br, gzip) = (coded(".br"), coded(".gz"));
        writeln!(
            text,
            "    File {{ path: {path:?}, plain: include_bytes!({file:?}), br: {br}, gzip: {gzip} }},"
        )
        .map_err(io::Error::other)?;
    }
    Ok(text + "]\n")
}
