//! Parameters of AWS Systems Manager.
