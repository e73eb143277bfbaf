//! Owns the orders that change people: who they are, what they may where, and that they may not any more. Must not know who
//! gives them.

use tidegate_actors::WorkspaceId;
use uuid::Uuid;

use super::office::{Office, OfficeError, cut};
use super::password::Password;
use super::person::{Membership, PersonRow, email, person_name};
use super::registry::Change;
use super::role::Role;

/// A person to add.
#[derive(Clone)]
pub struct UserOrder {
    /// What they sign in with.
    pub name: String,
    /// What they may sign in with as well.
    pub email: Option<String>,
    /// Their password.
    pub password: Password,
    /// Where they are a member: a workspace's id or name.
    pub workspace: String,
    /// What they may there; operators may everything everywhere, and are members of nothing.
    pub role: Role,
}

impl Office {
    /// Adds a person. From the first one on, every request needs a credential.
    ///
    /// # Errors
    /// Somebody has the name or address, nobody may have it, there is no such workspace, or nothing can be stored.
    pub async fn make_user(&self, order: UserOrder) -> Result<PersonRow, OfficeError> {
        let UserOrder { name, email: address, password, workspace, role } = order;
        let name = person_name(&name)?;
        let email = address.map(|address| email(&address)).transpose()?;
        let password = self.hashing.hash(password).await?;
        self.refresh().await?;
        for called in std::iter::once(&name).chain(&email) {
            if self.roster.contents().person(called).is_some() {
                return Err(OfficeError::Taken { what: "person", name: called.clone() });
            }
        }
        let id = format!("person_{}", Uuid::now_v7());
        let is_operator = role == Role::Operator;
        let membership = match is_operator {
            true => None,
            false => {
                let workspace = self.workspace(&workspace)?.id;
                Some(Change::SetMembership(Membership { person: id.clone(), workspace, role }))
            }
        };
        let created_us = self.clock.unix_us();
        let row = PersonRow {
            id,
            name,
            email,
            password,
            generation: 0,
            is_operator,
            created_us,
            disabled_us: None,
        };
        let changes = std::iter::once(Change::AddPerson(row.clone())).chain(membership).collect();
        self.store(changes).await?;
        Ok(row)
    }

    /// Gives a person another password. All they signed in to has ended when this returns.
    ///
    /// # Errors
    /// There is no such person, or nothing can be stored.
    pub async fn set_password(&self, named: &str, password: Password) -> Result<PersonRow, OfficeError> {
        self.refresh().await?;
        let person = self.stored_person(named)?.id;
        let password = self.hashing.hash(password).await?;
        self.store(vec![Change::SetPassword { person: person.clone(), password }]).await?;
        self.person(&person)
    }

    /// Keeps a person out. No request of theirs is taken when this returns.
    ///
    /// # Errors
    /// There is no such person, or nothing can be stored.
    pub async fn disable_user(&self, named: &str) -> Result<PersonRow, OfficeError> {
        self.refresh().await?;
        let PersonRow { id, disabled_us, .. } = self.stored_person(named)?;
        if disabled_us.is_none() {
            let at_us = self.clock.unix_us();
            self.store(vec![Change::DisablePerson { id: id.clone(), at_us }]).await?;
        }
        self.person(&id)
    }

    /// Lets a person in again who was kept out. What they had signed in to before stays ended.
    ///
    /// # Errors
    /// There is no such person, or nothing can be stored.
    pub async fn enable_user(&self, named: &str) -> Result<PersonRow, OfficeError> {
        self.refresh().await?;
        let PersonRow { id, disabled_us, .. } = self.stored_person(named)?;
        if disabled_us.is_some() {
            self.store(vec![Change::EnablePerson { id: id.clone() }]).await?;
        }
        self.person(&id)
    }

    /// Says what a person may in a workspace; nothing any more if no role is given. In force when this returns.
    ///
    /// # Errors
    /// There is no such person or workspace, the role is not one of a workspace, or nothing can be stored.
    pub async fn grant(
        &self,
        named: &str,
        workspace: &str,
        role: Option<Role>,
    ) -> Result<PersonRow, OfficeError> {
        self.refresh().await?;
        let (person, workspace) = (self.stored_person(named)?.id, self.workspace(workspace)?.id);
        let change = match role {
            Some(Role::Operator) => return Err(not_of_a_workspace(&workspace)),
            Some(role) => Change::SetMembership(Membership { person: person.clone(), workspace, role }),
            None => Change::EndMembership { person: person.clone(), workspace },
        };
        self.store(vec![change]).await?;
        self.person(&person)
    }

    /// Says whether a person runs the instance. In force when this returns.
    ///
    /// # Errors
    /// There is no such person, or nothing can be stored.
    pub async fn set_operator(&self, named: &str, is_operator: bool) -> Result<PersonRow, OfficeError> {
        self.refresh().await?;
        let person = self.stored_person(named)?.id;
        self.store(vec![Change::SetOperator { person: person.clone(), is_operator }]).await?;
        self.person(&person)
    }

    /// The person with this id, name or e-mail address.
    ///
    /// # Errors
    /// There is none.
    pub fn person(&self, named: &str) -> Result<PersonRow, OfficeError> {
        let found = self.roster.contents().person(named).cloned();
        found.ok_or_else(|| OfficeError::Missing { what: "person", name: cut(named) })
    }

    /// As [`Office::person`], if anything of it can be changed.
    fn stored_person(&self, named: &str) -> Result<PersonRow, OfficeError> {
        let row = self.person(named)?;
        match self.roster.is_guest(&row.id) {
            true => Err(OfficeError::Guest { name: row.name }),
            false => Ok(row),
        }
    }
}

fn not_of_a_workspace(workspace: &WorkspaceId) -> OfficeError {
    OfficeError::NotThat {
        what: "the role in a workspace",
        why: "is read, write or admin; operators run the whole instance",
        got: workspace.to_string(),
    }
}
