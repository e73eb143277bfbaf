//! Capabilities: known names, given once, and those a declaration needs.

use std::collections::{BTreeSet, HashSet};

use super::super::ast::{Program, StmtKind};
use super::super::fault::{Fault, Guide};
use super::super::span::Span;
use super::Faults;
use super::walk::{self, Node};

/// Every capability a program may name, besides those that begin with `ui.`; sorted.
const KNOWN: [&str; 45] = [
    "app_packaging",
    "app_permissions",
    "composition.includes",
    "custom_theme",
    "custom_ui",
    "decoupled_ui_api",
    "dependency_management",
    "dev_tools",
    "diagnostics.trace",
    "ecosystem_developer_experience",
    "embedding",
    "extension_hooks",
    "extension_trust",
    "files",
    "hook_execution",
    "http",
    "huggingface",
    "jobs",
    "local_runner",
    "multi_user",
    "performance",
    "performance_scalability",
    "plugin_registry",
    "remote_registry",
    "remote_studio",
    "responsive_design",
    "sandbox",
    "scheduling",
    "secrets",
    "security_compliance",
    "service",
    "speech",
    "streaming",
    "theme_editor",
    "third_party_apis",
    "training",
    "ui_layout",
    "ui_navigation",
    "ui_rag",
    "ui_state",
    "ui_theme",
    "uploads",
    "versioning_quality_mlops",
    "vision",
    "vision_gen",
];

pub(super) fn check(program: &Program, faults: &mut Faults) {
    let mut given = HashSet::new();
    for name in &program.capabilities {
        let text = name.text.as_ref();
        if !is_known(text) {
            faults.push(Fault::load_guided(unknown(text), Some(name.span)));
        } else if !given.insert(text) {
            faults.push(Fault::load(format!("Duplicate capability '{text}'."), Some(name.span)));
        }
    }
    let mut needs = Needs { given, missing: BTreeSet::new(), first: None };
    needs.declarations(program);
    walk::program(program, &mut |node| {
        if let Node::Stmt(stmt) = node
            && let StmtKind::AskAi { stream: true, .. } = stmt.kind
        {
            needs.need("streaming", stmt.span);
        }
    });
    if let Some(fault) = needs.into_fault() {
        faults.push(fault);
    }
}

fn is_known(name: &str) -> bool {
    KNOWN.binary_search(&name).is_ok() || name.starts_with("ui.")
}

fn unknown(name: &str) -> Guide {
    Guide {
        what: format!("Unknown capability '{name}'."),
        why: "A program asks for the parts of the runtime it needs by their names.".into(),
        fix: "Remove the line or correct the name.".into(),
        example: "capabilities:\n  jobs".into(),
    }
}

/// What declarations need and the program does not ask for.
struct Needs<'a> {
    given: HashSet<&'a str>,
    missing: BTreeSet<&'static str>,
    first: Option<Span>,
}

impl Needs<'_> {
    fn declarations(&mut self, program: &Program) {
        for job in &program.jobs {
            self.need("jobs", job.span);
        }
        for tool in &program.tools {
            match tool.runner.text.as_ref() {
                "http" => self.need("http", tool.span),
                "file" | "files" => self.need("files", tool.span),
                _ => {}
            }
        }
    }

    fn need(&mut self, capability: &'static str, span: Span) {
        if !self.given.contains(capability) {
            self.missing.insert(capability);
            self.first = Some(self.first.map_or(span, |first| first.min(span)));
        }
    }

    fn into_fault(self) -> Option<Fault> {
        if self.missing.is_empty() {
            return None;
        }
        let names: Vec<&str> = self.missing.into_iter().collect();
        let guide = Guide {
            what: format!("Missing capabilities: {}.", names.join(", ")),
            why: "The program uses parts of the runtime that it does not ask for.".into(),
            fix: "Name them in the capabilities block.".into(),
            example: format!("capabilities:\n  {}", names.join("\n  ")),
        };
        Some(Fault::load_guided(guide, self.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_capabilities_are_sorted_so_that_search_finds_them() {
        assert!(KNOWN.is_sorted());
        assert!(is_known("performance") && is_known("ui.charts") && !is_known("telepathy"));
    }
}
