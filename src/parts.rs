//! The parts in which large files move to and from a service.

use std::ops::RangeInclusive;

/// How many bytes a part may have: services take no smaller ones than of 5 MiB, but for the last of a file, and parts are held in memory.
pub const SIZES: RangeInclusive<u64> = 5 << 20..=512 << 20;

/// How many parts of one file may move at once.
pub const ABREAST: RangeInclusive<usize> = 1..=64;

/// Says in what parts large files move, as far as somebody said so: what is left open is chosen by the file's size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts {
    /// How many bytes each has, but for the last: one of [`SIZES`].
    pub size: Option<u64>,
    /// How many of one file move at once: one of [`ABREAST`].
    pub abreast: Option<usize>,
}

impl Parts {
    /// Reads the size of a part: a number of bytes, or one with a unit, `16MiB` or `16M`. A unit is a power of 1024.
    ///
    /// # Errors
    /// What is no size, or one that no service takes.
    pub fn size(text: &str) -> Result<u64, String> {
        let wrong = || "a size from 5MiB to 512MiB belongs here".to_owned();
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let unit: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            // To some tools these are powers of 1000, and to others of 1024.
            "kb" | "mb" | "gb" => return Err(format!("{} (the units are KiB, MiB and GiB)", wrong())),
            _ => return Err(wrong()),
        };
        number.checked_mul(unit).filter(|size| SIZES.contains(size)).ok_or_else(wrong)
    }

    /// Reads how many parts of one file move at once.
    ///
    /// # Errors
    /// What is no number from 1 to 64.
    pub fn abreast(text: &str) -> Result<usize, String> {
        let read = text.parse().ok().filter(|abreast| ABREAST.contains(abreast));
        read.ok_or_else(|| format!("a number from {} to {} belongs here", ABREAST.start(), ABREAST.end()))
    }
}
