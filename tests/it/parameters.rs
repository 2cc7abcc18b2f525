//! Named texts: what every place of theirs does, and what is special to the Parameter Store of Systems Manager.

#[cfg(feature = "aws-sdk-ssm")]
mod ssm;

use std::sync::Arc;

use metalogic::failure::{Failure, Kind};
use metalogic::parameters::absent::AbsentParameters;
use metalogic::parameters::memory::MemoryParameters;
use metalogic::parameters::{ParameterError, Parameters};

/// Returns what a person is told of an error.
fn failure(error: ParameterError) -> Failure {
    Failure::all_of(&error.into()).remove(0)
}

macro_rules! conformance {
    ($law:ident) => {
        mod $law {
            #[tokio::test(flavor = "multi_thread")]
            async fn memory() {
                super::$law(&*super::memory()).await;
            }

            #[cfg(all(unix, feature = "aws-sdk-ssm"))]
            #[tokio::test(flavor = "multi_thread")]
            async fn moto() {
                let Some(parameters) = super::ssm::moto(stringify!($law)) else { return };
                super::$law(&parameters).await;
            }
        }
    };
}

conformance!(what_was_put_last_is_what_is_got);
conformance!(what_nobody_put_is_none_and_no_error);
conformance!(a_text_is_kept_to_the_letter);
conformance!(an_empty_text_is_refused_and_changes_nothing);

fn memory() -> Arc<dyn Parameters> {
    Arc::new(MemoryParameters::default())
}

async fn what_was_put_last_is_what_is_got(parameters: &dyn Parameters) {
    for text in ["1.0.0", "2.0.0", "2.0.0", "1.0.5"] {
        parameters.put("/org/app/latest", text).await.unwrap();
        assert_eq!(parameters.get("/org/app/latest").await.unwrap().as_deref(), Some(text));
    }
    assert_eq!(parameters.get("/org/app").await.unwrap(), None);
}

async fn what_nobody_put_is_none_and_no_error(parameters: &dyn Parameters) {
    assert_eq!(parameters.get("/nobody/latest").await.unwrap(), None);
    parameters.put("/somebody/latest", "1.0.0").await.unwrap();
    assert_eq!(parameters.get("/nobody/latest").await.unwrap(), None);
    assert!(!parameters.place().is_empty());
}

async fn a_text_is_kept_to_the_letter(parameters: &dyn Parameters) {
    let long = "x".repeat(4096);
    let texts = [" ", "{\n  \"a\": \"b\"\n}", "Grüße, 世界 \u{1f4e6}", "1.0.0+build.5\n", "a,b", long.as_str()];
    for (number, text) in texts.into_iter().enumerate() {
        let name = format!("/org-a.b_C-{number}/latest");
        parameters.put(&name, text).await.unwrap();
        assert_eq!(parameters.get(&name).await.unwrap().as_deref(), Some(text));
    }
}

async fn an_empty_text_is_refused_and_changes_nothing(parameters: &dyn Parameters) {
    parameters.put("/app/latest", "1.0.0").await.unwrap();
    let failure = failure(parameters.put("/app/latest", "").await.unwrap_err());
    assert_eq!(failure.kind, Kind::Other);
    assert_eq!(failure.message, format!("the parameter /app/latest in {} failed", parameters.place()));
    assert!(failure.causes[0].contains("at least one character"), "{failure:?}");
    assert_eq!(parameters.get("/app/latest").await.unwrap().as_deref(), Some("1.0.0"));
}

#[tokio::test]
async fn a_program_without_the_feature_says_so() {
    let region = "eu-north-1".parse().unwrap();
    for (parameters, place) in
        [(AbsentParameters::new(Some(&region)), "eu-north-1"), (AbsentParameters::new(None), "AWS")]
    {
        for error in [
            parameters.get("/startifact").await.map(drop).unwrap_err(),
            parameters.put("/startifact", "{}").await.unwrap_err(),
        ] {
            let failure = failure(error);
            assert_eq!(failure.kind, Kind::Configuration);
            let told = format!("the parameter /startifact in {place} cannot be had");
            assert!(failure.message.starts_with(&told) && failure.message.contains("aws-sdk-ssm"), "{failure:?}");
            assert!(failure.hint.unwrap().contains("install the program as it comes"));
        }
    }
}
