//! JSON as documents that others write are read: one text, in which each key says one thing.

use std::fmt;
use std::io;

use serde::Serialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// The longest piece of a document that a message repeats, in characters.
const SHOWN: usize = 80;

/// Returns a text for a message: one line of plain ASCII of a readable length.
#[must_use]
pub fn shortened(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .flat_map(|c| if matches!(c, ' '..='~') { vec![c] } else { c.escape_unicode().collect() })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    shown
}

/// What the parser calls a number by while it hands it on: an object with such a key would be a number to it, and an object to others.
const OWN: &str = "$serde_json::private::";

/// Reads one JSON text in which no object has a key twice: to two readers that each take another one, it would say two things.
///
/// # Errors
/// The parser's, a key that stands twice, and what to this parser alone says something else.
pub fn read(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    UniqueKeys.deserialize(&mut reader)?;
    let value = serde_json::from_slice(bytes)?;
    expect_no_own(bytes)?;
    Ok(value)
}

/// Looks through all strings of a text that is JSON.
fn expect_no_own(bytes: &[u8]) -> Result<(), serde_json::Error> {
    let mut rest = bytes;
    while let Some(from) = rest.iter().position(|&byte| byte == b'"').and_then(|at| rest.get(at..)) {
        let mut strings = serde_json::Deserializer::from_slice(from).into_iter::<String>();
        let Some(string) = strings.next().transpose()? else { break };
        if string.starts_with(OWN) {
            return Err(serde_json::Error::custom(format_args!("nothing is called {OWN} here")));
        }
        rest = from.get(strings.byte_offset()..).unwrap_or_default();
    }
    Ok(())
}

/// Returns a value as Python's `json.dumps(value, indent=2, sort_keys=True)` does: sorted keys, two spaces a level, ASCII alone, nothing
/// at the end.
#[must_use]
pub fn sorted(mut value: Value) -> String {
    value.sort_all_objects();
    let mut text = Vec::new();
    let written = value.serialize(&mut Serializer::with_formatter(&mut text, Ascii(PrettyFormatter::new())));
    written.expect("because a value has text keys, and memory takes all that is written");
    String::from_utf8(text).expect("because it is ASCII")
}

/// Formats as another formatter does, and escapes what is no printable ASCII character as Python does.
struct Ascii(PrettyFormatter<'static>);

impl Formatter for Ascii {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for c in fragment.chars() {
            if matches!(c, ' '..='~') {
                write!(writer, "{c}")?;
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }

    fn begin_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// Walks through any JSON value and refuses a key that stands twice in one object.
struct UniqueKeys;

impl<'de> DeserializeSeed<'de> for UniqueKeys {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut seen = std::collections::HashSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            fields.next_value_seed(Self)?;
            if let Some(twice) = seen.replace(key) {
                return Err(A::Error::custom(format_args!(
                    "the key \"{}\" stands twice in one object",
                    shortened(&twice)
                )));
            }
        }
        Ok(())
    }
}
