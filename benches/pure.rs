//! What is pure and small: the documents, the rule, digests. `cargo bench --bench pure`.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use metalogic::address::Commit;
use metalogic::artifact::{Digest, Name};
use metalogic::metafile::{Metafile, Record};
use metalogic::metalogic::{Keep, Listing, Metalogic, Vocabulary};
use metalogic::registry::Registry;

fn commit(number: usize) -> Commit {
    format!("{number:040x}").parse().unwrap()
}

fn name(number: usize) -> Name {
    format!("artifact-{number}.tar.gz").parse().unwrap()
}

/// Returns a metafile of so many artifacts, each with its details.
fn metafile(artifacts: usize) -> Metafile {
    let mut metafile = Metafile::empty(commit(1), Some(commit(2)));
    for number in 0..artifacts {
        metafile.artifacts.insert(name(number), commit(number + 1));
        let sha256 = Some(Digest::of(&number.to_le_bytes()));
        metafile.details.insert(name(number), Record { size: Some(1 << 20), sha256, ..Record::default() });
    }
    metafile
}

fn metafiles(criterion: &mut Criterion) {
    // The larger one is near the 1 MiB that is read at most.
    for artifacts in [20, 4600] {
        let metafile = metafile(artifacts);
        let bytes = metafile.to_bytes().unwrap();
        let mut group = criterion.benchmark_group(format!("metafile of {artifacts}"));
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group
            .bench_function("parse", |bencher| bencher.iter(|| Metafile::parse(black_box(&bytes), commit(1)).unwrap()));
        group.bench_function("write", |bencher| bencher.iter(|| black_box(&metafile).to_bytes().unwrap()));
    }
}

/// Fifty names over 200 ancestors: each of the first 49 stands four ancestors beyond the one before it, and the last was never built.
fn rule(criterion: &mut Criterion) {
    let names: BTreeSet<Name> = (0..50).map(name).collect();
    let vocabulary = Vocabulary { wanted: names.clone(), registered: names, ..Vocabulary::default() };
    let standing = |back: usize| (back.is_multiple_of(4) && back < 196).then(|| (name(back / 4).to_string(), 1));
    let listings: Vec<(Commit, Listing)> =
        (0..200).map(|back| (commit(back + 2), standing(back).into_iter().collect())).collect();
    let base = metafile(50);
    criterion.bench_function("the rule over 200 ancestors with 50 names", |bencher| {
        bencher.iter(|| {
            let mut rule = Metalogic::begin(commit(1), &Listing::default(), vocabulary.clone());
            for (ancestor, listing) in &listings {
                rule.pass(*ancestor, listing);
            }
            rule.turn_to_metafiles();
            rule.consult(&base, |_, _| false);
            rule.finish(Some(commit(2)), Some(&base), Keep::Everything)
        });
    });
}

fn names(criterion: &mut Criterion) {
    criterion.bench_function("a name", |bencher| {
        bencher.iter(|| black_box("apicallback_premise-1.2.3+4.tar.gz").parse::<Name>().unwrap());
    });
    let listed: String = (0..1000).map(|number| format!("    \"{}\",\n", name(number))).collect();
    let text = format!("[projects.bench]\nartifacts = [\n{listed}]\n");
    criterion.bench_function("a registry of 1000 names", |bencher| {
        bencher.iter(|| Registry::parse(black_box(text.as_bytes()), "artifacts.toml").unwrap());
    });
}

fn digests(criterion: &mut Criterion) {
    let bytes = vec![7; 8 << 20];
    let mut group = criterion.benchmark_group("SHA-256");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("of 8 MiB", |bencher| bencher.iter(|| Digest::of(black_box(&bytes))));
}

criterion_group! {
    name = pure;
    config = Criterion::default().warm_up_time(std::time::Duration::from_secs(1)).measurement_time(std::time::Duration::from_secs(3)).sample_size(10);
    targets = metafiles, rule, names, digests
}
criterion_main!(pure);
