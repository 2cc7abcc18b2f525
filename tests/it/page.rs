//! A reader of pages: it takes what the program writes and nothing that is less plain, so that whatever got out of its place is refused.

use std::collections::BTreeMap;

/// One element of a page, with all that is within.
#[derive(Debug, Default)]
pub struct Element {
    pub tag: String,
    attributes: BTreeMap<String, String>,
    children: Vec<Child>,
}

#[derive(Debug)]
enum Child {
    Element(Element),
    Text(String),
}

/// Elements that have no end.
const VOID: [&str; 3] = ["input", "link", "meta"];

/// Elements whose text is no HTML.
const RAW: [&str; 2] = ["script", "style"];

impl Element {
    /// Reads a page. It panics at what is none.
    pub fn page(html: &str) -> Self {
        let mut rest = html.strip_prefix("<!DOCTYPE html>").expect("a page says that it is one");
        let mut open = vec![Self::default()];
        while let Some(at) = rest.find('<') {
            let (before, tag) = rest.split_at(at);
            let (tag, after) = tag[1..].split_once('>').expect("a tag ends");
            add_text(&mut open, &unescaped(before));
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                let ended = open.pop().unwrap();
                assert_eq!(ended.tag, name, "what began last ends first");
                open.last_mut().unwrap().children.push(Child::Element(ended));
                continue;
            }
            let element = Self::begin(tag);
            if VOID.contains(&element.tag.as_str()) {
                open.last_mut().unwrap().children.push(Child::Element(element));
                continue;
            }
            let raw = RAW.contains(&element.tag.as_str()).then(|| format!("</{}>", element.tag));
            open.push(element);
            if let Some(end) = raw {
                let (text, _) = rest.split_at(rest.find(&end).unwrap());
                add_text(&mut open, text);
                rest = &rest[text.len()..];
            }
        }
        assert!(open.len() == 1 && rest.trim().is_empty(), "all that began has ended: {rest:?}");
        open.pop().unwrap()
    }

    /// Reads what stands between the angle brackets of a beginning.
    fn begin(text: &str) -> Self {
        let (tag, mut rest) = text.split_once(' ').unwrap_or((text, ""));
        assert!(!tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric()), "no tag: {text:?}");
        let mut attributes = BTreeMap::new();
        while !rest.is_empty() {
            let end = rest.find(['=', ' ']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{text:?}");
            let (value, after) = match after.strip_prefix("=\"") {
                Some(after) => after.split_once('"').expect("a value ends"),
                None => ("", after),
            };
            assert!(attributes.insert(name.to_owned(), unescaped(value)).is_none(), "{name} stands twice: {text:?}");
            rest = after.strip_prefix(' ').unwrap_or(after);
        }
        Self { tag: tag.to_owned(), attributes, children: Vec::new() }
    }

    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    pub fn attributes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns all elements within, each before its own.
    pub fn all(&self) -> Vec<&Self> {
        let mut all = Vec::new();
        for child in &self.children {
            if let Child::Element(element) = child {
                all.push(element);
                all.extend(element.all());
            }
        }
        all
    }

    pub fn tagged(&self, tag: &str) -> Vec<&Self> {
        self.all().into_iter().filter(|element| element.tag == tag).collect()
    }

    /// Returns the elements of a class.
    pub fn classed(&self, class: &str) -> Vec<&Self> {
        let has =
            |element: &&Self| element.attribute("class").is_some_and(|all| all.split(' ').any(|one| one == class));
        self.all().into_iter().filter(has).collect()
    }

    /// Returns the one element of an id.
    pub fn id(&self, id: &str) -> &Self {
        let all: Vec<&Self> = self.all().into_iter().filter(|element| element.attribute("id") == Some(id)).collect();
        assert_eq!(all.len(), 1, "{id} is one element's id");
        all[0]
    }

    /// Returns the children that are elements.
    pub fn children(&self) -> Vec<&Self> {
        fn element(child: &Child) -> Option<&Element> {
            if let Child::Element(element) = child { Some(element) } else { None }
        }
        self.children.iter().filter_map(element).collect()
    }

    pub fn text(&self) -> String {
        self.children
            .iter()
            .map(|child| match child {
                Child::Text(text) => text.clone(),
                Child::Element(element) => element.text(),
            })
            .collect()
    }
}

fn add_text(open: &mut [Element], text: &str) {
    if !text.is_empty() {
        open.last_mut().unwrap().children.push(Child::Text(text.to_owned()));
    }
}

/// Returns a text as it was before it was escaped.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(';').expect("an entity ends");
        plain.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            other => panic!("no entity that the program writes: {other}"),
        });
        plain.push_str(rest);
    }
    assert!(!plain.contains('\r'), "a browser would read another text");
    plain
}
