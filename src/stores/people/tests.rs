//! People who sign in, over each kind of database, at a clock that stands still.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use prometheus_client::registry::Registry as Metrics;
use tempfile::TempDir;
use tidegate_actors::ports::clock::{Clock as _, ClockRef, SystemClock};
use tidegate_actors::sim::ManualClock;

use super::*;
use crate::config::{self, Secret};
use crate::identity::{
    Denial, Office, Password, Roster, SignIn, SignInError, SignInRules, SignedIn, UserOrder,
};
use crate::stores::{Io, cluster};

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const RULES: SignInRules =
    SignInRules { token_us: 60_000_000, session_us: 600_000_000, per_account: 5, per_address: 50 };

struct Place {
    _folder: TempDir,
    office: Arc<Office>,
    database: Database,
    clock: ManualClock,
}

fn count(mut on: Connection<'_>) -> BoxFuture<'_, Result<i64, sqlx::Error>> {
    Box::pin(async move { on.query("SELECT count(*) FROM sessions").fetch_one().await?.get(0) })
}

impl Place {
    /// With a person called anna in it.
    async fn with(settings: config::Database) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (system, clock): (ClockRef, _) = (Arc::new(SystemClock::new()), ManualClock::default());
        let opened =
            Database::open(folder.path(), &settings, &Io::default(), &system, &mut Metrics::default());
        let database = opened.expect("it can be made");
        let time: ClockRef = Arc::new(clock.clone());
        let (registry, roster) = (Arc::new(People::of(&database)), Arc::new(Roster::open(Arc::clone(&time))));
        let office = Arc::new(Office::with_rules(registry, roster, time, RULES));
        let password = Password::new("ebb and flow").expect("long enough");
        let (name, workspace) = ("anna".to_owned(), "default".to_owned());
        let order = UserOrder { name, email: None, password, workspace, role: Role::Write };
        office.make_user(order).await.expect("made");
        Self { _folder: folder, office, database, clock }
    }

    /// One of each kind.
    async fn both() -> [Self; 2] {
        let url = Some(Secret::new(cluster::new_database()));
        let server = config::Database { url, ..config::Database::default() };
        [Self::with(config::Database::default()).await, Self::with(server).await]
    }

    async fn sign_in(&self, password: &str) -> Result<SignedIn, SignInError> {
        let asked = SignIn { called: "anna", password, workspace: None, from: HERE, lifetime_s: None };
        self.office.sign_in(asked).await
    }

    fn judged(&self, token: &str) -> Result<(), Denial> {
        self.office.roster().judge(Some(token.as_bytes()), None).map(drop)
    }

    async fn sessions(&self) -> i64 {
        self.database.read("count", count).await.expect("read")
    }
}

#[tokio::test]
async fn at_a_stopped_clock_exactly_as_many_sign_ins_fail_as_the_limit_says() {
    for place in Place::both().await {
        let tries = join_all((0..20).map(|_| place.sign_in("wrong password"))).await;
        let wrong = tries.iter().filter(|tried| matches!(tried, Err(SignInError::Wrong(_)))).count();
        let later = tries.iter().filter(|tried| matches!(tried, Err(SignInError::TooMany(_)))).count();
        assert_eq!((wrong, later), (5, 15));
        let refused = place.sign_in("ebb and flow").await;
        assert!(matches!(refused, Err(SignInError::TooMany(wait)) if wait == Duration::from_secs(12)));
        place.clock.advance_ms(12_000);
        for _ in 0..10 {
            assert!(place.sign_in("ebb and flow").await.is_ok(), "who is right is not counted");
        }
    }
}

#[tokio::test]
async fn a_token_is_taken_for_its_time_and_a_session_goes_on_while_it_is_renewed() {
    for place in Place::both().await {
        let first = place.sign_in("ebb and flow").await.expect("let in");
        place.clock.advance_ms(58_000);
        assert_eq!(place.judged(&first.access), Ok(()));
        place.clock.advance_ms(2_000);
        assert_eq!(place.judged(&first.access), Err(Denial::TokenExpired));
        let mut last = first.renew;
        for _ in 0..4 {
            place.clock.advance_ms(500_000);
            let next = place.office.renew(&last, None).await.expect("it goes on");
            assert_eq!(place.judged(&next.access), Ok(()));
            last = next.renew;
        }
        place.clock.advance_ms(600_000);
        assert!(
            matches!(place.office.renew(&last, None).await, Err(SignInError::Ended)),
            "it was left alone"
        );
    }
}

/// Two who have the same token and use it in the same moment: one gets on, and then neither.
#[tokio::test]
async fn of_two_who_renew_with_one_token_at_once_none_stays_in() {
    for place in Place::both().await {
        let first = place.sign_in("ebb and flow").await.expect("let in");
        let (one, two) =
            tokio::join!(place.office.renew(&first.renew, None), place.office.renew(&first.renew, None));
        let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
        assert!(matches!(lost, Err(SignInError::Used)));
        let won = won.expect("one got on");
        assert_eq!(place.judged(&won.access), Err(Denial::SignedOut));
        assert!(matches!(place.office.renew(&won.renew, None).await, Err(SignInError::Ended)));
    }
}

#[tokio::test]
async fn sessions_that_are_over_and_too_many_of_one_person_do_not_stay() {
    for place in Place::both().await {
        let ended = place.sign_in("ebb and flow").await.expect("let in");
        assert!(place.office.sign_out(&ended.access).await.expect("stored"));
        let kept = place.sign_in("ebb and flow").await.expect("let in");
        assert_eq!(place.sessions().await, 2, "that it ended is known for a while");
        assert_eq!(
            (place.judged(&ended.access), place.judged(&kept.access)),
            (Err(Denial::SignedOut), Ok(()))
        );
        let people = People::of(&place.database);
        let (now_us, anna) = (place.clock.unix_us(), place.office.person("anna").expect("there").id);
        for n in 0..150 {
            let (id, person, workspace) =
                (format!("session_{n}"), anna.clone(), WorkspaceId::default_workspace());
            let expires_us = now_us + RULES.session_us;
            let session = SessionRow { id, person, workspace, generation: 0, created_us: now_us, expires_us };
            people.begin_session(session).await.expect("stored");
        }
        assert!((100..=101).contains(&place.sessions().await), "{}", place.sessions().await);
        place.clock.advance_ms(600_000);
        place.sign_in("ebb and flow").await.expect("let in");
        assert_eq!(place.sessions().await, 1, "all others are over");
    }
}

#[tokio::test]
async fn what_signs_tokens_is_made_once_for_all_servers_of_a_database() {
    for place in Place::both().await {
        let clock: ClockRef = Arc::new(place.clock.clone());
        let roster = Arc::new(Roster::open(Arc::clone(&clock)));
        let other = Office::with_rules(Arc::new(People::of(&place.database)), roster, clock, RULES);
        other.refresh().await.expect("read");
        let asked = || SignIn {
            called: "anna",
            password: "ebb and flow",
            workspace: None,
            from: HERE,
            lifetime_s: None,
        };
        let (one, two) = tokio::join!(place.office.sign_in(asked()), other.sign_in(asked()));
        for office in [&*place.office, &other] {
            office.refresh().await.expect("read");
        }
        for token in [one.expect("let in").access, two.expect("let in").access] {
            assert_eq!(place.judged(&token), Ok(()));
            assert!(other.roster().judge(Some(token.as_bytes()), None).is_ok());
        }
    }
}
