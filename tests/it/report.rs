//! The page of `metalogic report` says what `log` and `status` say, and nothing that others wrote gets out of its place in it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metalogic::address::Commit;
use metalogic::artifact::Digest;
use metalogic::metafile::Record;
use metalogic::sheet::{CELLS, COLUMNS, Grid, Line};
use metalogic::state::{State, Verdict};
use metalogic::words;
use serde_json::{Value, json};

use crate::answers::shop;
use crate::page::Element;
use crate::sandbox::{Sandbox, at_one_moment};

const SUBJECT: &str = "<script>alert(\"subject\")</script> & 'quoted' \u{1b}[31mred \u{202e}live";
const OBJECT: &str = "<img src=x onerror=alert(1)> \"&quot;.zip";
const REASON: &str = "</script><script>alert(2)</script>\n\u{9b}31m";

/// What is no link: a script, one that begins like a URL, and a URL that would end its attribute.
const RUNS: [&str; 3] =
    ["javascript:alert(1)//https://", "https://ci.example/\u{202e}/1", "https://ci.example/ \"><img src=x>"];

/// A history of all states, with gaps, and with words that would be more than words where they got out of their place.
fn hostile() -> Sandbox {
    let sandbox = shop();
    sandbox.done(&["publish", "../out/web.zip"]);
    for (run, name) in RUNS.iter().zip(["docs.tgz", "api.zip", "gen.bin"]) {
        let commit = sandbox.commit(SUBJECT);
        sandbox.done(&["fail", name, "--reason", "r"]);
        edit(&sandbox, &commit, |metafile| {
            metafile["attempts"][name] = json!({"state": "failed", "run": run, "reason": REASON});
            metafile["details"]["web.zip"]["run"] = json!(run);
        });
        sandbox.write(&format!("repo/.git/metalogic/builds/{commit}/{OBJECT}"), "x");
    }
    let malformed = sandbox.commit("malformed");
    sandbox.write(&format!("repo/.git/metalogic/builds/{malformed}/build_meta.json"), "{\"<b>\": \u{1b}");
    sandbox.commit("none");
    sandbox.commit("newest");
    sandbox.write("out/docs.tgz", "newest");
    sandbox.command("repo", &["publish", "../out/docs.tgz"]).envs(ci()).output().unwrap();
    sandbox.command("repo", &["begin", "cli.bin"]).envs(ci()).output().unwrap();
    sandbox
}

fn ci() -> [(&'static str, &'static str); 4] {
    [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_SERVER_URL", "https://github.example"),
        ("GITHUB_REPOSITORY", "acme/shop"),
        ("GITHUB_RUN_ID", "7?a&b"),
    ]
}

fn edit(sandbox: &Sandbox, commit: &str, change: impl FnOnce(&mut Value)) {
    let path = format!("repo/.git/metalogic/builds/{commit}/build_meta.json");
    let mut metafile: Value = serde_json::from_str(&sandbox.read(&path)).unwrap();
    change(&mut metafile);
    sandbox.write(&path, metafile.to_string());
}

fn html(sandbox: &Sandbox, arguments: &[&str]) -> String {
    sandbox.done(&[&["--quiet", "report", "--as", "../page.html"], arguments].concat());
    sandbox.read("page.html")
}

fn page(sandbox: &Sandbox) -> Element {
    Element::page(&html(sandbox, &[]))
}

/// Returns a value of JSON as a person is told it; nothing where it is none.
fn told(value: &Value) -> String {
    value.as_str().map(|text| words::told(text).into_owned()).unwrap_or_default()
}

