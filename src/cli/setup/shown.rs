//! A configuration as it is shown, and what came of saving it.

use serde_json::{Value, json};

use crate::cli::session::Session;
use crate::organisation::Organisation;
use crate::organisation::OrganisationKind;
use crate::organisation::Region;
use crate::setup::{example, kind};
use crate::store::Key;
use crate::words;

/// Holds what the command answers.
pub(super) struct Outcome<'a> {
    /// The parameter's name.
    pub(super) parameter: &'a str,
    /// The configuration.
    pub(super) organisation: &'a Organisation,
    /// The regions in which it stands, each with whether it was written.
    pub(super) regions: Vec<(String, bool)>,
    /// The regions in which it does not.
    pub(super) failed: Vec<String>,
    /// The regions with one that nobody reads any more.
    pub(super) left: &'a [Region],
    /// Whether nothing was to be written.
    pub(super) dry_run: bool,
}

impl<'a> Outcome<'a> {
    /// Makes one in which nothing has happened yet.
    pub(super) fn default_for(organisation: &'a Organisation) -> Self {
        Self { parameter: "", organisation, regions: Vec::new(), failed: Vec::new(), left: &[], dry_run: false }
    }

    pub(super) fn to_json(&self) -> Value {
        let region = |(region, written): &(String, bool)| json!({"region": region, "written": written});
        let configuration: Value = serde_json::from_str(&self.organisation.to_text()).unwrap_or_default();
        json!({
            "parameter": self.parameter,
            "kind": kind(self.organisation),
            "configuration": configuration,
            "regions": self.regions.iter().map(region).collect::<Vec<_>>(),
            "failed": self.failed,
            "left": self.left.iter().map(Region::as_str).collect::<Vec<_>>(),
            "example": {"object": object(self.organisation), "parameter": self.organisation.latest_parameter(&example())},
            "written": self.regions.iter().any(|(_, written)| *written),
            "dry_run": self.dry_run,
        })
    }

    /// Returns where it stands, a line each.
    pub(super) fn places(&self) -> String {
        self.regions.iter().map(|(region, _)| format!("{} in {region}\n", self.parameter)).collect()
    }

    /// Returns it for people to read.
    pub(super) fn shown(&self) -> String {
        format!("{}{}", self.places(), lines(self.organisation))
    }

    /// Tells what was written.
    pub(super) fn log(&self, session: &Session) {
        for (region, written) in &self.regions {
            let text = if *written { "saved in" } else { "nothing to save: the same stands already in" };
            session.report.log(&format!("{text} {region}"));
        }
    }

    /// Tells what is left to do by hand, or will be.
    pub(super) fn log_left(&self, session: &Session, moved: Option<Vec<String>>) {
        for region in self.left {
            session.report.warning(&format!(
                "{region} is listed no more, and what stands there is the former configuration: `aws ssm delete-parameter --name {} --region {region}` removes it",
                self.parameter
            ));
        }
        if let Some(regions) = moved {
            let regions = regions.join(",");
            session.report.note(&format!("every machine that uses it must have STARTIFACT_REGIONS={regions}"));
        }
    }
}

/// Returns what a configuration says and what follows from it, a line each.
fn lines(organisation: &Organisation) -> String {
    let own = "that of the configuration";
    let region = |region: &Option<Region>| region.as_ref().map_or_else(|| own.to_owned(), ToString::to_string);
    let or_none = |text: &str| if text.is_empty() { "(none)".to_owned() } else { text.to_owned() };
    let mut rows =
        vec![("kind", kind(organisation).to_owned()), ("bucket parameter", organisation.bucket_parameter.clone())];
    match &organisation.kind {
        OrganisationKind::Described { bucket_parameter_region, bucket_region, parameter_region } => {
            rows.push(("its region", region(bucket_parameter_region)));
            rows.push(("bucket region", region(bucket_region)));
            rows.push(("key prefix", or_none(organisation.key_prefix.as_str())));
            rows.push(("parameter region", region(parameter_region)));
        }
        OrganisationKind::Released { regions } => {
            let listed = regions.iter().map(Region::as_str).collect::<Vec<_>>().join(", ");
            let listed = if regions.is_empty() { "those that STARTIFACT_REGIONS lists".to_owned() } else { listed };
            rows.insert(1, ("regions", listed));
            rows.push(("key prefix", or_none(organisation.key_prefix.as_str())));
        }
    }
    rows.push(("parameter prefix", or_none(&organisation.parameter_prefix)));
    rows.extend(organisation.rest.iter().map(|(key, value)| (key.as_str(), value.to_string())));
    table(rows) + &examples(organisation)
}

/// Returns what follows from a configuration, a line each.
pub(super) fn examples(organisation: &Organisation) -> String {
    table(vec![
        ("app 1.0.0", format!("is the object {}", object(organisation))),
        ("latest of app", format!("is in the parameter {}", organisation.latest_parameter(&example()))),
    ])
}

fn table(rows: Vec<(&str, String)>) -> String {
    rows.into_iter().map(|(key, value)| format!("    {:<18}{}\n", words::line(key), words::line(&value))).collect()
}

/// Returns the key of an object as the configuration makes it.
pub(super) fn object(organisation: &Organisation) -> String {
    let version = "1.0.0".parse().expect("because it is a version");
    Key::Staged(organisation.key_prefix.clone(), example(), version).to_string()
}
