//! `cutover.toml` from outside: what is told about bad files, and that template, schema and reader are one.

mod explain;
mod faults;
mod hostile;
mod template;
