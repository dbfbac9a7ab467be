-- Alarms that rang while a release was watched, each once for a deployment.

create table alarm (
    deployment text not null references deployment (id),
    name text not null,
    at bigint not null,
    primary key (deployment, name)
);