/// Returns what a row of the tables of builds and attempts says, by the heads of that table.
fn entry(page: &Element, id: &str) -> impl Fn(&str) -> String {
    let tables = page.tagged("table");
    let table = tables.into_iter().find(|table| table.all().iter().any(|row| row.attribute("id") == Some(id))).unwrap();
    let heads: Vec<String> = table.tagged("thead")[0].tagged("th").iter().map(|head| head.text()).collect();
    let cells = page.id(id).children().into_iter().map(|cell| {
        let whole = cell.tagged("code").first().and_then(|code| code.attribute("title"));
        let bytes = cell.tagged("span").first().and_then(|size| size.attribute("title"));
        let link = cell.classed("run").first().and_then(|run| run.attribute("href"));
        whole.or(bytes).or(link).map_or_else(|| cell.text(), str::to_owned)
    });
    let said: Vec<(String, String)> = heads.into_iter().zip(cells).collect();
    move |head| said.iter().find(|(known, _)| known == head).map(|(_, text)| text.clone()).unwrap()
}

#[test]
fn the_grid_says_of_each_commit_and_artifact_what_the_log_says() {
    let sandbox = hostile();
    let log: Value = serde_json::from_str(&sandbox.done(&["--json", "log"])).unwrap();
    let page = page(&sandbox);
    let grid = page.id("grid");
    let heads: Vec<&str> = grid.tagged("thead")[0].tagged("th").iter().filter_map(|th| th.attribute("title")).collect();
    assert_eq!(heads, ["api.zip", "cli.bin", "docs.tgz", "gen.bin", "web.zip"]);
    let rows: Vec<&Element> = grid.tagged("tbody").iter().flat_map(|group| group.children()).collect();
    let commits = log["commits"].as_array().unwrap();
    assert_eq!(rows.len(), commits.len());
    let mut seen = BTreeSet::new();
    for (row, commit) in rows.into_iter().zip(commits) {
        let cells = row.children();
        assert_eq!(row.attribute("id"), commit["commit"].as_str());
        assert_eq!(row.attribute("data-parent"), commit["parent_commit"].as_str());
        assert_eq!(cells[0].classed("subject")[0].text(), told(&commit["subject"]));
        assert_eq!(cells[0].tagged("time")[0].attribute("datetime"), commit["time"].as_str());
        let gap = cells[0].classed("gap").first().map(|gap| gap.text()).unwrap_or_default();
        assert_eq!(gap.is_empty(), commit["metafile"] == true, "{gap}");
        assert!(gap.ends_with(&told(&commit["problem"])), "{gap}");
        let others = cells[0].classed("others").first().map(|others| others.text()).unwrap_or_default();
        assert_eq!(others.contains("<img src=x"), !commit["others"].as_array().unwrap().is_empty(), "{others}");
        for (name, cell) in heads.iter().zip(&cells[1..]) {
            let verdict = commit["artifacts"].as_array().unwrap().iter().find(|one| one["name"] == *name);
            let said = cell.text();
            let said = said.split(',').next().unwrap();
            assert_eq!(said, verdict.map_or("unknown", |verdict| verdict["state"].as_str().unwrap()));
            seen.insert(said.to_owned());
            expect_entry(&page, cell, verdict, commits);
        }
    }
    let all = ["assumed", "built", "failed", "missing", "pending", "proven", "stale", "unknown"];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all, "the history has every state");
}

/// Follows the link of a cell: it leads to what the log says of the build or of the attempt, or else to what the sign means. What one commit's
/// metafile does not know of a build, another's may.
fn expect_entry(page: &Element, cell: &Element, verdict: Option<&Value>, commits: &[Value]) {
    let id = cell.tagged("a")[0].attribute("href").unwrap().trim_start_matches('#');
    let Some(verdict) = verdict.filter(|verdict| !verdict["commit"].is_null() || !verdict["attempt"].is_null()) else {
        return assert_eq!(page.id(id).tag, "div");
    };
    let said = entry(page, id);
    assert_eq!(said("Artifact"), told(&verdict["name"]));
    let alike = |one: &&Value| one["name"] == verdict["name"] && one["commit"] == verdict["commit"];
    let all = || commits.iter().flat_map(|commit| commit["artifacts"].as_array().unwrap()).filter(alike);
    if verdict["attempt"].is_null() {
        assert_eq!(said("Built at"), told(&verdict["commit"]));
        for (head, key) in [("Size", "size"), ("SHA-256", "sha256"), ("Published", "at"), ("Run", "run")] {
            let tell = |one: &Value| one[key].as_u64().map_or_else(|| told(&one[key]), |size| format!("{size} bytes"));
            let is_said = tell(verdict) == said(head);
            assert!(is_said || verdict[key].is_null() && all().any(|one| tell(one) == said(head)), "{key}: {verdict}");
        }
    } else {
        assert_eq!(said("State"), told(&verdict["attempt"]["state"]));
        assert_eq!(said("Reason"), told(&verdict["attempt"]["reason"]));
        assert_eq!(said("Recorded"), told(&verdict["attempt"]["at"]));
        assert_eq!(said("Run"), told(&verdict["attempt"]["run"]));
        assert_eq!(said("Nearest build"), told(&verdict["commit"]));
    }
}

