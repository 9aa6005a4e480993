begin;
select plan(24);
\ir ../support.sql
\ir events.sql

select set_eq(
    $$
        select match[1]
        from pg_proc, regexp_matches(prosrc, 'when ''([a-z_.]+)'' then', 'g') as match
        where oid = 'wallet.apply_stripe_event'::regproc
    $$,
    wallet.stripe_event_types(),
    'apply_stripe_event hands each of these types to a handler, and no others'
);
select is(
    cardinality(wallet.stripe_event_types()), (select count(distinct type)::integer from
    unnest(wallet.stripe_event_types()) as type),
    'no type is named twice'
);

-- A payment, its refunds and its card, and another payment that is new.
do $$
begin
    perform pg_temp.pay('acme');
    perform pg_temp.tell(
        'refund.created', pg_temp.refund('acme', '{"id": "re_0"}')
    );
end $$;

create function pg_temp.has_effect(p_type text) returns boolean
language plpgsql
as $$
declare
    v_before constant text := pg_temp.everything();
    v_object constant jsonb := case
        when p_type = 'refund.failed' then pg_temp.refund('acme', '{"id": "re_0", "status": "failed"}')
        when p_type = 'charge.refunded' then pg_temp.charge('acme', '{"amount_refunded": 2000}')
        else pg_temp.object_of(p_type, 'acme')
    end;
    v_detail text;
begin
    perform wallet.apply_stripe_event(pg_temp.event('evt_1', p_type, v_object));
    raise exception using errcode = 'T0001', detail = (pg_temp.everything() <> v_before)::text;
exception
    when sqlstate 'T0001' then
        get stacked diagnostics v_detail = pg_exception_detail;
        return v_detail::boolean;
end;
$$;
select ok(pg_temp.has_effect(type), format('%s has an effect', type))
from unnest(wallet.stripe_event_types()) as type;
select ok(not pg_temp.has_effect('charge.succeeded'), 'charge.succeeded has none');

select * from finish();
rollback;
