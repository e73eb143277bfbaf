//! Owns what a record declaration demands: types first, then constraints in field order. Must not know the store;
//! uniqueness is judged there.

use std::sync::Arc;

use regex::Regex;

use super::Violation;
use crate::lang::ast::{Constraint, RecordDecl, TypeKind};
use crate::lang::fault::{Fault, Guide};
use crate::lang::value::{Map, Number, Value};

/// A declared record, ready to judge values.
#[derive(Debug)]
pub struct Schema {
    /// The record's name.
    pub name: Arc<str>,
    /// `id` if the record declares one, otherwise `_id`.
    pub id_field: Arc<str>,
    /// The local `find` binds: lower case, dots to `_`, then `_results`.
    pub results_local: Arc<str>,
    /// The words of the state path `save` reads: the name in lower case, split at dots.
    pub state_path: Vec<Arc<str>>,
    fields: Vec<Field>,
    tenant_path: Option<Vec<Arc<str>>>,
    ttl_ms: Option<i64>,
}

#[derive(Debug)]
struct Field {
    name: Arc<str>,
    kind: TypeKind,
    rule: Option<Rule>,
}

/// A constraint with its numbers read and its pattern compiled.
#[derive(Debug)]
enum Rule {
    Present,
    Unique,
    Compared { code: &'static str, demand: String, holds: Bound },
    Integer,
    Length { code: &'static str, demand: String, holds: Bound },
    Pattern { demand: String, whole: Box<Regex> },
}

/// The numbers a value must lie between; a missing end is open.
#[derive(Debug, Default)]
struct Bound {
    above: Option<Number>,
    at_least: Option<Number>,
    below: Option<Number>,
    at_most: Option<Number>,
}

impl Bound {
    /// Whether no number lies between the ends.
    fn is_empty(&self) -> bool {
        matches!((&self.at_least, &self.at_most), (Some(low), Some(high)) if low > high)
    }

    fn holds(&self, number: &Number) -> bool {
        self.above.as_ref().is_none_or(|limit| number > limit)
            && self.at_least.as_ref().is_none_or(|limit| number >= limit)
            && self.below.as_ref().is_none_or(|limit| number < limit)
            && self.at_most.as_ref().is_none_or(|limit| number <= limit)
    }
}

/// Whose records, at what time: what a run may see of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The tenant, where the record has a tenant key.
    pub tenant: Option<Arc<str>>,
    /// Milliseconds of the caller's clock; without it nothing expires.
    pub now_ms: Option<i64>,
}

impl Schema {
    /// Reads a declaration.
    ///
    /// # Errors
    /// A load fault where a number or a pattern cannot be used.
    pub fn new(record: &RecordDecl) -> Result<Self, Fault> {
        let name = Arc::clone(&record.name.text);
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let rule = match &field.constraint {
                Some(constraint) => Some(read_rule(&name, &field.name.text, constraint)?),
                None => None,
            };
            fields.push(Field { name: Arc::clone(&field.name.text), kind: field.ty.kind.clone(), rule });
        }
        let has_id = fields.iter().any(|field| field.name.as_ref() == "id");
        let lower = name.to_lowercase();
        let hours =
            record.ttl_hours.as_ref().map(|text| read_number(&name, "ttl_hours", text)).transpose()?;
        let words =
            |names: &Vec<crate::lang::ast::Name>| names.iter().map(|word| Arc::clone(&word.text)).collect();
        Ok(Self {
            id_field: Arc::from(if has_id { "id" } else { "_id" }),
            results_local: Arc::from(format!("{}_results", lower.replace('.', "_"))),
            state_path: lower.split('.').map(Arc::from).collect(),
            fields,
            tenant_path: record.tenant_key.as_ref().map(words),
            ttl_ms: hours.and_then(|hours| hours.multiply(&Number::from(3_600_000)).ok()?.to_i64()),
            name,
        })
    }

    /// Whether the record declares this field.
    pub fn declares(&self, field: &str) -> bool {
        self.fields.iter().any(|declared| declared.name.as_ref() == field)
    }

    /// The unique fields in written order.
    pub fn unique_fields(&self) -> impl Iterator<Item = &Arc<str>> {
        let unique = |field: &&Field| matches!(field.rule, Some(Rule::Unique));
        self.fields.iter().filter(unique).map(|field| &field.name)
    }

