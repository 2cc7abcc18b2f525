//! `metalogic url`.

use serde_json::json;

use crate::artifact::Name;
use crate::cli::choice::{Choice, Wish};
use crate::cli::session::Session;
use crate::config;
use crate::policy::Policy;
use crate::store::{Ending, Validity};
use crate::url::{self, Link};

/// Print a URL by which anybody fetches an artifact for a while
///
/// Prints a presigned URL of the artifact, from the address that the commit's metafile names: whoever has the URL reads that object and no other,
/// without credentials and with any program, until it ends. It is signed with the credentials of this run, which must be allowed to read the
/// object. Where those are temporary (a login, a role, a CI job's token) the URL ends with them, however long it was asked for.
///
/// An artifact in a directory has a file:// URL, which needs no signature and does not end.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The artifact
    #[arg(value_name = "NAME")]
    name: Name,
    /// The commit: anything `git rev-parse` takes [default: HEAD]
    #[arg(long, value_name = "REV")]
    commit: Option<String>,
    /// For how long the URL is good, as 90s, 12h or 7d, which is the longest that S3 allows
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = validity)]
    expires: Validity,
    /// Resolve anew: a stored metafile may be behind
    #[arg(long)]
    fresh: bool,
    /// What is asked of the artifact, whatever the registry asks: nearest, fresh (built or proven) or exact (built at the commit)
    #[arg(long, value_name = "POLICY")]
    policy: Option<Policy>,
}

fn validity(text: &str) -> Result<Validity, String> {
    Validity::new(config::duration(text)?).map_err(|error| error.to_string())
}

pub(crate) async fn run(session: &Session, arguments: &Arguments) -> anyhow::Result<()> {
    let commit = session.commit(arguments.commit.as_deref())?;
    let ports = session.ports().await?;
    let names = std::slice::from_ref(&arguments.name);
    let wish = Wish { commit, names, policy: arguments.policy, fresh: arguments.fresh };
    let Choice { metafile, verdicts, .. } = session.choose(&ports, &wish).await?;
    let link = url::url(&*ports.store, &metafile, &arguments.name, arguments.expires).await?;
    tell(session, &arguments.name, &link);
    let verdict = verdicts.get(&arguments.name);
    let object = json!({
        "name": arguments.name.to_string(),
        "commit": commit.to_string(),
        "address": link.at.to_string(),
        "url": link.url,
        "expires": link.ends.map(|(until, _)| until.to_string()),
        "size": link.size,
        "sha256": link.sha256.map(|digest| digest.to_string()),
        "state": verdict.map(|(verdict, _)| verdict.state.word()),
        "policy": verdict.map(|(_, policy)| policy.to_string()),
        "store": ports.store.root(),
    });
    session.answer(&object, || format!("{}\n", link.url).into_bytes())
}

/// Says who can open the URL, and for how long.
fn tell(session: &Session, name: &Name, link: &Link) {
    let Some((until, ending)) = link.ends else {
        return session.report.note(&format!(
            "{name} lies in a directory: its URL needs no signature, does not end, and is understood where that directory is"
        ));
    };
    session.report.log(&format!("{name} of {}: whoever has the URL reads it until {until}", link.at.short()));
    match ending {
        Ending::Asked => {}
        Ending::Credentials => session.report.warning(
            "the URL ends before the time that was asked for, with the credentials that signed it: no URL outlives them",
        ),
        Ending::Either => session.report.warning(
            "the credentials are temporary (AWS_SESSION_TOKEN): when they end, so does the URL, which may be before that",
        ),
    }
}
