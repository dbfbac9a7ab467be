-- What somebody wrote as the first line of a commit's message; known once it was fetched.

create table commit_subject (
    commit_sha text not null primary key,
    subject text not null
);
