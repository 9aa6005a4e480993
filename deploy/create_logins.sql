-- The three logins of pgwallet, each with what it needs and no more. Run it after `wallet migrate`, as the
-- same role, and again to set other passwords:
--
--   WALLET_HTTP_PASSWORD=… WALLET_JOBS_PASSWORD=… WALLET_OPERATOR_PASSWORD=… psql "$DATABASE_URL" -f create_logins.sql
\set ON_ERROR_STOP on
\set http_password ''
\set jobs_password ''
\set operator_password ''
\getenv http_password WALLET_HTTP_PASSWORD
\getenv jobs_password WALLET_JOBS_PASSWORD
\getenv operator_password WALLET_OPERATOR_PASSWORD

begin;

set local client_min_messages = warning;  -- not: is already a member

-- A password is part of its statement, so the server's log shall not have it, where we may say so.
select set_config(name, value, true)
from (
    values
    ('log_min_error_statement', 'panic'), ('log_statement', 'none'),
    ('log_min_duration_statement', '-1'), ('log_min_duration_sample', '-1')
) as settings (name, value)
where has_parameter_privilege(name, 'set') \g /dev/null

select bool_or(length(password) < 16) as missing
from (values (:'http_password'), (:'jobs_password'), (:'operator_password')) as given (password) \gset
\if :missing
    do $$ begin
        raise 'Set WALLET_HTTP_PASSWORD, WALLET_JOBS_PASSWORD and WALLET_OPERATOR_PASSWORD to 16 characters or more each.';
    end $$;
\endif

select format('create role %I login', name)
from unnest(array['wallet_http', 'wallet_jobs', 'wallet_operator']) as name
where not exists (select from pg_catalog.pg_roles where rolname = name) \gexec

alter role wallet_http password :'http_password';
alter role wallet_jobs password :'jobs_password';
alter role wallet_operator password :'operator_password';

-- The HTTP service: the functions of the machines; and it may become a tenant for one transaction.
grant wallet_webhook, wallet_gateway to wallet_http;
-- The worker.
grant wallet_worker to wallet_jobs;
-- People, and the commands that they type.
grant service_role to wallet_operator;

-- Where everybody may connect, as is the default, they may already.
select format('grant connect on database %I to wallet_http, wallet_jobs, wallet_operator', datname)
from pg_catalog.pg_database
where datname = current_database() and pg_has_role(datdba, 'usage') \gexec

-- A little less than DATABASE_TIMEOUT_SECONDS: the server gives up before the process does.
alter role wallet_http set statement_timeout = '8s';
alter role wallet_jobs set statement_timeout = '30s';

commit;
