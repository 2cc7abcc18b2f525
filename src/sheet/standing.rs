//! How the artifacts of the newest commit stand.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::{Sheet, parts};
use crate::artifact::Name;
use crate::moment::Moment;
use crate::state::{State, Verdict};
use crate::words;

/// Says how one artifact stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The artifact.
    pub name: Name,
    /// How it stands.
    pub verdict: Verdict,
    /// How many first parents back it was built; none where that is not known.
    pub steps: Option<usize>,
}

pub(super) fn section(sheet: &Sheet<'_>) -> Markup {
    html! {
        section aria-labelledby="newest" {
            h2 #newest { "The newest commit" }
            @match sheet.standings {
                None => p {
                    "There is no registry, and " (parts::commit_whole(sheet.commit)) " has no metafile: how its artifacts stand is not known."
                },
                Some([]) => p { "No artifact is known here." },
                Some(standings) => (table(sheet, standings)),
            }
        }
    }
}

fn table(sheet: &Sheet<'_>, standings: &[Standing]) -> Markup {
    let rows = sheet.grid.rows();
    let source = if sheet.looked { "Looked for anew when this page was made" } else { "As its stored metafile says" };
    html! {
        p.counts { (counts(standings)) }
        div.scroll role="region" aria-label="Table of the newest commit" tabindex="0" {
            table.list.newest {
                caption { span { (source) ": where each artifact of " (parts::commit(sheet.commit, true)) " is." } }
                thead { tr {
                    @for head in ["Artifact", "State", "From", "Back", "Age", "Size", "Run"] { th scope="col" { (head) } }
                } }
                tbody {
                    @for Standing { name, verdict, steps } in standings {
                        tr {
                            th scope="row" { (name) }
                            td { (state(verdict, sheet.made)) }
                            td { @if let Some(from) = verdict.from { (parts::commit(from, rows.contains(&from))) } @else { "-" } }
                            td.number { (back(verdict, *steps)) }
                            td.number { @if let Some(at) = verdict.record.at { (parts::age(at, sheet.made)) } @else { "-" } }
                            td.number { @if let Some(size) = verdict.record.size { (parts::size(size, sheet.bytes)) } @else { "-" } }
                            td { @if let Some(run) = &verdict.record.run { (parts::run(run)) } @else { "-" } }
                        }
                    }
                }
            }
        }
    }
}

/// Returns how many artifacts stand how, by the states' words.
fn counts(standings: &[Standing]) -> Markup {
    let mut counts: BTreeMap<&str, (State, usize)> = BTreeMap::new();
    for Standing { verdict, .. } in standings {
        counts.entry(verdict.state.word()).or_insert((verdict.state, 0)).1 += 1;
    }
    let mut counts: Vec<(State, usize)> = counts.into_values().collect();
    counts.sort();
    html! { @for (state, count) in counts { span.tally { (count) " " (parts::chip(state)) } " " } }
}

/// Returns the state with what it means and what is known of the attempt.
fn state(verdict: &Verdict, now: Moment) -> Markup {
    html! {
        (parts::chip(verdict.state)) " "
        span.meaning { (verdict.state.meaning()) }
        @if let Some(attempt) = &verdict.attempt {
            span.meaning {
                @if let Some(at) = attempt.at { ", " (parts::age(at, now)) }
                @if let Some(reason) = &attempt.reason { ": " q { (words::told(reason)) } }
                @if let Some(run) = &attempt.run { " " (parts::run(run)) }
            }
        }
    }
}

fn back(verdict: &Verdict, steps: Option<usize>) -> String {
    match (verdict.from, steps) {
        (None, _) => "-".to_owned(),
        (Some(_), None) => "?".to_owned(),
        (Some(_), Some(steps)) => steps.to_string(),
    }
}
