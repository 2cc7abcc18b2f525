//! Reads what a registry says of one artifact.

use toml::Spanned;
use toml::de::DeValue;

use super::super::Entry;
use super::{Reader, shown};
use crate::inputs::{Inputs, InputsError};
use crate::policy::Policy;

impl<'d> Reader<'d> {
    /// Reads an artifact: its name alone, or a table with its name and what else is said of it.
    pub(super) fn entry(&mut self, project: &'d str, item: &'d Spanned<DeValue<'_>>) -> Option<Entry> {
        if item.get_ref().is_str() {
            return self.name(project, item, false).map(Entry::named);
        }
        let (mut name, mut description, mut inputs, mut policy) = (None, None, None, None);
        let fields = self.table(item, "an artifact name in quotes, or a table with a name,")?;
        for (key, value) in fields {
            match key.get_ref().as_ref() {
                "name" => name = self.name(project, value, false),
                "description" => description = self.text(value, "a description in quotes").map(str::to_owned),
                "inputs" => inputs = self.inputs(value),
                "policy" => policy = self.policy(value),
                _ => self.unknown_key(key, " of an artifact"),
            }
        }
        if !fields.contains_key("name") {
            self.problem(item.span().start, "this artifact has no name".to_owned());
        }
        Some(Entry { name: name?, description, inputs, policy })
    }

    fn inputs(&mut self, value: &'d Spanned<DeValue<'_>>) -> Option<Inputs> {
        let items = self.array(value, "an array of pathspecs")?;
        let mut specs = Vec::new();
        for item in items {
            specs.extend(self.text(item, "a pathspec in quotes"));
        }
        if specs.len() < items.len() {
            return None;
        }
        match Inputs::parse(&specs) {
            Ok(inputs) => return Some(inputs),
            Err(error @ (InputsError::None | InputsError::Many(_))) => {
                self.problem(value.span().start, error.to_string());
            }
            // Each of them, so that all are mended in one go.
            Err(InputsError::Spec { .. }) => {
                for (item, spec) in items.iter().zip(specs) {
                    if let Err(error) = Inputs::parse([spec]) {
                        self.problem(item.span().start, format!("{} declares no inputs: {error}", shown(spec)));
                    }
                }
            }
        }
        None
    }

    fn policy(&mut self, value: &'d Spanned<DeValue<'_>>) -> Option<Policy> {
        let text = self.text(value, "a policy in quotes")?;
        self.valid(value.span().start, "policy", text)
    }
}
