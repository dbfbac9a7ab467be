-- Who wrote a command, as a number that no change of name touches, and what the change was at when it was written.

alter table command add column author_id text;
alter table command add column head text;
