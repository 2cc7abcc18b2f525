//! The CI run that this is, as CI systems tell it.

use super::{Config, Environment};

/// The longest URL that is recorded, in characters.
const LONGEST: usize = 1000;

/// Variables that hold the whole URL of a job or a build, the more precise first (sources: the documentations of GitLab and Woodpecker,
/// CircleCI, Jenkins and TeamCity, Travis, Drone, Bitrise, and AWS CodeBuild, in this order).
const WHOLE: [&str; 10] = [
    "CI_JOB_URL",
    "CI_PIPELINE_URL",
    "CIRCLE_BUILD_URL",
    "BUILD_URL",
    "TRAVIS_JOB_WEB_URL",
    "TRAVIS_BUILD_WEB_URL",
    "DRONE_BUILD_LINK",
    "BITRISE_BUILD_URL",
    "CODEBUILD_PUBLIC_BUILD_URL",
    "CODEBUILD_BUILD_URL",
];

impl Config {
    /// Returns the URL of the CI run that this is, where the environment tells one: what a person opens to read the log.
    #[must_use]
    pub fn run_url(&self) -> Option<String> {
        run_url(&self.environment)
    }
}

/// Asks in turn each CI system that needs several variables, then those that need one: some set the variables of others too.
fn run_url(environment: &Environment) -> Option<String> {
    let told = |variable: &str| environment.get(variable)?.to_str();
    let joined = [github(&told), azure(&told), buildkite(&told), bitbucket(&told), semaphore(&told), cirrus(&told)];
    let whole = WHOLE.into_iter().filter_map(|variable| told(variable).map(str::to_owned));
    joined.into_iter().flatten().chain(whole).find(|url| is_url(url))
}

/// Reads the variables of GitHub Actions. Gitea's and Forgejo's are called the same, and their pages go by number.
fn github<'e>(told: &impl Fn(&str) -> Option<&'e str>) -> Option<String> {
    let (server, repository) = (told("GITHUB_SERVER_URL")?, told("GITHUB_REPOSITORY")?);
    let by_number = told("GITEA_ACTIONS").or_else(|| told("FORGEJO_ACTIONS")).is_some();
    if by_number {
        return Some(format!("{server}/{repository}/actions/runs/{}", told("GITHUB_RUN_NUMBER")?));
    }
    let run = format!("{server}/{repository}/actions/runs/{}", told("GITHUB_RUN_ID")?);
    Some(match told("GITHUB_RUN_ATTEMPT").filter(|attempt| *attempt != "1") {
        Some(attempt) => format!("{run}/attempts/{attempt}"),
        None => run,
    })
}

fn azure<'e>(told: &impl Fn(&str) -> Option<&'e str>) -> Option<String> {
    let server = told("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI").or_else(|| told("SYSTEM_COLLECTIONURI"))?;
    let (project, build) =
        (told("SYSTEM_TEAMPROJECTID").or_else(|| told("SYSTEM_TEAMPROJECT"))?, told("BUILD_BUILDID")?);
    Some(format!("{}/{}/_build/results?buildId={build}", server.trim_end_matches('/'), project.replace(' ', "%20")))
}

fn buildkite<'e>(told: &impl Fn(&str) -> Option<&'e str>) -> Option<String> {
    let build = told("BUILDKITE_BUILD_URL")?;
    Some(told("BUILDKITE_JOB_ID").map_or_else(|| build.to_owned(), |job| format!("{build}#{job}")))
}

fn bitbucket<'e>(told: &impl Fn(&str) -> Option<&'e str>) -> Option<String> {
    let (origin, number) = (told("BITBUCKET_GIT_HTTP_ORIGIN")?, told("BITBUCKET_BUILD_NUMBER")?);
    Some(format!("{origin}/pipelines/results/{number}"))
}

fn semaphore<'e>(told: &impl Fn(&str) -> Option<&'e str>) -> Option<String> {
    let (organization, workflow) = (told("SEMAPHORE_ORGANIZATION_URL")?, told("SEMAPHORE_WORKFLOW_ID")?);
    Some(format!("{organization}/workflows/{workflow}"))
}

fn cirrus<'e>(told: &impl Fn(&str) -> Option<&'e str>) -> Option<String> {
    told("CIRRUS_TASK_ID").map(|task| format!("https://cirrus-ci.com/task/{task}"))
}

/// Says whether a text is a URL that can be recorded and opened: people click on it. One that names a user may name the password, and what is
/// recorded is everybody's to read.
fn is_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !authority.contains('@')
        && text.len() <= LONGEST
        && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\'))
}
