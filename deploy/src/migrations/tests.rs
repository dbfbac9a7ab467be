//! What previews of real programs say, and what is taken away by it.

use super::*;
use crate::names::ReleaseId;

fn release() -> ReleaseId {
    ReleaseId::parse("r1").unwrap()
}

fn dangers(sql: &str) -> Vec<String> {
    let preview = Preview::read(sql.lines());
    preview
        .dangers(true)
        .into_iter()
        .map(|danger| danger.does)
        .collect()
}

#[test]
fn what_takes_something_away_or_demands_it_is_a_danger() {
    for (sql, does) in [
        ("drop table \"users\"", "drops the table users"),
        (
            "DROP TABLE IF EXISTS `shop`.`users` CASCADE",
            "drops the table shop.users",
        ),
        ("drop view active_users", "drops the view active_users"),
        (
            "drop materialized view if exists totals",
            "drops the view totals",
        ),
        ("drop schema old cascade", "drops the schema old"),
        ("truncate table users", "empties users"),
        (
            "truncate \"users\" restart identity cascade",
            "empties users",
        ),
        ("delete from users", "deletes every row of users"),
        (
            "with old as (select 1) delete from users",
            "deletes every row of users",
        ),
        ("rename table users to people", "renames the table users"),
        (
            "alter table users rename to people",
            "renames the table users",
        ),
        (
            "alter table public.users set schema old",
            "renames the table public.users",
        ),
        (
            "alter table \"users\" drop column \"name\"",
            "drops the column name of users",
        ),
        (
            "alter table users drop name",
            "drops the column name of users",
        ),
        (
            "alter table `users` add `a` int null, drop `name`",
            "drops the column name of users",
        ),
        (
            "alter table users rename column a to b",
            "renames the column a of users",
        ),
        (
            "alter table users change a b varchar(9) null",
            "renames the column a of users",
        ),
        (
            "alter table users change a a varchar(9)",
            "changes the type of the column a of users",
        ),
        (
            "alter table users modify a varchar(9)",
            "changes the type of the column a of users",
        ),
        (
            "alter table only users alter column a type int",
            "changes the type of the column a of users",
        ),
        (
            "alter table users alter column a set not null",
            "demands a value in the column a of users",
        ),
        (
            "alter table users alter a set data type int",
            "changes the type of the column a of users",
        ),
        (
            "alter table \"users\" add column \"a\" varchar(255) not null",
            "adds the column a to users, which must be given",
        ),
        (
            "alter table users drop partition p2020",
            "drops a partition of users",
        ),
        (
            "alter type mood rename value 'sad' to 'blue'",
            "renames the type mood",
        ),
        (
            "do $$ begin drop table users; end $$",
            "runs code that cannot be read: do",
        ),
        (
            "insert into a values (';'); drop table users",
            "drops the table users",
        ),
        (
            "insert into a values ('it''s'); drop table users",
            "drops the table users",
        ),
        (
            "insert into a values ('it\\'s;'); drop table users",
            "drops the table users",
        ),
        (
            "insert into a values ('C:\\'); drop table users -- '",
            "drops the table users",
        ),
        ("/*!40000 drop table users */", "drops the table users"),
        // A comment in one database, an operator in another.
        (
            "insert into users values (1) # ; drop table users",
            "drops the table users",
        ),
        (
            "alter table t add y text generated always as (d #>> '{a}') stored, drop column x",
            "drops the column x of t",
        ),
        (
            "drop schema public cascade; create schema public",
            "drops the schema public",
        ),
        (
            "drop view v cascade; create view v as select 1",
            "drops the view v",
        ),
        (
            "create table archive.users (id int); drop table public.users",
            "drops the table public.users",
        ),
        (
            "create or replace table users (id int)",
            "drops the table users and makes it anew",
        ),
        (
            "if object_id(N'users') is not null drop table [users]",
            "may take something away: if … drop",
        ),
        (
            "begin drop table users end",
            "may take something away: begin … drop",
        ),
        (
            "alter table t truncate partition p",
            "may take something away from t: truncate … truncate",
        ),
        (
            "alter table t wait 5 drop column c",
            "may take something away from t: wait … drop",
        ),
        ("/* not yet */ drop table users", "drops the table users"),
        (
            "alter table users\n  drop column name",
            "drops the column name",
        ),
    ] {
        assert!(
            dangers(sql).contains(&does.to_owned()),
            "{sql}\n{:?}",
            dangers(sql)
        );
    }
}

#[test]
fn what_only_adds_or_loosens_is_none() {
    for sql in [
        "create table users (id int not null, name text not null)",
        "create table if not exists users (id int)",
        "create index concurrently a on users (name)",
        "create unique index a on users (name)",
        "create or replace view totals as select 1",
        "begin",
        "alter table users add column a varchar(255) null",
        "alter table users add a int not null default 0",
        "alter table users add `total` int as (a + b) stored not null",
        "alter table users add column id bigserial not null",
        "alter table users add constraint b foreign key (a) references c (id) on delete cascade",
        "alter table users add unique users_a(a), add index users_b(b)",
        "alter table users drop constraint users_a_foreign",
        "alter table users drop foreign key a, drop index b, drop primary key, drop check c",
        "alter table users rename index a to b",
        "alter table users alter column a drop not null, alter column b set default 'x, drop b'",
        "alter table users alter index a invisible",
        "alter type mood add value 'calm'",
        "drop index users_a",
        "drop temporary table t",
        "drop view totals; create view totals as select 2",
        "drop trigger if exists t on users; create trigger t before insert on users execute function f()",
        "update users set name = 'drop table users; truncate users'",
        "update users set a = $1 where b = $tag$; drop table users; $tag$",
        "insert into users (\"drop table\") values ('x') -- ; drop table users",
        "delete from users where id = ?",
        "select * from information_schema.tables where table_name = ?",
        "",
    ] {
        assert_eq!(dangers(sql), Vec::<String>::new(), "{sql}");
    }
}

