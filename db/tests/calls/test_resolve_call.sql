begin;
select plan(18);
\ir ../support.sql
\ir reports.sql

do $$
begin
    perform pg_temp.open_wallet(name, 10000) from unnest(array['acme', 'globex']) as name;
    insert into wallet.agents (org_id, name, vapi_assistant_id)
    values (pg_temp.org('globex'), 'Anna', pg_temp.vapi('assistant'));
end $$;

-- "organization/call id" that a call is resolved to.
create function pg_temp.resolved(p_name text, p_changes jsonb default '{}') returns text
language sql
as $$
    select format(
        '%s/%s',
        case (r).org_id when pg_temp.org('acme') then 'acme' when pg_temp.org('globex') then 'globex' end,
        case (r).call_id when pg_temp.vapi(p_name) then 'its Vapi id' else (r).call_id end
    )
    from wallet.resolve_call(wallet.read_call_report(pg_temp.call(p_name, 91, p_changes))) as r
$$;

select is(pg_temp.resolved('a', '{"assistantId": "none"}'), '/its Vapi id', 'a call of nobody we know');
select is(pg_temp.resolved('a'), 'globex/its Vapi id', 'the owner of the assistant');
select is(pg_temp.resolved('a', pg_temp.metadata('acme', 'x')), 'acme/x', 'what its metadata say, before the owner');
select is(pg_temp.resolved('a', '{"metadata": {"call_id": "x"}}'), 'globex/x', 'each of them for itself');
select is(
    pg_temp.resolved('a', pg_temp.metadata('acme', 'x') || '{"type": "webCall"}'), 'globex/x',
    'a browser''s metadata don''t make it somebody else''s call'
);
select is(
    pg_temp.resolved('a', pg_temp.metadata('acme', 'x') || '{"type": "webCall", "assistantId": "none"}'), 'acme/x',
    'where nobody else knows they count'
);
select is(
    (
        wallet.resolve_call(
            wallet.read_call_report(
                pg_temp.call('a', 91, pg_temp.metadata('nobody'))
            )
        )
    ).org_id,
    pg_temp.org('nobody'),
    'an organization without a wallet is not exchanged for another'
);

-- Reservations.
do $$
begin
    perform wallet.reserve_call_credits(pg_temp.org('acme'), 'reserved', pg_temp.vapi('r'));
    perform wallet.reserve_call_credits(pg_temp.org('acme'), 'unnamed');
end $$;
select is(pg_temp.resolved('r'), 'acme/reserved', 'the reservation with its Vapi id');
select is(
    pg_temp.resolved('r', pg_temp.metadata('globex', 'x')), 'acme/reserved', 'comes before its metadata'
);
select is(
    pg_temp.resolved('a', pg_temp.metadata('acme', 'unnamed')), 'acme/unnamed',
    'metadata find a reservation that knows no Vapi id'
);
select is(
    pg_temp.resolved('a', pg_temp.metadata('acme', 'reserved')), 'acme/its Vapi id',
    'but not one that is another call''s'
);

-- Recorded calls.
do $$
begin
    perform wallet.bill_call(pg_temp.org('acme'), 'billed', 30, pg_temp.vapi('b'));
    perform wallet.bill_call(pg_temp.org('acme'), 'anonymous', 30);
    perform wallet.bill_call(pg_temp.org('acme'), 'named later', 30);
    perform wallet.reserve_call_credits(pg_temp.org('globex'), 'other', pg_temp.vapi('b'));
end $$;
select is(pg_temp.resolved('b'), 'acme/billed', 'the recorded call with its Vapi id');
select is(
    pg_temp.resolved('b', pg_temp.metadata('globex', 'x')), 'acme/billed', 'comes before everything else'
);
select is(
    pg_temp.resolved('a', pg_temp.metadata('acme', 'anonymous')), 'acme/anonymous',
    'metadata find a call that is recorded without a Vapi id'
);
select is(
    pg_temp.resolved('a', pg_temp.metadata('acme', 'billed')), 'acme/its Vapi id', 'but not one that is another'
);
select is(
    pg_temp.resolved('a', pg_temp.metadata('globex', 'billed')), 'globex/billed',
    'another organization''s calls have their own ids'
);

-- Two reservations for one call: the open one, or else the newest.
do $$
begin
    perform wallet.reserve_call_credits(pg_temp.org('acme'), 'second', pg_temp.vapi('r'));
    perform wallet.release_reservation('second', pg_temp.org('acme'));
end $$;
select is(pg_temp.resolved('r'), 'acme/reserved', 'the open one of two reservations');
do $$ begin perform wallet.release_reservation('reserved', pg_temp.org('acme')); end $$;
select alike(pg_temp.resolved('r'), 'acme/%', 'or any, when both are closed');

select * from finish();
rollback;
