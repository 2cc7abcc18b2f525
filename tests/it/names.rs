//! What is a name, a commit id, a digest, a mode.

use std::path::Path;

use metalogic::address::{Commit, IdError, Tree};
use metalogic::artifact::{Digest, Hasher, LONGEST_NAME, Mode, Name, NameError};
use metalogic::location::{FileName, FileNameError, Location, LocationError};

fn name(text: &str) -> Result<String, NameError> {
    text.parse::<Name>().map(|name| name.to_string())
}

#[test]
fn a_name_is_what_it_was_parsed_from() {
    for text in ["a", "Z", "0", "cef.zip", "a..b", "a-", "a_", "a+", "9._+-x", "lib+x_y-1.2.tar.gz", "build_meta.json5"]
    {
        assert_eq!(name(text).as_deref(), Ok(text));
        assert_eq!(text.parse::<Name>().unwrap().as_str(), text);
    }
}

#[test]
fn a_name_has_1_to_200_characters() {
    assert_eq!(name(""), Err(NameError::Empty));
    assert_eq!(LONGEST_NAME, 200);
    assert!(name(&"x".repeat(200)).is_ok());
    assert_eq!(name(&"x".repeat(201)), Err(NameError::Long(201)));
}

#[test]
fn each_ascii_character_is_allowed_in_a_name_or_not() {
    for c in (0..128_u8).map(char::from) {
        let inside = name(&format!("a{c}b"));
        let first = name(&format!("{c}b"));
        let last = name(&format!("a{c}"));
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' => {
                assert!(inside.is_ok() && first.is_ok() && last.is_ok(), "{c:?}");
            }
            '.' | '_' | '+' | '-' => {
                assert!(inside.is_ok(), "{c:?}");
                assert_eq!(first, Err(NameError::Start(c)));
                assert_eq!(last.is_ok(), c != '.', "{c:?}");
            }
            _ => {
                for refused in [inside, first, last] {
                    assert_eq!(refused, Err(NameError::Character(c)));
                }
            }
        }
    }
    assert_eq!(name("a."), Err(NameError::FullStop));
    for odd in ['é', 'ß', '\u{202e}', '\u{200b}', 'Ａ', '\u{301}', '😀'] {
        assert_eq!(name(&format!("a{odd}")), Err(NameError::Character(odd)));
    }
}

