-- What people asked for in comments, and what holds an environment.

-- Who asked by a command; what they hold themselves does not stop it. Pushes have nobody here.
alter table deployment add column asked_by text;

create table hold (
    app text not null,
    environment text not null,
    kind text not null check (kind in ('lock', 'rollback')),
    owner text not null,
    reason text,
    since bigint not null,
    until bigint,
    -- The rollback that holds the environment, as long as it does not fail.
    deployment text references deployment (id),
    primary key (app, environment, kind)
);

create table command (
    id text not null primary key,
    ordinal bigint not null unique,
    forge text not null,
    repository text not null,
    public bigint not null,
    author text not null,
    thread text not null,
    comment text not null,
    line text not null,
    ask text not null,
    state text not null check (state in ('received', 'decided', 'told')),
    decision text,
    deployment text references deployment (id),
    received_at bigint not null,
    reaction text,
    reply text,
    body text,
    attempts bigint not null,
    next_at bigint not null,
    error text
);

create index command_state on command (state, ordinal);
create index command_deployment on command (deployment);