#[test]
fn the_first_table_says_what_status_says() {
    let sandbox = hostile();
    let status: Value = serde_json::from_str(&sandbox.done(&["--json", "status"])).unwrap();
    let page = page(&sandbox);
    let table = page.classed("newest")[0].tagged("tbody")[0].children();
    let artifacts = status["artifacts"].as_array().unwrap();
    assert_eq!(table.len(), artifacts.len());
    for (row, artifact) in table.into_iter().zip(artifacts) {
        let cells = row.children();
        assert_eq!(cells[0].text(), told(&artifact["name"]));
        assert_eq!(cells[1].classed("chip")[0].text(), told(&artifact["state"]));
        assert!(cells[1].text().contains(&told(&artifact["why"])));
        assert_eq!(cells[1].text().matches(" ago").count(), 0, "it was just now: {}", cells[1].text());
        let from = cells[2].tagged("code").first().and_then(|code| code.attribute("title"));
        assert_eq!(from, artifact["commit"].as_str());
        assert_eq!(cells[3].text(), artifact["steps"].as_u64().map_or("-".to_owned(), |steps| steps.to_string()));
    }
}

#[test]
fn the_page_names_nothing_from_elsewhere_but_runs() {
    let page = page(&hostile());
    let mut runs = BTreeSet::new();
    for element in page.all() {
        for (name, value) in element.attributes() {
            assert!(!name.starts_with("on") && name != "style" && name != "src", "{name} of {}", element.tag);
            let is_run = element.tag == "a" && element.attribute("class") == Some("run");
            match name {
                "href" if is_run => runs.extend([value]),
                "href" => {
                    assert!(value.starts_with('#') || element.tag == "link" && value.starts_with("data:"), "{value}");
                }
                _ => {}
            }
        }
        if element.attribute("target").is_some() {
            assert_eq!(element.attribute("rel"), Some("noopener noreferrer"));
        }
    }
    assert_eq!(runs.into_iter().collect::<Vec<_>>(), ["https://github.example/acme/shop/actions/runs/7?a&b"]);
    let style = page.tagged("style")[0].text();
    assert!(!style.contains("url(") && !style.contains("@import"));
}

#[test]
fn the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else() {
    let page = page(&hostile());
    let one = |tag: &str| {
        let all = page.tagged(tag);
        assert_eq!(all.len(), 1, "one {tag}");
        format!("'sha256-{}'", STANDARD.encode(Digest::of(all[0].text().as_bytes()).as_bytes()))
    };
    let metas = page.tagged("meta");
    let policy = metas.iter().find(|meta| meta.attribute("http-equiv") == Some("Content-Security-Policy")).unwrap();
    let expected = format!(
        "default-src 'none'; style-src {}; script-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        one("style"),
        one("script")
    );
    assert_eq!(policy.attribute("content"), Some(expected.as_str()));
}

