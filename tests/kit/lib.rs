mod cache;
pub mod github;
