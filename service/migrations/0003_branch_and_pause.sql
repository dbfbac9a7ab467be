-- The branch whose push asked for a deployment, and the moment before which a waiting one is left alone.

alter table deployment add column branch text;
alter table deployment add column not_before bigint;