#[test]
fn no_path_is_a_name() {
    for text in
        [".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "C:\\x", "C:x", "~", "-rf", ".hidden", "a/../b", "a\0"]
    {
        assert!(name(text).is_err(), "{text}");
    }
}

#[test]
fn no_device_of_windows_is_a_name() {
    let numbered = ["com", "lpt"].into_iter().flat_map(|device| (0..10).map(move |number| format!("{device}{number}")));
    for device in ["con", "prn", "aux", "nul"].into_iter().map(String::from).chain(numbered) {
        let mut capital = device.clone();
        capital[..1].make_ascii_uppercase();
        for spelling in [device.clone(), device.to_uppercase(), capital] {
            for end in ["", ".txt", ".tar.gz", "..x"] {
                assert_eq!(name(&format!("{spelling}{end}")), Err(NameError::Device), "{spelling}{end}");
            }
            assert!(name(&format!("x{spelling}")).is_ok());
            assert!(name(&format!("{spelling}x")).is_ok());
            assert!(name(&format!("x.{spelling}")).is_ok());
        }
    }
    assert!(name("com10").is_ok() && name("com").is_ok() && name("lpt-1").is_ok() && name("console.log").is_ok());
}

#[test]
fn the_metafile_is_no_artifact_in_whatever_case() {
    for text in ["build_meta.json", "BUILD_META.JSON", "Build_Meta.json", "build_meta.jsoN"] {
        assert_eq!(name(text), Err(NameError::Metafile));
    }
}

#[test]
fn two_names_that_differ_only_in_case_fold_to_one() {
    let fold = |text: &str| text.parse::<Name>().unwrap().folded();
    assert_eq!(fold("CEF.Zip"), fold("cef.zip"));
    assert_ne!(fold("cef.zip"), fold("cef.zi"));
}

#[test]
fn a_refusal_is_told_in_printable_ascii() {
    for text in ["", "é", "a\u{202e}b", "a\u{1b}[31m", "a\nb", "+", "con", "a.", &"x".repeat(999)] {
        let message = name(text).unwrap_err().to_string();
        assert!(message.chars().all(|c| matches!(c, ' '..='~')), "{message:?}");
    }
    for text in ["", "é", "\u{202e}", "\u{1b}", &"A".repeat(40), &"0".repeat(40)] {
        let message = text.parse::<Commit>().unwrap_err().to_string();
        assert!(message.chars().all(|c| matches!(c, ' '..='~')), "{message:?}");
    }
}

#[test]
fn a_commit_is_40_or_64_digits_of_lower_case_hex() {
    for length in 0..=130 {
        let id = "0123456789abcdef".chars().cycle().take(length).collect::<String>();
        match id.parse::<Commit>() {
            Ok(commit) => {
                assert!(length == 40 || length == 64);
                assert_eq!(commit.to_string(), id);
                assert_eq!(commit.address(), format!("builds/{id}/"));
                assert_eq!(commit.short(), id[..12]);
                assert_eq!(format!("{commit:?}"), format!("Commit({id})"));
            }
            Err(error) => {
                assert!(length != 40 && length != 64);
                assert_eq!(error, IdError::Length(length));
            }
        }
    }
}

#[test]
fn a_commit_has_no_other_characters() {
    let id = "bb7abf8df6603159deacf1e1060c3dbf49489d8a";
    assert!(id.parse::<Commit>().is_ok());
    for c in ['B', 'g', ' ', '\n', '/', '.', 'é', ':', '`', '@', '\0'] {
        for at in [0, 20, 39] {
            let mut odd: Vec<char> = id.chars().collect();
            odd[at] = c;
            let odd: String = odd.into_iter().collect();
            assert_eq!(odd.parse::<Commit>(), Err(IdError::Character(c)), "{odd}");
        }
    }
    assert!(format!("{id}\n").parse::<Commit>().is_err());
    assert!(format!(" {id}").parse::<Commit>().is_err());
}

#[test]
fn the_null_id_names_no_commit() {
    for length in [40, 64] {
        assert_eq!("0".repeat(length).parse::<Commit>(), Err(IdError::Null));
        let almost = format!("{}1", "0".repeat(length - 1));
        assert_eq!(almost.parse::<Commit>().unwrap().to_string(), almost);
    }
}

#[test]
fn a_tree_is_written_as_a_commit_is() {
    let id = "bb7abf8df6603159deacf1e1060c3dbf49489d8a";
    for text in [id, &"0".repeat(40), &id[1..], &id.to_uppercase(), "", &format!("{id}000000000000000000000001")] {
        let (tree, commit) = (text.parse::<Tree>(), text.parse::<Commit>());
        assert_eq!(tree.map(|tree| tree.to_string()), commit.map(|commit| commit.to_string()));
    }
    assert_eq!(format!("{:?}", id.parse::<Tree>().unwrap()), format!("Tree({id})"));
}

#[test]
fn a_short_id_is_not_its_own_extension() {
    let short: Commit = "a".repeat(40).parse().unwrap();
    let long: Commit = format!("{}{}", "a".repeat(40), "0".repeat(24)).parse().unwrap();
    assert_ne!(short, long);
    assert_eq!(short.to_string().len(), 40);
    assert_eq!(long.to_string().len(), 64);
}

#[test]
fn a_digest_is_64_digits_of_lower_case_hex() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(Digest::of(b"").to_string(), empty);
    assert_eq!(Digest::of(b"abc"), abc.parse().unwrap());
    let mut pieces = Hasher::default();
    pieces.update(b"a");
    pieces.update(b"");
    pieces.update(b"bc");
    assert_eq!(pieces.finish().to_string(), abc);
    for odd in ["", &abc[1..], &format!("{abc}0"), &abc.to_uppercase(), &abc.replace('7', "g"), &abc.replace("78", "é")]
    {
        assert!(odd.parse::<Digest>().is_err(), "{odd}");
    }
    assert_eq!(abc.replacen("ba", "+a", 1).parse::<Digest>().ok(), None);
}

