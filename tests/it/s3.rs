//! What is special about S3.
