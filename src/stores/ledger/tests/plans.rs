//! How the databases go about every statement there is: by an index, whatever the size of a table. The statements of the main
//! database are found in the sources, so that none can be forgotten.

use std::path::Path;

use super::*;
use crate::stores::sql::Statement;
use crate::stores::sqlite::Sqlite;
use crate::stores::target::sqlite;

/// Those that are there to read all of a table, or all sessions that ended: that is kept in memory.
const WHOLE: [&str; 7] = ["WORKSPACES", "KEYS", "LIMITS", "SPENT", "PEOPLE", "MEMBERS", "ENDED"];
/// Lines of each table of a server, more than it reads one after the other.
const LINES: usize = 5_000;

/// Every statement of the ledger, and whether it gives a page.
fn of_ledger() -> Vec<(Statement, bool)> {
    let wanted = |change: &dyn Fn(&mut Wanted)| {
        let mut wanted = all();
        change(&mut wanted);
        wanted
    };
    let each = [
        wanted(&|_| {}),
        wanted(&|wanted| wanted.credential = Some(1)),
        wanted(&|wanted| wanted.model = Some("m".into())),
        wanted(&|wanted| wanted.provider = Some("p".into())),
        wanted(&|wanted| wanted.outcome = Some("hit".into())),
        wanted(&|wanted| wanted.status = Some("failed".into())),
        wanted(&|wanted| wanted.tag = Some("t".into())),
    ];
    let walks =
        each.iter().flat_map(|wanted| [statements::walk_calls(wanted), statements::walk_attempts(wanted)]);
    let pages = walks.map(|(statement, _)| (statement.into(), !statement.contains("call_tags")));
    let more: [Statement; 7] = [
        statements::ADD_CALLS,
        statements::ADD_ATTEMPTS,
        statements::ADD_TAGS,
        statements::ADD_UP,
        statements::USAGE.into(),
        statements::CALL.into(),
        statements::ATTEMPTS_OF.into(),
    ];
    pages.chain(more.map(|statement| (statement, false))).collect()
}

/// Every statement that the adapters of the main database have, by its name in the source.
fn of_main() -> Vec<(String, String)> {
    let stores = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/stores");
    let mut found = Vec::new();
    for file in ["people.rs", "people", "upkeep/mod.rs"] {
        let path = stores.join(file);
        let files = match std::fs::read_dir(&path) {
            Ok(folder) => folder.flatten().map(|entry| entry.path()).collect(),
            Err(_) => vec![path],
        };
        for file in files {
            found.extend(constants(&std::fs::read_to_string(file).unwrap_or_default()));
        }
    }
    assert!(found.len() > 30, "they are where they were: {found:?}");
    found
}

/// The constants of a source that are statements.
fn constants(source: &str) -> Vec<(String, String)> {
    let constant = |text: &str| {
        let (name, rest) = text.split_once(": &str =")?;
        let rest = rest.trim_start().strip_prefix('"')?;
        let statement = rest.split_once("\";")?.0;
        let statement = statement.split("\\\n").map(str::trim_start).collect::<String>();
        let is_statement =
            ["SELECT", "INSERT", "UPDATE", "DELETE"].iter().any(|word| statement.starts_with(word));
        is_statement.then(|| (name.to_owned(), statement))
    };
    source.split("const ").filter_map(constant).collect()
}

async fn plan_of(on: &mut sqlx::SqliteConnection, statement: &str) -> String {
    let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let plan = sqlx::query_as::<_, (i64, i64, i64, String)>(explain).fetch_all(on).await;
    let plan = plan.unwrap_or_else(|error| unreachable!("{statement}: {error}"));
    plan.into_iter().map(|step| step.3).collect::<Vec<_>>().join("; ")
}

/// The steps of a plan that read a whole table of SQLite. The line a statement adds is none.
fn scans(plan: &str) -> bool {
    plan.split("; ").any(|step| step.starts_with("SCAN") && !step.contains("CONSTANT"))
}

#[test]
fn every_statement_on_files_uses_an_index_and_no_page_is_sorted() {
    let bed = Bed::new(config::LedgerSync::Group);
    tell(&bed.books, &record());
    assert!(read(async { Ok(bed.books.fold().await) }));
    let Shelves::Files(days, _) = &bed.books.shelves else { unreachable!("it is files") };
    let (day, main) = (days.file(days::Day::of(record().unix_us)), sqlite(bed.folder.path()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let open = |file: Sqlite| runtime.block_on(async move { file.open().await.expect("it opens") });
    let (mut day, mut main) = (open(day), open(main));
    for (Statement { sqlite: statement, .. }, is_page) in of_ledger() {
        let plan = runtime.block_on(plan_of(&mut day, statement));
        assert!(!scans(&plan) && (!is_page || !plan.contains("TEMP B-TREE")), "{statement}: {plan}");
    }
    for (name, statement) in of_main() {
        let plan = runtime.block_on(plan_of(&mut main, &statement));
        assert!(WHOLE.contains(&name.as_str()) || !scans(&plan), "{name}: {plan}");
    }
}

/// Fills every table with lines that are all different, but for the workspace of the ledger's.
const FILL: &str = "DO $$ DECLARE t RECORD; BEGIN SET session_replication_role = replica; \
    FOR t IN SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS names, \
      string_agg(CASE WHEN a.attname IN ('at_us', 'hour_us') THEN 'BASE + i' \
        WHEN a.attname = 'workspace' AND c.relkind = 'p' THEN quote_literal('w') \
        WHEN format_type(a.atttypid, NULL) = 'text' THEN quote_literal('x') || ' || i' \
        WHEN format_type(a.atttypid, NULL) = 'bytea' THEN quote_literal('') || '::bytea' ELSE 'i' END, ', ' ORDER BY a.attnum) AS vals \
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
      WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace \
      AND left(c.relname, 1) <> '_' GROUP BY c.relname, c.relkind LOOP \
    EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM generate_series(1, LINES) i ON CONFLICT DO NOTHING', \
      t.relname, t.names, t.vals); END LOOP; END $$";

#[test]
fn every_statement_on_a_server_uses_an_index_once_tables_are_large() {
    let bed = Bed::on_a_server();
    tell(&bed.books, &record());
    assert!(read(async { Ok(bed.books.fold().await) }));
    let (_, url) = bed.server.as_ref().expect("it is a server");
    let base = days::Day::of(record().unix_us).bounds().0;
    let fill = FILL.replace("BASE", &base.to_string()).replace("LINES", &LINES.to_string());
    cluster::ask(url, &fill);
    cluster::ask(url, "ANALYZE");
    let plan = |statement: &str| {
        let most = (1..=20).filter(|number| statement.contains(&format!("${number}"))).max().unwrap_or(0);
        let values = vec!["NULL"; most].join(", ");
        let values = if most == 0 { String::new() } else { format!("({values})") };
        let generic = "SET plan_cache_mode = force_generic_plan";
        cluster::ask(url, &format!("{generic}; PREPARE p AS {statement}; EXPLAIN EXECUTE p{values}"))
    };
    for (Statement { postgres: statement, .. }, is_page) in of_ledger() {
        let plan = plan(statement);
        assert!(!plan.contains("Seq Scan"), "{statement}: {plan}");
        assert!(!is_page || !plan.contains("Sort"), "{statement}: {plan}");
    }
    for (name, statement) in of_main() {
        let plan = plan(&statement);
        assert!(WHOLE.contains(&name.as_str()) || !plan.contains("Seq Scan"), "{name}: {plan}");
    }
}
