//! The test world holds what it promises: hosts are real, faults strike, and nothing is left over.

mod fault;
mod laravel;
mod pipeline;
mod plain;
mod source;
