//! The SDK's client: made when the first request is, and without waiting for anything that is not there.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::retry::RetryPartition;

use super::terms::OnEvery;
use super::whole::Whole;
use crate::aws::{Bounded, Common, Place, Retries, SettingError, Site};
use crate::organisation::Region;
use crate::reason::Service;
use crate::registry::Terms;

/// Holds how the service is reached.
pub(super) struct Access {
    pub(super) client: Client,
    pub(super) site: Site,
}

impl Access {
    /// Says where it is that the service is asked, which may by now be another region.
    pub(super) fn place(&self, moved: Option<&Client>) -> Place {
        self.site.place(moved.unwrap_or(&self.client).config().region())
    }
}

/// Makes the client, for the region that is named or else for the one that the settings say.
pub(super) async fn build(common: &Common, region: Option<&Region>, terms: &Terms) -> Result<Access, SettingError> {
    let line = common.line(Service::Store, region).await?;
    let mut builder = Builder::from(&line.config)
        .retry_classifier(Retries)
        .retry_partition(RetryPartition::new(line.partition()))
        .force_path_style(line.path_style)
        .interceptor(Bounded)
        .interceptor(Whole)
        .interceptor(OnEvery::of(terms));
    builder.set_endpoint_url(line.site.endpoint.clone());
    Ok(Access { client: Client::from_conf(builder.build()), site: line.site })
}

/// Makes a client that differs in its region alone.
pub(super) fn in_region(client: &Client, region: String) -> Client {
    let region = aws_sdk_s3::config::Region::new(region);
    Client::from_conf(client.config().to_builder().region(region).build())
}