#[test]
fn tables_that_the_same_migrations_make_are_nobodys_yet() {
    let sql = "create table a (id int);\nalter table a drop column id, add b int not null;\nalter table a rename to c;\n\
               truncate c;\ndelete from c;\ndrop table c;\ndrop table a;";
    assert_eq!(dangers(sql), ["drops the table a"]);
    let maybe = "create table if not exists a (id int);\ndrop table a;";
    assert_eq!(dangers(maybe), ["drops the table a"]);
}

#[test]
fn a_preview_of_laravel_8_names_each_migration() {
    let preview = Preview::read([
        "2026_01_01_000000_make: create table \"runs\" (\"id\" integer not null)",
        "TrimRuns: alter table people",
        "   drop column code",
        "2026_03_01_000000_change: failed to dump queries. This may be due to changing database columns using Doctrine",
    ]);
    let lines: Vec<_> = preview.dangers(true).iter().map(Danger::line).collect();
    assert_eq!(
        lines,
        [
            "2026_03_01_000000_change changes columns in a way that cannot be shown beforehand",
            "TrimRuns drops the column code of people (alter table people drop column code)",
        ]
    );
}

#[test]
fn a_preview_of_later_ones_names_them_above() {
    let preview = Preview::read([
        "",
        "   INFO  Running migrations.  ",
        "",
        "  2026_01_01_000000_make ...............................................",
        "  ⇂ create table \"runs\" (\"id\" integer not null)",
        "  2026_02_01_000000_trim ...............................................",
        "  ⇂ alter table \"people\" drop column \"code\"",
        "  ⇂ select 1",
    ]);
    let dangers = preview.dangers(true);
    assert_eq!(dangers.len(), 1, "{preview:?}");
    assert_eq!(
        dangers[0].migration.as_deref(),
        Some("2026_02_01_000000_trim")
    );
    assert_eq!(preview.statements.len(), 3, "{preview:?}");
}

#[test]
fn a_database_that_has_seen_no_migration_has_nothing_to_lose() {
    for first in [
        "Migration table created successfully.",
        "   INFO  Preparing database.  ",
    ] {
        let preview = Preview::read([first, "A: drop table if exists \"users\""]);
        assert!(
            preview.fresh && preview.dangers(false).is_empty(),
            "{preview:?}"
        );
    }
    assert_eq!(Preview::read(["Nothing to migrate."]), Preview::default());
}

#[test]
fn statements_without_names_are_read_by_lines_or_by_semicolons() {
    assert_eq!(
        dangers("create table a (\n  b int\n)\ndrop table users"),
        ["drops the table users"]
    );
    assert_eq!(
        dangers("create table a (b int);\ndrop table users;"),
        ["drops the table users"]
    );
}

#[test]
fn what_could_not_be_read_whole_is_refused_and_what_is_unknown_is_told() {
    let long = format!("alter table users add a int null, {}", "x".repeat(4096));
    let long: String = long.chars().take(4096).collect();
    assert_eq!(dangers(&long).len(), 1);
    assert_eq!(
        dangers("create table a (b int)\n(the log is full; what follows is left out)").len(),
        1
    );
    let preview = Preview::read(["frobnicate users;", "select 1;"]);
    assert_eq!(
        (preview.dangers(true).len(), preview.unknown().len()),
        (0, 1),
        "{preview:?}"
    );
}

#[test]
fn what_was_migrated_is_read_in_both_ways_of_telling() {
    let mut migrated = Migrated::default();
    for line in [
        "Migrating: 2026_01_01_000000_make",
        "Migrated:  2026_01_01_000000_make (12.34ms)",
        "Migrating: 2026_02_01_000000_trim",
    ] {
        migrated.hear(line);
    }
    assert_eq!(migrated.done, ["2026_01_01_000000_make"]);
    assert_eq!(migrated.broken.as_deref(), Some("2026_02_01_000000_trim"));
    let mut later = Migrated::default();
    later.hear("  2026_01_01_000000_make ................ 12.34ms DONE");
    later.hear("  2026_02_01_000000_trim ................ 1.20ms FAIL");
    assert_eq!((later.done, later.broken), (migrated.done, migrated.broken));
    let mut nothing = Migrated::default();
    nothing.hear("   INFO  Nothing to migrate.  ");
    assert_eq!(nothing.left(&release(), false), None);
}

#[test]
fn what_is_left_in_the_database_is_said_as_far_as_it_is_known() {
    let mut migrated = Migrated::default();
    assert!(
        migrated
            .left(&release(), false)
            .unwrap()
            .contains("What the migrate steps have changed")
    );
    migrated.hear("Migrated:  2026_01_01_000000_make (12.34ms)");
    migrated.hear("Migrating: 2026_02_01_000000_trim");
    let said = migrated.left(&release(), false).unwrap();
    assert!(said.contains("2026_01_01_000000_make ran"), "{said}");
    assert!(said.contains("2026_02_01_000000_trim broke off"), "{said}");
    assert_eq!(
        migrated.left(&release(), true).unwrap().find("2026_02_01"),
        Some(0)
    );
}
