//! A configuration that is being made: what is asked, what may be answered, and what follows from it.

use serde_json::Value;

use crate::json;
use crate::organisation::{
    KeyPrefix, KeyPrefixError, Organisation, OrganisationError, OrganisationKind, Region, RegionError,
};
use crate::parameters::name::{self, ParameterNameError};
use crate::version::{LONGEST_NAME, ReleaseName};

/// What the parameter with the bucket's name is called where Startifact's template was deployed as it is.
const BUCKET_PARAMETER: &str = "/artifacts-bucket";

/// The answers that Startifact records beside the configuration, each as this text.
const RECORDED: [&str; 2] = ["start_ok", "save_ok"];
const YES: &str = "y";

/// Names what a configuration is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// The regions of a released configuration.
    Regions,
    /// The parameter that holds the bucket's name.
    BucketParameter,
    /// That parameter's region.
    BucketParameterRegion,
    /// The bucket's region.
    BucketRegion,
    /// What every key in the bucket begins with.
    KeyPrefix,
    /// The region of the parameters that hold latest versions.
    ParameterRegion,
    /// What the names of those parameters begin with.
    ParameterPrefix,
}

/// Says why an answer is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is no region.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// It is no beginning of a key.
    #[error(transparent)]
    KeyPrefix(#[from] KeyPrefixError),
    /// It is no parameter's name.
    #[error(transparent)]
    Name(#[from] ParameterNameError),
    /// No region is left.
    #[error("at least one region belongs here, as eu-north-1 or eu-north-1,eu-west-2")]
    NoRegion,
    /// What it makes of a name is no parameter's name.
    #[error("the latest version of app would be recorded in {parameter}")]
    Latest {
        /// The parameter that would result.
        parameter: String,
        /// What is wrong with it.
        #[source]
        source: ParameterNameError,
    },
    /// It leaves no room for names.
    #[error("a prefix has at most {most} characters, so that there is room for names, this has {length}", most = longest_prefix())]
    LongPrefix {
        /// How many characters it has.
        length: usize,
    },
    /// The released kind has no such prefix.
    #[error("in the released kind of configuration a prefix begins with / and does not end with one, as /org")]
    ReleasedPrefix,
    /// The configuration's kind has nothing of that sort.
    #[error("the {kind} kind of configuration, which is what is saved here, has no such key")]
    OtherKind {
        /// The kind that it is.
        kind: &'static str,
    },
}

/// Holds a configuration while it is made. It can be saved at any time: each answer is looked at when it is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft(Organisation);

impl Draft {
    /// Begins with a described configuration of which everything lies in one region.
    #[must_use]
    pub fn fresh(region: Option<&Region>) -> Self {
        Self(Organisation {
            key_prefix: KeyPrefix::default(),
            bucket_parameter: BUCKET_PARAMETER.to_owned(),
            parameter_prefix: String::new(),
            kind: OrganisationKind::Described {
                bucket_parameter_region: region.cloned(),
                bucket_region: region.cloned(),
                parameter_region: region.cloned(),
            },
            rest: std::collections::BTreeMap::new(),
        })
    }

    /// Begins with a configuration that is there.
    #[must_use]
    pub fn of(organisation: Organisation) -> Self {
        Self(organisation)
    }

    /// Begins with what somebody left who did not finish: what it says counts, and what it does not say is as in a fresh one.
    ///
    /// # Errors
    /// What is no configuration, whatever it lacks.
    pub fn unfinished(text: &str, region: Option<&Region>) -> Result<Self, OrganisationError> {
        let mut value = json::read(text.as_bytes()).map_err(OrganisationError::Syntax)?;
        if let Some(keys) = value.as_object_mut() {
            keys.insert("bucket_param_name".to_owned(), Value::from(BUCKET_PARAMETER));
        }
        let mut organisation = Organisation::parse(&value.to_string())?;
        if let OrganisationKind::Described { bucket_parameter_region, bucket_region, parameter_region } =
            &mut organisation.kind
        {
            for unset in [bucket_parameter_region, bucket_region, parameter_region] {
                *unset = unset.take().or_else(|| region.cloned());
            }
        }
        Ok(Self(organisation))
    }

    /// Returns the name of its kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        kind(&self.0)
    }

    /// Returns what is asked for its kind, in order.
    #[must_use]
    pub fn questions(&self) -> &'static [Question] {
        match self.0.kind {
            OrganisationKind::Described { .. } => &[
                Question::BucketParameter,
                Question::BucketParameterRegion,
                Question::BucketRegion,
                Question::KeyPrefix,
                Question::ParameterRegion,
                Question::ParameterPrefix,
            ],
            OrganisationKind::Released { .. } => {
                &[Question::Regions, Question::BucketParameter, Question::KeyPrefix, Question::ParameterPrefix]
            }
        }
    }

    /// Returns what it says now; an empty text where it says nothing.
    #[must_use]
    pub fn value(&self, question: Question) -> String {
        let text = |region: &Option<Region>| region.as_ref().map(ToString::to_string).unwrap_or_default();
        match (question, &self.0.kind) {
            (Question::BucketParameter, _) => self.0.bucket_parameter.clone(),
            (Question::KeyPrefix, _) => self.0.key_prefix.to_string(),
            (Question::ParameterPrefix, _) => self.0.parameter_prefix.clone(),
            (Question::Regions, OrganisationKind::Released { regions }) => {
                regions.iter().map(Region::as_str).collect::<Vec<_>>().join(",")
            }
            (Question::BucketParameterRegion, OrganisationKind::Described { bucket_parameter_region: region, .. })
            | (Question::BucketRegion, OrganisationKind::Described { bucket_region: region, .. })
            | (Question::ParameterRegion, OrganisationKind::Described { parameter_region: region, .. }) => text(region),
            (Question::Regions, OrganisationKind::Described { .. })
            | (
                Question::BucketParameterRegion | Question::BucketRegion | Question::ParameterRegion,
                OrganisationKind::Released { .. },
            ) => String::new(),
        }
    }

    /// Takes an answer.
    ///
    /// # Errors
    /// [`AnswerError`]; the draft is as it was.
    pub fn set(&mut self, question: Question, text: &str) -> Result<(), AnswerError> {
        let other = AnswerError::OtherKind { kind: self.kind() };
        let one = |text: &str| if text.is_empty() { Ok(None) } else { text.parse().map(Some) };
        match (question, &mut self.0.kind) {
            (Question::BucketParameter, _) => {
                name::check(text)?;
                text.clone_into(&mut self.0.bucket_parameter);
            }
            (Question::KeyPrefix, _) => self.0.key_prefix = text.parse()?,
            (Question::ParameterPrefix, _) => self.0.parameter_prefix = self.prefix(text)?,
            (Question::Regions, OrganisationKind::Released { regions }) => {
                let listed = Region::list(text)?;
                if listed.is_empty() {
                    return Err(AnswerError::NoRegion);
                }
                *regions = listed;
            }
            (Question::BucketParameterRegion, OrganisationKind::Described { bucket_parameter_region: region, .. })
            | (Question::BucketRegion, OrganisationKind::Described { bucket_region: region, .. })
            | (Question::ParameterRegion, OrganisationKind::Described { parameter_region: region, .. }) => {
                *region = one(text)?;
            }
            (Question::Regions, OrganisationKind::Described { .. })
            | (
                Question::BucketParameterRegion | Question::BucketRegion | Question::ParameterRegion,
                OrganisationKind::Released { .. },
            ) => return Err(other),
        }
        Ok(())
    }

    /// Returns the configuration as it stands.
    #[must_use]
    pub fn organisation(&self) -> &Organisation {
        &self.0
    }

    /// Returns the configuration with the answers recorded that whoever saves it has given.
    #[must_use]
    pub fn finished(mut self) -> Organisation {
        let recorded = match self.0.kind {
            OrganisationKind::Described { .. } => RECORDED.as_slice(),
            OrganisationKind::Released { .. } => &["save_ok"],
        };
        self.0.rest.extend(recorded.iter().map(|key| ((*key).to_owned(), Value::from(YES))));
        self.0
    }

    /// Looks whether parameters with a prefix would have names that parameters can have.
    fn prefix(&self, text: &str) -> Result<String, AnswerError> {
        let released = matches!(self.0.kind, OrganisationKind::Released { .. });
        if released && !text.is_empty() && (!text.starts_with('/') || text.ends_with('/')) {
            return Err(AnswerError::ReleasedPrefix);
        }
        let parameter =
            Organisation { parameter_prefix: text.to_owned(), ..self.0.clone() }.latest_parameter(&example());
        name::check(&parameter).map_err(|source| AnswerError::Latest { parameter, source })?;
        if text.len() > longest_prefix() {
            return Err(AnswerError::LongPrefix { length: text.len() });
        }
        Ok(text.to_owned())
    }
}