#[test]
fn a_mode_is_three_octal_digits() {
    for bits in 0..=0o777_u32 {
        let mode: Mode = format!("{bits:03o}").parse().unwrap();
        assert_eq!(mode.bits(), bits);
        assert_eq!(mode.to_string(), format!("{bits:03o}"));
    }
    for odd in ["", "7", "75", "0755", "4755", "1777", "758", "+55", "-55", " 55", "7 5", "0o7", "rwx", "é5"] {
        assert!(odd.parse::<Mode>().is_err(), "{odd}");
    }
}

#[test]
fn a_mode_is_recorded_of_what_its_owner_may_execute() {
    assert_eq!(Mode::of_file(0o100_644), None);
    assert_eq!(Mode::of_file(0o100_655), None);
    assert_eq!(Mode::of_file(0o104_700), Some(Mode::EXECUTABLE));
    assert_eq!(Mode::EXECUTABLE.to_string(), "755");
}

#[test]
fn a_file_lies_somewhere_under_one_name_and_what_names_none_is_refused() {
    let base = Path::new("/base");
    let parted = |text: &str| {
        let (above, name) = Location::parse_file(text, base).unwrap().part().unwrap();
        (above.to_string(), name.to_string())
    };
    let is = |above: &str, name: &str| (above.to_owned(), name.to_owned());
    assert_eq!(parted("s3://dev/artifacts.toml"), is("s3://dev", "artifacts.toml"));
    assert_eq!(parted("s3://dev/some/where else/a+b%.toml"), is("s3://dev/some/where else", "a+b%.toml"));
    assert_eq!(parted("../x.toml"), is("file:///base/..", "x.toml"));
    assert_eq!(parted("file:///srv/a%20b.toml"), is("file:///srv", "a b.toml"));
    let commit = "0123456789abcdef0123456789abcdef01234567";
    for text in [format!("s3://dev/builds/{commit}/a.zip"), format!("s3://dev/x/builds/{commit}/build_meta.json")] {
        let place = Location::parse(&text, base).unwrap();
        assert_eq!(place.part().unwrap_err(), LocationError::AtAnAddress, "{text}");
    }
    assert!(Location::parse("s3://dev/builds/a.toml", base).unwrap().part().is_ok());
    assert!(matches!(Location::parse("s3://dev//x", base), Err(LocationError::Prefix(_))));
    for text in ["s3://dev", "s3://dev/", "s3://dev/some/where/"] {
        assert_eq!(Location::parse_file(text, base), Err(LocationError::NoFile), "{text}");
    }
    for text in ["/", "/srv/.."] {
        assert_eq!(Location::parse_file(text, base).unwrap().part(), Err(LocationError::NoFile), "{text}");
    }
    for name in ["", ".", "..", "a/b", "a\nb", "\u{7f}"] {
        assert_eq!(name.parse::<FileName>(), Err(FileNameError), "{name:?}");
    }
}

#[test]
fn where_nothing_is_relative_to_anything_only_urls_and_absolute_paths_are_places() {
    let nowhere = Path::new("");
    for text in ["builds", "../builds", "./s3"] {
        assert_eq!(Location::parse(text, nowhere), Err(LocationError::Relative), "{text}");
    }
    assert_eq!(Location::parse("/srv", nowhere).unwrap().to_string(), "file:///srv");
    assert_eq!(Location::parse("s3://dev/x", nowhere).unwrap().to_string(), "s3://dev/x");
}
