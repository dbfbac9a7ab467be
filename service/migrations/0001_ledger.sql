-- The ledger: what was heard, what was asked for, what happened, what is still to be told.
-- Columns are TEXT or BIGINT only, so that the same statements run on SQLite and on Postgres.
-- Times are milliseconds since 1970, UTC.

create table delivery (
    forge text not null,
    id text not null,
    event text not null,
    hook_id text,
    received_at bigint not null,
    body text,
    status bigint not null,
    answer text not null,
    primary key (forge, id)
);

create table deployment (
    id text not null primary key,
    ordinal bigint not null unique,
    app text not null,
    environment text not null,
    repository text not null,
    environment_url text,
    kind text not null,
    commit_sha text,
    actor text not null,
    state text not null check (state in ('queued', 'running', 'done')),
    request text not null,
    outcome text,
    release_id text,
    live_release text,
    live_commit text,
    superseded_by text,
    requested_at bigint not null,
    started_at bigint,
    ended_at bigint
);

-- What keeps two deployments of one environment from running at once, whoever claims them.
create unique index one_running on deployment (app, environment) where state = 'running';
create index deployment_lane on deployment (app, environment, ordinal);
create index deployment_state on deployment (state);

create table event (
    deployment text not null references deployment (id),
    seq bigint not null,
    at bigint not null,
    body text not null,
    primary key (deployment, seq)
);

create table outbox (
    ordinal bigint not null primary key,
    deployment text not null references deployment (id),
    app text not null,
    environment text not null,
    body text not null,
    state text not null check (state in ('waiting', 'sent', 'skipped', 'given_up')),
    attempts bigint not null,
    next_at bigint not null,
    error text,
    ended_at bigint
);

create index outbox_waiting on outbox (state, app, environment, ordinal);

create table forge_deployment (
    deployment text not null references deployment (id),
    entry text not null,
    app text not null,
    environment text not null,
    number text not null,
    state text not null,
    primary key (deployment, entry)
);
