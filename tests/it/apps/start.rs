//! What must hold before an app is served, and where it is then.

use std::path::PathBuf;

use tidegate::app::start_with;
use tidegate::cli::program::Refused;
use tidegate::cli::service::Service;
use tidegate::config::{Flag, LoadArgs};

use super::*;

const HI: &str = "spec is \"1.0\"\n\nflow \"hi\":\n  return \"hi\"\n\npage \"home\":\n  button \"Gr\u{fc}n\":\n    calls flow \"hi\"\n";

fn written(name: &str, text: &str, folder: &TempDir) -> PathBuf {
    std::fs::write(folder.path().join("app.ai"), HI).expect("the folder takes a file");
    std::fs::write(folder.path().join(name), text).expect("the folder takes a file");
    folder.path().join("app.ai")
}

fn refused(name: &str, text: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = written(name, text, &folder);
    match Service::of_app(&path, LoadArgs::default(), 0, |_, _| String::new()) {
        Ok(_) => "nothing".to_owned(),
        Err(Refused::Settings(text)) => text,
        Err(Refused::Program(faults, _)) => faults[0].message(),
    }
}

#[test]
fn settings_an_app_may_not_have_stop_the_start() {
    let toml = |line: &str| refused("namel3ss.toml", &format!("[performance]\n{line}\n"));
    assert!(toml("cache_size = 4").contains("without the required capability"), "{}", toml("cache_size = 4"));
    assert!(toml("cache_size = -4").contains("must be >= 0"));
    assert!(refused(".env", "N3_IDENTITY_JSON=[1]").contains("N3_IDENTITY_JSON must be a JSON object"));
}

#[actix_rt::test]
async fn a_port_that_is_taken_gives_way_to_the_next_free_one_where_that_is_wanted() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = written("namel3ss.toml", "", &folder);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = taken.local_addr().expect("it has one").port();
    let service = || {
        let flag = |path, text: String| Flag { path, name: "--test", text };
        let data = folder.path().join("data").display().to_string();
        let flags =
            [("listen.port", port.to_string()), ("listen.workers", "1".to_owned()), ("data.dir", data)];
        let flags = flags.into_iter().map(|(path, text)| flag(path, text)).collect();
        let args = LoadArgs { flags, ..LoadArgs::default() };
        let Ok(service) = Service::of_app(&path, args, 0, |_, _| String::new()) else {
            unreachable!("the app is right")
        };
        service
    };
    let Service { loaded, app, .. } = service();
    let refused = start_with(&loaded.config, app, 0).err().expect("the port is taken").to_string();
    assert!(refused.contains(&format!("cannot listen on 127.0.0.1:{port}")), "{refused}");
    let Service { loaded, app, .. } = service();
    let found = start_with(&loaded.config, app, 20).expect("one of twenty is free").address().port();
    assert!(found > port && found <= port + 20, "{found} after {port}");
}

#[actix_rt::test]
async fn with_a_token_the_versioned_paths_want_it() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    written("namel3ss.toml", "", &folder);
    let gateway = Gateway::serving_with_token(folder.path(), &[], Some("open sesame"));
    let ask = |name: &'static str, value: &'static str| {
        send(gateway.request(Method::GET, "/api/v1/ui").header(name, value))
    };
    assert_eq!(ask("x-api-token", "open sesame").await.status, 200);
    assert_eq!(ask("authorization", "Bearer open sesame").await.status, 200);
    for (name, value) in [("x-api-token", "open"), ("authorization", "Basic open sesame"), ("accept", "*/*")]
    {
        let answer = ask(name, value).await;
        assert_eq!((answer.status, answer.json()["code"].is_string()), (401, true), "{name}: {value}");
    }
    assert_eq!(gateway.get("/api/ui").await.status, 200);
    let path = "/api/v1/actions/page.home.button.gr%C3%BCn";
    let action = gateway.posting(path, "{}").header("x-api-token", "open sesame");
    assert_eq!(send(action).await.json()["result"], "hi");
}