#[test]
fn what_others_wrote_is_text_and_nothing_more() {
    let html = html(&hostile(), &[]);
    let page = Element::page(&html);
    assert!(page.tagged("img").is_empty() && page.tagged("b").is_empty());
    assert!(!html.contains(|c: char| words::is_unseen(c) && c != '\n'), "nothing unseen is in the page");
    for text in [SUBJECT, REASON, RUNS[0], RUNS[1], RUNS[2], OBJECT] {
        let said = words::told(text);
        let is_said = |element: &&Element| element.children().is_empty() && element.text().contains(&*said);
        assert!(page.all().iter().any(is_said), "{said}");
    }
}

#[test]
fn every_link_within_the_page_leads_to_one_place_and_no_id_stands_twice() {
    let page = page(&hostile());
    let ids: Vec<&str> = page.all().iter().filter_map(|element| element.attribute("id")).collect();
    let known: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), known.len());
    let links = page.tagged("a").into_iter().filter_map(|link| link.attribute("href")?.strip_prefix('#'));
    let labels = page.all().into_iter().filter_map(|element| element.attribute("aria-labelledby"));
    let dialog = page.tagged("dialog")[0].attribute("aria-labelledby");
    let all: Vec<&str> = links.chain(labels.filter(|label| Some(*label) != dialog)).collect();
    assert!(all.len() > 50 && all.iter().all(|id| known.contains(id)), "{all:?}");
}

#[test]
fn equal_answers_are_equal_bytes() {
    let sandbox = hostile();
    assert_eq!(at_one_moment(&html(&sandbox, &[])), at_one_moment(&html(&sandbox, &[])));
}

#[test]
fn more_commits_than_are_seen_at_once_are_in_groups_and_a_few_are_in_one() {
    let sandbox = Sandbox::with_repository();
    (0..100).for_each(|number| drop(sandbox.commit(&number.to_string())));
    let groups = |number: &str| {
        let page = Element::page(&html(&sandbox, &["-n", number]));
        let grid = page.id("grid");
        let sizes: Vec<usize> = grid.tagged("tbody").iter().map(|group| group.children().len()).collect();
        (sizes, grid.attribute("class").unwrap().contains("long"))
    };
    assert_eq!(groups("7"), (vec![7], false));
    assert_eq!(groups("100"), (vec![50, 50], false));
    assert_eq!(groups("101"), (vec![50, 50, 1], true));
}

#[test]
fn the_file_is_whole_or_absent_and_only_what_was_asked_for_is_written() {
    let sandbox = shop();
    let refused: &[&[&str]] = &[
        &["report"],
        &["report", "--as", "-", "--json"],
        &["report", "--as", "../none/page.html"],
        &["report", "nonsense", "--as", "../page.html"],
        &["report", "-n", "0", "--as", "../page.html"],
    ];
    let codes: Vec<Option<i32>> = refused.iter().map(|arguments| sandbox.run(arguments).code).collect();
    assert_eq!(codes, [Some(2), Some(2), Some(3), Some(11), Some(2)]);
    let dry = sandbox.run(&["report", "--as", "../page.html", "--dry-run"]);
    assert!(dry.code == Some(0) && dry.stdout.is_empty(), "{dry}");
    assert!(dry.stderr.contains("would report 10 commits by 5 artifacts"), "{dry}");
    assert!(!sandbox.path("page.html").exists());
    let printed = sandbox.done(&["--quiet", "report", "--as", "-"]);
    assert_eq!(
        at_one_moment(&printed),
        at_one_moment(&html(&sandbox, &[]).replace(sandbox.path("").to_str().unwrap().trim_end_matches('/'), "[DIR]"))
    );
    sandbox.write("page.html", "another");
    let object: Value = serde_json::from_str(&sandbox.done(&["--json", "report", "--as", "../page.html"])).unwrap();
    let length = sandbox.read("page.html").len();
    assert_eq!((object["size"].as_u64(), &object["dry_run"]), (Some(u64::try_from(length).unwrap()), &json!(false)));
    assert_eq!((&object["commits"], &object["artifacts"], &object["ends"]), (&json!(10), &json!(5), &json!(null)));
    assert!(Element::page(&sandbox.read("page.html")).tagged("html").len() == 1);
    let beside: Vec<String> = sandbox.tree("").into_iter().filter(|name| name.contains("page")).collect();
    assert_eq!(beside, ["page.html"], "nothing temporary is left");
}

