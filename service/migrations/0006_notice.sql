-- What was put up on the hosts of an environment about its hold, so that it can be taken down again.

create table notice (
    app text not null,
    environment text not null,
    hold text not null,
    primary key (app, environment)
);

-- Who this service is on hosts: made once, and never another's.

create table keeper (
    id text not null primary key
);
