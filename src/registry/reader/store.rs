//! Reads what a registry says of the store.

use toml::Spanned;
use toml::de::DeValue;

use super::{Reader, shown};
use crate::registry::{Encryption, StoreTable};

impl<'d> Reader<'d> {
    /// Reads the table, with all that is wrong in it.
    pub(super) fn store(&mut self, value: &'d Spanned<DeValue<'_>>) -> StoreTable {
        let mut table = StoreTable::default();
        let (mut sse, mut kms_key) = (None, None);
        for (key, value) in self.table(value, "a table that describes the store").into_iter().flatten() {
            let offset = value.span().start;
            match key.get_ref().as_ref() {
                "url" => table.url = self.place_of(value, "the URL or the directory of a store"),
                "sse" => sse = self.text(value, "\"AES256\" or \"aws:kms\"").map(|kind| (offset, kind)),
                "kms-key" => kms_key = self.kms_key(value).map(|key| (offset, key)),
                "expected-owner" => {
                    let text = self.text(value, "an account's id of 12 digits in quotes");
                    table.terms.expected_owner = text.and_then(|text| self.valid(offset, "account's id", text));
                }
                "requester-pays" => {
                    let told = value.get_ref().as_bool().or_else(|| self.wrong_type(value, "true or false"));
                    table.terms.requester_pays = told.unwrap_or_default();
                }
                "storage-class" => {
                    let text = self.text(value, "a storage class in quotes");
                    let class = text.and_then(|text| self.valid(offset, "storage class for artifacts", text));
                    table.terms.storage_class = class;
                }
                _ => self.unknown_key(key, " in [store]"),
            }
        }
        table.terms.encryption = self.encryption(sse, kms_key);
        table
    }

    /// Reads what travels in a header.
    fn kms_key(&mut self, value: &'d Spanned<DeValue<'_>>) -> Option<String> {
        let key = self.text(value, "a key's id, alias or ARN in quotes")?;
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.problem(value.span().start, format!("{} is no key's id, alias or ARN", shown(key)));
        }
        Some(key.to_owned())
    }

    fn encryption(&mut self, sse: Option<(usize, &str)>, kms_key: Option<(usize, String)>) -> Option<Encryption> {
        let (offset, kind) = sse.unzip();
        if let Some((offset, _)) = &kms_key
            && kind != Some("aws:kms")
        {
            self.problem(*offset, "a key counts only with sse = \"aws:kms\"".to_owned());
        }
        match kind? {
            "AES256" => Some(Encryption::Aes256),
            "aws:kms" => Some(Encryption::Kms(kms_key.map(|(_, key)| key))),
            other => {
                let message = format!("{} is no encryption of a store: \"AES256\" and \"aws:kms\" are", shown(other));
                self.problem(offset?, message);
                None
            }
        }
    }
}
