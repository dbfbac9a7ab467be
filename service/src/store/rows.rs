//! Reads columns into values that have a grammar.

use cutover_deploy::BadName;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use tracing::error;

use super::{StoreError, reading};

pub(super) fn text(row: &AnyRow, column: &'static str) -> Result<String, StoreError> {
    row.try_get(column).map_err(reading)
}

pub(super) fn maybe_text(row: &AnyRow, column: &'static str) -> Result<Option<String>, StoreError> {
    row.try_get(column).map_err(reading)
}

pub(super) fn number(row: &AnyRow, column: &'static str) -> Result<i64, StoreError> {
    row.try_get(column).map_err(reading)
}

pub(super) fn name<T: TryFrom<String, Error = BadName>>(
    row: &AnyRow,
    column: &'static str,
) -> Result<T, StoreError> {
    T::try_from(text(row, column)?).map_err(|bad| unreadable(column, &bad))
}

pub(super) fn maybe_name<T>(row: &AnyRow, column: &'static str) -> Result<Option<T>, StoreError>
where
    T: TryFrom<String, Error = BadName>,
{
    maybe_text(row, column)?
        .map(|text| T::try_from(text).map_err(|bad| unreadable(column, &bad)))
        .transpose()
}

pub(super) fn json<T: DeserializeOwned>(
    row: &AnyRow,
    column: &'static str,
) -> Result<T, StoreError> {
    serde_json::from_str(&text(row, column)?).map_err(|error| unreadable(column, &error))
}

pub(super) fn maybe_json<T: DeserializeOwned>(
    row: &AnyRow,
    column: &'static str,
) -> Result<Option<T>, StoreError> {
    maybe_text(row, column)?
        .map(|text| serde_json::from_str(&text).map_err(|error| unreadable(column, &error)))
        .transpose()
}

pub(super) fn time(row: &AnyRow, column: &'static str) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(number(row, column)?).map_err(|error| unreadable(column, &error))
}

pub(super) fn maybe_time(
    row: &AnyRow,
    column: &'static str,
) -> Result<Option<Timestamp>, StoreError> {
    let at: Option<i64> = row.try_get(column).map_err(reading)?;
    at.map(|at| Timestamp::from_millisecond(at).map_err(|error| unreadable(column, &error)))
        .transpose()
}

pub(super) fn unreadable(what: &'static str, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Row {
        what,
        why: why.to_string(),
    }
}

impl StoreError {
    /// Whether it is one row that is at fault, and not the database.
    pub(super) fn is_one_row(&self) -> bool {
        match self {
            Self::Row { .. } => true,
            Self::Database { source, .. } => matches!(
                source,
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::RowNotFound
            ),
        }
    }
}

/// The rows that can be read; one that cannot is logged and left out, for the others are not at fault.
pub(super) fn readable<T>(
    found: &[AnyRow],
    read: impl Fn(&AnyRow) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut values = Vec::with_capacity(found.len());
    for row in found {
        match read(row) {
            Ok(value) => values.push(value),
            Err(error) if error.is_one_row() => tell(row, &error),
            Err(error) => return Err(error),
        }
    }
    Ok(values)
}

/// Logs a row that cannot be read.
pub(super) fn tell(row: &AnyRow, error: &StoreError) {
    let id: String = row.try_get("id").unwrap_or_default();
    error!(id, %error, "a row of the ledger is passed over");
}

/// JSON of a value of ours; such values always have one.
pub(super) fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("our own types have string keys and no failing serializers")
}
