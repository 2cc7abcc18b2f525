//! What is kept, in memory.

use std::collections::BTreeMap;
use std::ops::Bound;

use hyper::header::{HeaderName, HeaderValue};

use super::rope::Rope;

#[derive(Debug, Clone, Default)]
pub struct Object {
    pub content: Rope,
    pub tag: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Default)]
pub struct Upload {
    pub object: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub parts: BTreeMap<u32, Rope>,
}

#[derive(Default)]
pub struct Shelf {
    /// By bucket and key: `bucket/key`.
    pub objects: BTreeMap<String, Object>,
    pub uploads: BTreeMap<String, Upload>,
    counter: u64,
}

/// One page of a listing.
#[derive(Default)]
pub struct Page {
    pub objects: Vec<(String, u64, String)>,
    pub prefixes: Vec<String>,
    pub next: Option<String>,
}

impl Shelf {
    /// Returns what no one else was given. It is no digest, and does not look like one.
    pub fn unique(&mut self) -> String {
        self.counter += 1;
        format!("tag-{:08x}", self.counter)
    }

    pub fn place(&mut self, object: &str, content: Rope, headers: Vec<(HeaderName, HeaderValue)>) -> String {
        let tag = self.unique();
        self.objects.insert(object.to_owned(), Object { content, tag: tag.clone(), headers });
        tag
    }

    /// Lists what lies below a bucket's prefix. However many other objects there are, it takes as long.
    pub fn page(&self, bucket: &str, prefix: &str, delimiter: &str, after: &str, most: usize) -> Page {
        let whole = format!("{bucket}/{prefix}");
        let mut page = Page::default();
        let mut from = Bound::Included(whole.clone());
        if !after.is_empty() && format!("{bucket}/{after}") > whole {
            let beyond = if !delimiter.is_empty() && after.ends_with(delimiter) { "\u{10FFFF}" } else { "" };
            from = Bound::Excluded(format!("{bucket}/{after}{beyond}"));
        }
        let mut last = String::new();
        while let Some((object, stored)) =
            self.objects.range((from, Bound::Unbounded)).next().filter(|(object, _)| object.starts_with(&whole))
        {
            if page.objects.len() + page.prefixes.len() == most {
                page.next = Some(last);
                break;
            }
            let key = &object[bucket.len() + 1..];
            let folder = key[prefix.len()..].find(delimiter).filter(|_| !delimiter.is_empty());
            if let Some(at) = folder {
                last = key[..prefix.len() + at + delimiter.len()].to_owned();
                from = Bound::Excluded(format!("{bucket}/{last}\u{10FFFF}"));
                page.prefixes.push(last.clone());
            } else {
                last = key.to_owned();
                from = Bound::Excluded(object.clone());
                page.objects.push((key.to_owned(), stored.content.size, stored.tag.clone()));
            }
        }
        page
    }

    /// Forgets all that begins so; returns how many objects those were.
    pub fn forget(&mut self, beginning: &str) -> usize {
        let before = self.objects.len();
        self.objects.retain(|object, _| !object.starts_with(beginning));
        before - self.objects.len()
    }

    /// Puts so many addresses, each with a metafile and an artifact.
    pub fn seed(&mut self, beginning: &str, count: u64) {
        for number in 0..count {
            let commit =
                format!("{:040x}", u128::from(number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835));
            let metafile = format!(
                "{{\n  \"commit\": \"{commit}\",\n  \"parent_commit\": null,\n  \"artifacts\": {{\n    \"app.zip\": \"{commit}\"\n  }}\n}}\n"
            );
            self.place(&format!("{beginning}{commit}/app.zip"), vec![vec![b'x'; 64].into()].into(), Vec::new());
            self.place(&format!("{beginning}{commit}/build_meta.json"), vec![metafile.into()].into(), Vec::new());
        }
    }
}
