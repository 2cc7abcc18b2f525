//! Words of others, as people are told them: without orders to a terminal, and errors in one line.

use std::borrow::Cow;
use std::error::Error;

/// Characters that are not seen and change how others are: marks and orders of direction, joiners, separators of lines, fillers and tags
/// (source: Unicode 17, the general categories Cf, Zl and Zp, but for the signs that are seen).
const UNSEEN: &[std::ops::RangeInclusive<char>] = &[
    '\u{ad}'..='\u{ad}',
    '\u{61c}'..='\u{61c}',
    '\u{180e}'..='\u{180e}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{feff}'..='\u{feff}',
    '\u{fff9}'..='\u{fffb}',
    '\u{e0000}'..='\u{e007f}',
];

/// Says whether a character is one that is not seen and yet does something, as those do with which a terminal is driven.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    c.is_control() || UNSEEN.iter().any(|range| range.contains(&c))
}

/// Returns a text of several lines with all that is not seen written out, but for the ends of its lines and tabs.
#[must_use]
pub fn text(text: &str) -> Cow<'_, str> {
    written_out(text, |c| is_unseen(c) && !matches!(c, '\n' | '\t'))
}

/// Returns a text as one line, with all that is not seen written out.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    written_out(text, is_unseen)
}

/// Returns a JSON text with all that is not seen in its strings written as JSON's escapes: it says the same, and drives no terminal.
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    // Beyond ASCII there is nothing but strings, and in those whoever wrote it has escaped what comes before the space.
    let odd = |c: char| is_unseen(c) && !matches!(c, '\n' | '\t' | '\r');
    replaced(text, odd, |c, plain| {
        let units = c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
        plain.push_str(&units);
    })
}

/// The longest line that people are told, in characters.
const LONGEST: usize = 1000;

/// How many characters of a longer one are told of its beginning and of its end.
const BEGINNING: usize = 600;
const END: usize = 300;

/// Returns a text as one line of a readable length, with all that is not seen written out. Of a longer one the middle is left out: the
/// beginning names the thing, and the end says what is wrong with it.
#[must_use]
pub fn told(text: &str) -> Cow<'_, str> {
    let text = line(text);
    if text.len() <= LONGEST {
        return text;
    }
    let characters = text.chars().count();
    if characters <= LONGEST {
        return text;
    }
    let left_out = characters - BEGINNING - END;
    let beginning: String = text.chars().take(BEGINNING).collect();
    let end: String = text.chars().skip(characters - END).collect();
    Cow::Owned(format!("{beginning} [... {left_out} more characters ...] {end}"))
}

/// Returns a text as a shell takes it for one word.
#[must_use]
pub fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-:+@=".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', "'\\''")))
}

/// Returns a command as a shell takes it.
#[must_use]
pub fn command(words: &[String]) -> String {
    words.iter().map(|text| word(text)).collect::<Vec<_>>().join(" ")
}

fn written_out(text: &str, odd: impl Fn(char) -> bool) -> Cow<'_, str> {
    replaced(text, odd, |c, plain| plain.extend(c.escape_debug()))
}

/// Returns a text with something else for each odd character.
fn replaced(text: &str, odd: impl Fn(char) -> bool, write: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(&odd) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if odd(c) { write(c, &mut plain) } else { plain.push(c) }
    }
    Cow::Owned(plain)
}

/// Returns an error and its causes in one line of a readable length, each said once.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in std::iter::successors(Some(error), |&error| error.source()) {
        let said = cause.to_string();
        if !said.is_empty() && !words.iter().any(|before| before.contains(&said)) {
            words.push(said);
        }
    }
    let words = words.join(": ").split_whitespace().collect::<Vec<_>>().join(" ");
    told(&words).into_owned()
}