    /// When a record stored now expires.
    pub(super) fn expiry(&self, scope: &Scope) -> Option<i64> {
        Some(scope.now_ms?.saturating_add(self.ttl_ms?))
    }

    /// What the caller may see and write of this record.
    ///
    /// # Errors
    /// A record with a tenant key needs that field of the identity, as text.
    pub fn scope(&self, identity: &Value, now_ms: Option<i64>) -> Result<Scope, Fault> {
        let Some(path) = &self.tenant_path else { return Ok(Scope { tenant: None, now_ms }) };
        let mut found = Some(identity);
        for word in path {
            found = found.and_then(Value::as_map).and_then(|map| map.get(word.as_ref()));
        }
        match found {
            Some(Value::Text(tenant)) => Ok(Scope { tenant: Some(Arc::clone(tenant)), now_ms }),
            None | Some(Value::Null) => Err(self.tenant_fault("requires a tenant identity.", path)),
            Some(_) => Err(self.tenant_fault("tenant_key must be text.", path)),
        }
    }

    fn tenant_fault(&self, what: &str, path: &[Arc<str>]) -> Fault {
        let path = path.join(".");
        let guide = Guide {
            what: format!("Record '{}' {what}", self.name),
            why: format!("tenant_key is set to identity.{path}, but no text was provided there."),
            fix: "Provide the tenant field in identity defaults or engine identity.".to_owned(),
            example: "N3_IDENTITY_ORG=acme".to_owned(),
        };
        Fault::run_guided(guide, None)
    }

    /// The first thing wrong with `values`, uniqueness apart.
    ///
    /// # Errors
    /// The first of [`Schema::violations`].
    pub fn check(&self, values: &Map) -> Result<(), Violation> {
        match self.violations(values).into_iter().next() {
            Some(violation) => Err(violation),
            None => Ok(()),
        }
    }

    /// The first field that holds a value of another kind than declared, and that kind; nothing is made text of here.
    pub fn mistyped(&self, values: &Map) -> Option<(&Arc<str>, &'static str)> {
        self.fields.iter().find_map(|field| {
            let value = present(values, &field.name)?;
            let (kind, fits) = match field.kind {
                TypeKind::Text => ("text", value.as_text().is_some()),
                TypeKind::Number | TypeKind::Integer => ("number", value.as_number().is_some()),
                TypeKind::Boolean => ("boolean", value.as_bool().is_some()),
                _ => return None,
            };
            (!fits).then_some((&field.name, kind))
        })
    }

    /// Everything wrong with `values`, one per field: the types, or if those are right the constraints.
    pub fn violations(&self, values: &Map) -> Vec<Violation> {
        let wrong_types: Vec<_> =
            self.fields.iter().filter_map(|field| self.type_violation(field, values)).collect();
        if !wrong_types.is_empty() {
            return wrong_types;
        }
        self.fields.iter().filter_map(|field| self.rule_violation(field, values)).collect()
    }

    /// What is wrong where another record holds the value of a unique field.
    pub fn not_unique(&self, field: &Arc<str>) -> Violation {
        Violation::new(&self.name, field, "unique", "be unique")
    }

    fn violation(&self, field: &Field, code: &'static str, demand: &str) -> Violation {
        Violation::new(&self.name, &field.name, code, demand)
    }

    /// What is wrong where no number could be right.
    fn no_range(&self, field: &Field) -> Violation {
        let message =
            format!("Field '{}' in record '{}' has an invalid between range", field.name, self.name);
        Violation { field: Arc::clone(&field.name), code: "between", message }
    }

    fn type_violation(&self, field: &Field, values: &Map) -> Option<Violation> {
        let demand = match (&field.kind, present(values, &field.name)?) {
            (TypeKind::Number | TypeKind::Integer, value) if value.as_number().is_none() => "be a number",
            (TypeKind::Boolean, value) if value.as_bool().is_none() => "be a boolean",
            _ => return None,
        };
        Some(self.violation(field, "type", demand))
    }

