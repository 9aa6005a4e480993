-- For a server of its own: the login that migrates, which owns the database and makes the other logins.
-- The image of PostgreSQL runs this once, when its volume is new; the password is in the environment.
\set ON_ERROR_STOP on
\getenv password WALLET_MIGRATOR_PASSWORD

create role wallet_migrator login createrole password :'password';
alter database :"DBNAME" owner to wallet_migrator;
revoke all on database :"DBNAME" from public;
