//! Owns what the pages of an app are to whoever shows them: a manifest, the actions in it by id, and the flows that stand
//! behind forms and page rules. Pure; must not run anything.

mod action;
mod elements;
mod guards;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::lang::App;
use crate::lang::ast::Program;
use crate::lang::fault::Fault;
use crate::lang::value::Value;

pub use action::{Action, Deed, Form};
pub(in crate::run) use elements::fields;

/// The pages of an app, and the app with the flows its pages add.
#[derive(Debug)]
pub struct Pages {
    app: Arc<App>,
    pages: Vec<Page>,
    actions: BTreeMap<String, Action>,
}

/// One page.
#[derive(Debug)]
pub struct Page {
    /// As it is written.
    pub name: Arc<str>,
    /// As it stands in action ids.
    pub slug: String,
    /// The flow that ends well for whoever may see the page; everybody may see one without.
    pub guard: Option<Arc<str>>,
    elements: Value,
}

impl Pages {
    /// Reads the pages of a checked program.
    ///
    /// # Errors
    /// Those of compiling the program; one that was compiled before has none.
    pub fn new(tree: &Program) -> Result<Self, Vec<Fault>> {
        let mut whole = tree.clone();
        let mut actions = BTreeMap::new();
        let mut pages = Vec::with_capacity(tree.pages.len());
        for page in &tree.pages {
            let guard = guards::of_page(page, &mut whole);
            let slug = slug(&page.name.text);
            let mut walk = elements::Walk {
                page,
                slug: &slug,
                guard: guard.as_ref(),
                tree: &mut whole,
                actions: &mut actions,
            };
            let elements = walk.all(&page.items);
            pages.push(Page { name: Arc::clone(&page.name.text), slug, guard, elements });
        }
        Ok(Self { app: Arc::new(App::new(whole)?), pages, actions })
    }

    /// The app, with the flows that forms and page rules run as. Nothing lists these.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The pages in written order.
    #[must_use]
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// The action of this id.
    #[must_use]
    pub fn action(&self, id: &str) -> Option<&Action> {
        self.actions.get(id)
    }

    /// Every action, sorted by id.
    pub fn actions(&self) -> impl ExactSizeIterator<Item = &Action> {
        self.actions.values()
    }

    /// `{id, type, flow|record}` of every action, sorted by id.
    #[must_use]
    pub fn action_list(&self) -> Value {
        Value::list(self.actions.values().map(Action::told).collect())
    }

    /// What `GET /api/ui` answers: the pages for which `shown` holds, and their actions by id.
    pub fn manifest(&self, shown: impl Fn(&Page) -> bool) -> Value {
        let shown: Vec<&Page> = self.pages.iter().filter(|page| shown(page)).collect();
        let of_shown = |action: &&Action| shown.iter().any(|page| page.name == action.page);
        let actions = self.actions.values().filter(of_shown);
        let actions = actions.map(|action| (Arc::from(action.id.as_str()), action.told())).collect();
        Value::fields([
            ("actions", Value::map(actions)),
            ("ok", true.into()),
            ("pages", Value::list(shown.into_iter().map(Page::told).collect())),
        ])
    }
}

impl Page {
    fn told(&self) -> Value {
        Value::fields([
            ("elements", self.elements.clone()),
            ("name", Value::Text(Arc::clone(&self.name))),
            ("slug", Value::text(self.slug.as_str())),
        ])
    }
}

/// A name as it stands in action ids.
fn slug(name: &str) -> String {
    name.to_lowercase().replace(' ', "_")
}

#[cfg(test)]
mod tests;
