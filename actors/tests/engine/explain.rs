//! Why an answer came out as it did.

use tidegate_actors::sim::{Ask, Play, World};

fn asks(top_p: &str) -> Ask {
    Ask::body(format!(
        r#"{{"temperature":0,"top_p":{top_p},"messages":[{{"role":"user","content":"why"}}]}}"#
    ))
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn a_miss_names_the_field_in_which_the_nearest_call_differs() {
    let world = World::new().start();
    world.chat("something else entirely").await.expect("answered");
    let near = world.chat(asks("0.9")).await.expect("answered");
    let miss = world.chat(asks("0.8")).await.expect("answered");

    let (record, nearest) = world.engine().explain(miss.id).expect("it is recent");

    let nearest = nearest.expect("there is one to compare with");
    assert_eq!((record.reason, nearest.id), ("absent", near.id));
    let (own, other) = (record.fields.expect("a miss has a sketch"), nearest.fields.expect("and so has it"));
    assert_eq!(own.diff(&other), ["top_p"]);
    world.assert_quiet().await;
}

#[actix_rt::test(system = "tidegate_actors::sim::SimSystem")]
async fn hits_and_joined_calls_point_to_the_call_that_paid() {
    let world = World::new().start();
    world.script().always(Play::answer().after_ms(20));
    let answers = world.call_all([asks("0.9"), asks("0.9")]).await;
    let id = |at: usize| answers[at].as_ref().expect("answered").id;
    let (payer, joined) = (id(0), id(1));
    let hit = world.chat(asks("0.9")).await.expect("answered").id;
    for id in [joined, hit] {
        let (record, nearest) = world.engine().explain(id).expect("it is recent");
        assert_eq!((record.payer, nearest.map(|record| record.id)), (Some(payer), Some(payer)));
    }
    world.assert_quiet().await;
}
