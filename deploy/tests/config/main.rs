//! `cutover.toml` from outside: what is told about bad files, and that template, schema and reader are one.

mod template;