/// Returns the name of a configuration's kind.
#[must_use]
pub fn kind(organisation: &Organisation) -> &'static str {
    match organisation.kind {
        OrganisationKind::Described { .. } => "described",
        OrganisationKind::Released { .. } => "released",
    }
}

/// Returns the name that examples have.
#[must_use]
pub fn example() -> ReleaseName {
    "app".parse().expect("because it is a release's name")
}

/// Returns the keys that a configuration has otherwise than a former one, each with what it was.
pub(super) fn changes(former: &Organisation, now: &Organisation) -> Vec<(String, Value)> {
    let keys = |organisation: &Organisation| match serde_json::from_str(&organisation.to_text()) {
        Ok(Value::Object(keys)) => keys,
        Ok(_) | Err(_) => serde_json::Map::new(),
    };
    let now = keys(now);
    let mut changes: Vec<(String, Value)> =
        keys(former).into_iter().filter(|(key, was)| now.get(key) != Some(was)).collect();
    changes.retain(|(key, _)| !RECORDED.contains(&key.as_str()));
    changes
}

/// Says whether two configurations say the same; which answers are recorded does not count.
pub(super) fn same(one: &Organisation, other: &Organisation) -> bool {
    let bare = |organisation: &Organisation| {
        let mut bare = organisation.clone();
        RECORDED.iter().for_each(|key| drop(bare.rest.remove(*key)));
        bare
    };
    bare(one) == bare(other)
}

/// Returns how long a prefix can be so that each name has room after it.
fn longest_prefix() -> usize {
    name::LONGEST - LONGEST_NAME - "//latest".len()
}
