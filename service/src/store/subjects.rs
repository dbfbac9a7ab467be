//! What commits are about: the first line of their message, known once they were fetched.

use cutover_deploy::CommitSha;

use super::{Store, StoreError, reading, rows, writing};

impl Store {
    /// Remembers the first line of a commit's message; the last word stays: git's, after a forge's.
    pub async fn describe(&self, commit: &CommitSha, subject: &str) -> Result<(), StoreError> {
        sqlx::query(
            "insert into commit_subject (commit_sha, subject) values ($1, $2)
             on conflict (commit_sha) do update
             set subject = excluded.subject",
        )
        .bind(commit.as_str())
        .bind(subject)
        .execute(&self.pool)
        .await
        .map_err(writing)?;
        Ok(())
    }

    /// The first line of a commit's message, where it is known.
    pub async fn subject(&self, commit: &CommitSha) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("select subject from commit_subject where commit_sha = $1")
            .bind(commit.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(reading)?;
        row.as_ref()
            .map(|row| rows::text(row, "subject"))
            .transpose()
    }
}
