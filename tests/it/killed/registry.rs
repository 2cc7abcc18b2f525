//! Pushing a registry: the one that stood there, or the new one.

use metalogic::registry::REGISTRY_FILE;

use super::everywhere;
use super::law;
use super::place::Place;
use super::scenario::{Scenario, Standing};

everywhere! { a_push_of_a_registry_leaves_the_old_one_or_the_new_one }

fn a_push_of_a_registry_leaves_the_old_one_or_the_new_one(place: &Place) {
    let names: Vec<String> = (0..40).map(|number| format!("{number}.bin")).collect();
    place.register(&names);
    // So many bytes are not written at once.
    let new = place.sandbox.read("repo/artifacts.toml") + &"# what they are\n".repeat(40_000);
    place.sandbox.write("repo/artifacts.toml", &new);
    let old = format!("[projects.p]\nartifacts = {:?}\n", &names[..1]);
    let prepare = || {
        place.begin();
        place.plant(REGISTRY_FILE, old.clone());
    };
    let law = || {
        let stands = place.object(REGISTRY_FILE).expect("there is always one");
        assert!(stands == old || stands == new, "a torn registry");
        if stands == new { Standing::Whole } else { Standing::Nothing }
    };
    let list = || {
        let registry = format!("{}/{REGISTRY_FILE}", place.url());
        let listed = law::reads(place, &["--registry", &registry, "registry", "list"]).expect("it is found");
        assert!(listed.contains("0.bin"), "{listed}");
    };
    Scenario {
        prepare: &prepare,
        command: &|| place.command(&["registry", "push"]),
        readers: &[&list],
        ..Scenario::new(place, "registry push", &law)
    }
    .run();
}
