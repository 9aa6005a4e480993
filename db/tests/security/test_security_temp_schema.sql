-- A caller owns its temporary schema, where PostgreSQL looks for types and tables first unless the
-- search_path says otherwise. What it puts there must not run with the rights of the functions' owner.
begin;

select plan(4);

create role attacker nologin;
grant wallet_webhook to attacker;

select wallet.create_wallet('00000000-0000-4000-8000-000000000001', 'Victim') as wallet \gset

set local role attacker;

create function pg_temp.run(p_value text) returns boolean language plpgsql as $$
begin
    raise exception using errcode = 'XX999', message = 'code of the caller ran as ' || current_user;
end;
$$;

create function pg_temp.is_trapped() returns boolean language plpgsql as $$
begin
    perform 'anything'::text;
    return false;
exception
    when sqlstate 'XX999' then
        return true;
end;
$$;

create domain pg_temp.text as pg_catalog.text constraint trap check (pg_temp.run(value));
create domain pg_temp.jsonb as pg_catalog.jsonb constraint trap check (pg_temp.run(value::pg_catalog.text));
create domain pg_temp.uuid as pg_catalog.uuid constraint trap check (pg_temp.run(value::pg_catalog.text));
create domain pg_temp.boolean as pg_catalog.bool constraint trap check (pg_temp.run(value::pg_catalog.text));
create temporary table processed_stripe_webhooks (event_id pg_catalog.text);

select
    pg_temp.is_trapped() as trapped,
    wallet.process_stripe_event(
        '{
            "id": "evt_1", "type": "checkout.session.completed", "livemode": false,
            "data": {"object": {
                "id": "cs_1", "payment_status": "paid", "amount_total": 5000, "currency": "gbp",
                "payment_intent": "pi_1", "metadata": {
                    "type": "wallet_topup", "org_id": "00000000-0000-4000-8000-000000000001"
                }
            }}
        }'::pg_catalog.jsonb
    ) ->> 'outcome' as outcome,
    wallet.get_health() ->> 'success' as health
\gset

drop domain pg_temp.text, pg_temp.jsonb, pg_temp.uuid, pg_temp.boolean;
reset role;

select ok(:'trapped', 'a type of the caller''s runs its code where no search_path is pinned');
select is(:'outcome'::text, 'processed', 'an event is applied without a step into the caller''s temporary schema');
select is(:'health'::text, 'true', 'and so is the health report given');

select is(
    (
        select array_agg(oid::regprocedure::text) from pg_catalog.pg_proc
        where
            pronamespace = 'wallet'::regnamespace
            and (proconfig is null or 'search_path=pg_catalog, pg_temp' <> all(proconfig))
    ),
    null::text[],
    'every function looks into pg_catalog first and into the temporary schema last'
);

select * from finish();

rollback;
