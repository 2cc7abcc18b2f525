//! The sheet: how the artifacts of many commits stand, as one page of HTML that needs nothing from elsewhere.
//!
//! All that is known stands in the page as HTML, so that a browser without scripts shows it too. The script adds a filter, a pane of details
//! and keys. What others wrote passes [`crate::words`], which writes out what is not seen, and the template, which escapes the rest.

mod entries;
mod grid;
mod parts;
mod standing;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::address::Commit;
use crate::artifact::Digest;
use crate::moment::Moment;
use crate::words;

pub use grid::{CELLS, COLUMNS, Gap, Grid, Line};
pub use standing::Standing;

const STYLE: &str = include_str!("sheet/sheet.css");
const SCRIPT: &str = include_str!("sheet/sheet.js");

/// Three commits by three artifacts.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath fill='%231a7f37' \
                    d='M0 0h4v4H0zM6 6h4v4H6zM12 0h4v4h-4z'/%3E%3Cpath fill='%237ee2a0' d='M6 0h4v4H6zM0 6h4v4H0zM12 6h4v4h-4zM0 \
                    12h4v4H0zM12 12h4v4h-4z'/%3E%3Cpath fill='%23c93c37' d='M6 12h4v4H6z'/%3E%3C/svg%3E";

/// Holds what a page is made of.
pub struct Sheet<'a> {
    /// The URL of the store.
    pub store: &'a str,
    /// The revision as it was asked for.
    pub revision: &'a str,
    /// The newest commit.
    pub commit: Commit,
    /// When the page is made.
    pub made: Moment,
    /// How the artifacts of the newest commit stand; none where nobody can say which artifacts it has.
    pub standings: Option<&'a [Standing]>,
    /// Whether that was looked for anew; otherwise the stored metafile says it.
    pub looked: bool,
    /// The commits.
    pub grid: &'a Grid,
    /// Why no older commits are told of, in words.
    pub ends: &'a str,
    /// How a number of bytes is told to people.
    pub bytes: fn(u64) -> String,
}

impl Sheet<'_> {
    /// Returns the page. Equal sheets are equal bytes.
    #[must_use]
    pub fn to_html(&self) -> String {
        let title = format!("{} at {}: artifacts by commit", words::told(self.revision), self.commit.short());
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy());
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content="no-referrer";
                    meta name="generator" content={ "metalogic " (env!("CARGO_PKG_VERSION")) };
                    title { (title) }
                    link rel="icon" href=(ICON);
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    (self.body())
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        page.into_string() + "\n"
    }

    fn body(&self) -> Markup {
        html! {
            a.skip href="#commits" { "Skip to the commits" }
            header {
                p.brand { "metalogic" }
                h1 { "Artifacts by commit" }
                (self.about())
            }
            main {
                (standing::section(self))
                (grid::section(self))
                (self.grid.entries().section(self))
            }
            footer {
                p { "Made by metalogic " (env!("CARGO_PKG_VERSION")) ". This page is a file of its own: it loads nothing and sends nothing." }
            }
        }
    }

    fn about(&self) -> Markup {
        let (commits, artifacts) = (self.grid.commits(), self.grid.artifacts());
        html! {
            dl.about {
                div { dt { "Asked for" } dd { code { (words::told(self.revision)) } } }
                div { dt { "Commit" } dd { (parts::commit_whole(self.commit)) } }
                div { dt { "Store" } dd { code { (words::told(self.store)) } } }
                div { dt { "Made" } dd { (parts::moment(self.made)) } }
                div { dt { "Shows" } dd { (parts::count(commits, "commit")) " by " (parts::count(artifacts, "artifact")) } }
            }
        }
    }
}

/// Returns what the browser is to hold the page to: nothing is loaded, and no style or script counts but the page's own, so that nothing that
/// slipped through an escape could run.
fn policy() -> String {
    let (style, script) = (source(STYLE), source(SCRIPT));
    format!(
        "default-src 'none'; style-src {style}; script-src {script}; img-src data:; base-uri 'none'; form-action 'none'"
    )
}

/// Returns how a policy names a text: by its digest.
fn source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Digest::of(text.as_bytes()).as_bytes()))
}
