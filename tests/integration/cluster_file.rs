//! `--cluster-file`.