#[test]
fn of_more_artifacts_than_a_page_has_room_for_those_that_are_nearest_have_columns_and_the_rest_is_told() {
    let sandbox = Sandbox::with_repository();
    sandbox.git("repo", &["rm", "-q", "-f", "artifacts.toml"]);
    let elsewhere = sandbox.commit("elsewhere");
    let commits: Vec<String> = (0..3).map(|number| sandbox.commit(&number.to_string())).collect();
    for (number, commit) in commits.iter().enumerate() {
        let entry = |at: usize| format!("\"n{number}-{at:03}\":\"{elsewhere}\"");
        let artifacts = (0..700).map(entry).collect::<Vec<_>>().join(",");
        let metafile = format!(r#"{{"commit":"{commit}","parent_commit":null,"artifacts":{{{artifacts}}}}}"#);
        sandbox.write(&format!("repo/.git/metalogic/builds/{commit}/build_meta.json"), metafile);
    }
    sandbox.write(&format!("repo/.git/metalogic/builds/{}/z.zip", commits[2]), "built last");
    let ran = sandbox.run(&["--quiet", "report", "--as", "../page.html"]);
    let said =
        "the page has room for 1000 artifacts by 5 commits, and leaves out 1101 more: a registry says which count";
    assert!(ran.code == Some(0) && ran.stderr.contains(said), "{ran}");
    let page = Element::page(&sandbox.read("page.html"));
    let heads = page.id("grid").tagged("thead")[0].tagged("th");
    let heads: Vec<&str> = heads.iter().filter_map(|head| head.attribute("title")).collect();
    let of = |commit: &str| heads.iter().filter(|head| head.starts_with(commit)).count();
    assert_eq!((of("n2-"), of("n1-"), of("n0-"), of("z.zip")), (700, 299, 0, 1));
    for row in page.id("grid").tagged("tbody")[0].children() {
        assert_eq!(row.children().len(), 1 + 1000);
    }
    let told = "This grid has room for 1000 artifacts, and leaves out 1101 more.";
    assert!(page.classed("note").iter().any(|note| note.text().starts_with(told)));
    // Where a registry says which count, nothing is left out.
    sandbox.write("artifacts.toml", "[projects.p]\nartifacts = [\"n1-003\", \"z.zip\"]\n");
    let ran = sandbox.run(&["--registry", "../artifacts.toml", "--quiet", "report", "--as", "../page.html"]);
    assert!(ran.code == Some(0) && !ran.stderr.contains("leaves out"), "{ran}");
}

#[test]
fn a_page_has_no_more_cells_than_a_browser_takes_however_many_commits_there_are() {
    let line = |number: usize, artifacts: usize| {
        let commit = format!("{:040x}", number + 1).parse().unwrap();
        let state = |at: usize| (format!("a{at:05}").parse().unwrap(), built(commit));
        let verdicts = (0..artifacts).map(state).collect();
        Line { commit, parent: None, subject: None, time: None, gap: None, verdicts, others: BTreeSet::new() }
    };
    let mut grid = Grid::new([]);
    grid.add(line(0, 3 * COLUMNS));
    assert_eq!((grid.artifacts(), grid.left_out()), (COLUMNS, 2 * COLUMNS));
    for commits in 2..=4_000 {
        grid.add(line(commits, 1));
        assert!(grid.commits() * grid.artifacts() <= CELLS);
        assert_eq!(grid.artifacts() + grid.left_out(), 3 * COLUMNS);
    }
    assert_eq!(grid.artifacts(), CELLS / 4_000);
}

fn built(commit: Commit) -> Verdict {
    Verdict { state: State::Built, from: Some(commit), record: Record::default(), attempt: None }
}