    fn rule_violation(&self, field: &Field, values: &Map) -> Option<Violation> {
        let value = present(values, &field.name);
        let (code, demand) = match field.rule.as_ref()? {
            Rule::Unique => return None,
            Rule::Present => return value.is_none().then(|| self.violation(field, "present", "be present")),
            Rule::Compared { code, demand, holds } => match value.and_then(Value::as_number) {
                None => ("type", "be numeric"),
                Some(number) if holds.holds(&number) => return None,
                Some(_) if holds.is_empty() => return Some(self.no_range(field)),
                Some(_) => (*code, demand.as_str()),
            },
            Rule::Integer => match value.and_then(Value::as_number) {
                None => ("type", "be numeric"),
                Some(number) if number.is_integral() => return None,
                Some(_) => ("int", "be an integer"),
            },
            Rule::Length { code, demand, holds } => match value.map(length) {
                None => ("present", "be present for length check"),
                Some(None) => ("type", "support length checks"),
                Some(Some(length)) if holds.holds(&Number::from(length)) => return None,
                Some(Some(_)) => (*code, demand.as_str()),
            },
            Rule::Pattern { demand, whole } => match value {
                Some(Value::Text(text)) if whole.is_match(text) => return None,
                Some(Value::Text(_)) => ("pattern", demand.as_str()),
                _ => ("type", "be a string to match pattern"),
            },
        };
        Some(self.violation(field, code, demand))
    }

    /// The values as they are stored: whatever stands in a text field becomes text.
    #[must_use]
    pub fn stored(&self, mut values: Map) -> Map {
        for field in self.fields.iter().filter(|field| field.kind == TypeKind::Text) {
            let text = match present(&values, &field.name) {
                None | Some(Value::Text(_)) => continue,
                Some(other) => Value::text(other.to_display()),
            };
            values.insert(Arc::clone(&field.name), text);
        }
        values
    }
}

fn present<'m>(values: &'m Map, field: &str) -> Option<&'m Value> {
    values.get(field).filter(|value| !matches!(value, Value::Null))
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::Text(text) => Some(text.chars().count()),
        Value::List(list) => Some(list.len()),
        Value::Map(map) => Some(map.len()),
        _ => None,
    }
}

fn read_number(record: &str, field: &str, text: &str) -> Result<Number, Fault> {
    Number::parse(text).ok_or_else(|| {
        Fault::load(format!("Constraint for field '{field}' in record '{record}' must be numeric"), None)
    })
}

fn read_rule(record: &str, field: &str, constraint: &Constraint) -> Result<Rule, Fault> {
    let number = |text: &str| read_number(record, field, text).map(Some);
    let compared = |code, demand, holds| Ok(Rule::Compared { code, demand, holds });
    let open = Bound::default();
    match constraint {
        Constraint::Present => Ok(Rule::Present),
        Constraint::Unique => Ok(Rule::Unique),
        Constraint::Integer => Ok(Rule::Integer),
        Constraint::GreaterThan(n) => {
            compared("gt", format!("be greater than {n}"), Bound { above: number(n)?, ..open })
        }
        Constraint::LessThan(n) => {
            compared("lt", format!("be less than {n}"), Bound { below: number(n)?, ..open })
        }
        Constraint::AtLeast(n) => {
            compared("gte", format!("be at least {n}"), Bound { at_least: number(n)?, ..open })
        }
        Constraint::AtMost(n) => {
            compared("lte", format!("be at most {n}"), Bound { at_most: number(n)?, ..open })
        }
        Constraint::Between(low, high) => {
            let holds = Bound { at_least: number(low)?, at_most: number(high)?, ..open };
            compared("between", format!("be between {low} and {high}"), holds)
        }
        Constraint::LengthAtLeast(n) => {
            let holds = Bound { at_least: number(n)?, ..open };
            Ok(Rule::Length { code: "min_length", demand: format!("have length at least {n}"), holds })
        }
        Constraint::LengthAtMost(n) => {
            let holds = Bound { at_most: number(n)?, ..open };
            Ok(Rule::Length { code: "max_length", demand: format!("have length at most {n}"), holds })
        }
        Constraint::Pattern(pattern) => {
            let whole = Regex::new(&format!(r"\A(?:{pattern})\z")).map_err(|_| {
                Fault::load(
                    format!("Field '{field}' in record '{record}' has a pattern that cannot be used"),
                    None,
                )
            })?;
            Ok(Rule::Pattern { demand: format!("match pattern {pattern}"), whole: Box::new(whole) })
        }
    }
}
