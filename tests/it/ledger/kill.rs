//! A server is killed at random points under load; the books know every request its upstream saw.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Kills of `make test`; `TIDEGATE_KILLS` says otherwise.
const KILLS: usize = 25;
const CLIENTS: usize = 12;

/// Answers at once, but for requests that say so: those stay open until the kill.
fn answered(seen: &Seen) -> Script {
    let model = model(seen);
    if model.ends_with("-hangs") { Script::events().hang() } else { completion(&model) }
}

/// Asks, each time for another model, until nobody answers any more.
async fn ask_until_killed(url: String, count: Arc<AtomicUsize>, hangs: bool) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client can be made");
    loop {
        let count = count.fetch_add(1, Ordering::Relaxed);
        let model = if hangs { format!("m{count}-hangs") } else { format!("m{count}") };
        let request = client.post(format!("{url}{CHAT}")).header("content-type", "application/json");
        let Ok(answer) = request.body(ask(&model, "x")).send().await else { return };
        if answer.bytes().await.is_err() {
            return;
        }
    }
}

/// How often each name is there.
fn counted(names: impl IntoIterator<Item = String>) -> BTreeMap<String, usize> {
    names.into_iter().fold(BTreeMap::new(), |mut counted, name| {
        *counted.entry(name).or_default() += 1;
        counted
    })
}

async fn attempts(url: &str) -> Vec<Json> {
    let mut rows = Vec::new();
    let mut cursor = String::new();
    loop {
        let page =
            reqwest::get(format!("{url}/api/v1/attempts?limit=1000{cursor}")).await.expect("it answers");
        let page: Json = page.json().await.expect("JSON");
        rows.extend(page["attempts"].as_array().unwrap_or_else(|| panic!("{page}")).iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return rows,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_an_upstream_saw_has_exactly_one_row_wherever_the_server_is_killed() {
    let kills = std::env::var("TIDEGATE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let seed = std::env::var("TIDEGATE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let home = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::answering(answered).await;
    let count = Arc::new(AtomicUsize::new(0));
    for _ in 0..kills {
        let mut server = Process::start(home.path(), &upstream);
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| tokio::spawn(ask_until_killed(server.url.clone(), Arc::clone(&count), n % 4 == 0)))
            .collect();
        upstream.asked(upstream.seen().len() + random.usize(1..150)).await;
        server.kill();
        for client in clients {
            client.await.expect("a client ends with its server");
        }
    }

    let server = Process::start(home.path(), &upstream);
    let rows = attempts(&server.url).await;
    let seen = counted(upstream.seen().iter().map(model));
    let booked = counted(rows.iter().map(|row| row["model"].as_str().expect("a model").to_owned()));
    let told = format!("TIDEGATE_SEED={seed}, {kills} kills, {} requests, {} rows", seen.len(), rows.len());
    let missing: Vec<_> = seen.keys().filter(|model| !booked.contains_key(*model)).collect();
    assert!(missing.is_empty(), "{told}: without a row: {missing:?}");
    let doubled: Vec<_> = booked.iter().filter(|(_, rows)| **rows != 1).collect();
    assert!(doubled.is_empty(), "{told}: {doubled:?}");
    let status = |row: &Json| row["status"].as_str().unwrap_or_default().to_owned();
    let hung = rows.iter().filter(|row| row["model"].as_str().is_some_and(|model| model.ends_with("-hangs")));
    assert!(hung.clone().all(|row| status(row) == "interrupted"), "{told}: nobody saw their end");
    assert!(hung.count() >= kills && rows.iter().any(|row| status(row) == "ok"), "{told}");
    println!("{told}");
}
