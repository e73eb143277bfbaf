//! Workspaces never meet: not in memory, not in the air.

use proptest::prelude::*;
use tidegate_actors::sim::{Ask, Play, SimSystem, World};

/// Any mix of workspaces, questions, forms and overlaps: a hit or a join is always one's own workspace's.
#[test]
fn no_answer_is_remembered_or_shared_across_workspaces() {
    let call = (0usize..3, 0usize..4, any::<bool>(), 0u64..30);
    let cases = ProptestConfig { cases: 64, ..ProptestConfig::default() };
    proptest!(cases, |(calls in proptest::collection::vec(call, 1..40))| {
        SimSystem::new().block_on(check(calls))?;
    });
}

async fn check(calls: Vec<(usize, usize, bool, u64)>) -> Result<(), TestCaseError> {
    let world = World::new().start();
    world.script().always(Play::answer().after_ms(15).every_ms(1));
    let mut callers = Vec::new();
    for (workspace, question, stream, pause_ms) in calls {
        let ask = Ask::new(&format!("question {question}")).workspace(&format!("ws-{workspace}"));
        callers.push((workspace, world.caller(if stream { ask.stream() } else { ask })));
        world.pass_ms(pause_ms).await;
    }
    let mut owners = std::collections::HashMap::new();
    for (workspace, caller) in callers {
        let heard = caller.await.expect("not aborted").expect("answered");
        let record = world.books().record(heard.id).expect("told");
        let owner = owners.entry(heard.key.expect("keyed").sha).or_insert(workspace);
        prop_assert_eq!(*owner, workspace, "one key in two workspaces");
        if let Some(payer) = record.payer {
            let paid_by = world.books().record(payer).expect("the payer was told too").workspace;
            prop_assert_eq!(paid_by, record.workspace);
        }
    }
    world.assert_quiet().await;
    Ok(())
}
