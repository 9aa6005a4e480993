begin;
select plan(12);
\ir ../support.sql
\ir reports.sql

do $$ begin perform pg_temp.open_wallet(name) from unnest(array['acme', 'globex']) as name; end $$;

create function pg_temp.has_assistant(p_org text, p_assistant text) returns void
language sql
as $$
    insert into wallet.agents (org_id, name, vapi_assistant_id)
    values (pg_temp.org(p_org), 'Anna', pg_temp.vapi(p_assistant))
$$;

create function pg_temp.has_number(
    p_org text, p_number text, p_status text, p_released_at timestamptz default null,
    p_provisioned_at timestamptz default '2026-01-01'
) returns void
language sql
as $$
    insert into wallet.phone_numbers (
        org_id, number, idempotency_key, status, provider, provider_number_id, price_pence, cost_breakdown, failure,
        released_by, released_at, released_with, provisioned_at
    )
    values (
        pg_temp.org(p_org), '+44207183' || floor(random() * 9000 + 1000), gen_random_uuid(), p_status, 'twilio',
        pg_temp.vapi(p_number), 0, '{}', case p_status when 'failed' then 'None left.' end,
        case p_status when 'released' then 'ann' end, p_released_at,
        case p_status when 'released' then '{}'::jsonb end,
        p_provisioned_at
    )
$$;

create function pg_temp.owner(p_assistant text, p_number text) returns text
language sql
as $$
    select o.name
    from
        wallet.find_call_owner(
            wallet.read_call_report(
                pg_temp.call(
                    'one', 91,
                    jsonb_build_object(
                        'assistantId', pg_temp.vapi(p_assistant), 'phoneNumberId', pg_temp.vapi(p_number)
                    )
                )
            )
        ) as org_id
    inner join unnest(array['acme', 'globex']) as o (name) on pg_temp.org(o.name) = org_id
$$;

select is(pg_temp.owner('a', 'n'), null, 'nobody has the assistant or the number');
do $$ begin perform pg_temp.has_assistant('acme', 'a'); end $$;
select is(pg_temp.owner('a', 'n'), 'acme', 'an assistant belongs to the organization of its agent');
do $$ begin perform pg_temp.has_number('globex', 'n', 'active'); end $$;
select is(pg_temp.owner('b', 'n'), 'globex', 'a number to the organization that has it');
select is(pg_temp.owner('a', 'n'), 'acme', 'the assistant comes first');
do $$ begin perform pg_temp.has_assistant('globex', 'a'); end $$;
select is(pg_temp.owner('a', 'm'), null, 'an assistant that two share says nothing');
select is(pg_temp.owner('a', 'n'), 'globex', 'then the number says it');
do $$ begin perform pg_temp.has_number('acme', 'n', 'failed'); end $$;
select is(pg_temp.owner('b', 'n'), 'globex', 'a number that could not be bought belongs to nobody');
do $$ begin perform pg_temp.has_number('acme', 'n', 'released', '2026-03-01'); end $$;
select is(pg_temp.owner('b', 'n'), 'globex', 'nor one that was given back before the call');
do $$ begin perform pg_temp.has_number('acme', 'o', 'released', '2026-03-03'); end $$;
select is(pg_temp.owner('b', 'o'), 'acme', 'given back after the call it was still theirs');
do $$ begin perform pg_temp.has_number('acme', 'n', 'active'); end $$;
select is(pg_temp.owner('b', 'n'), null, 'a number that two have says nothing');

-- From hand to hand.
do $$
begin
    perform pg_temp.has_number('acme', 'p', 'released', '2026-03-03');
    perform pg_temp.has_number('globex', 'p', 'active', null, '2026-03-04');
    perform pg_temp.has_number('globex', 'q', 'active', null, '2026-03-04');
end $$;
select is(pg_temp.owner('b', 'p'), 'acme', 'a number is theirs who had it when the call was placed');
select is(pg_temp.owner('b', 'q'), 'globex', 'and its only holder''s, though it was entered here only afterwards');

select * from finish();
rollback;
