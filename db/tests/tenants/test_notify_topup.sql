-- Which changes tell. That what is told arrives at commit, and at no other time, is tested from two sessions in
-- service/tests/test_topup_notifications.py.
begin;
select plan(21);
\ir ../support.sql
\ir ../stripe/events.sql
\ir ../checkout/checkouts.sql
\ir ../recharge/recharges.sql

do $$
begin
    perform pg_temp.customer('acme');
    perform pg_temp.customer('globex');
    perform pg_temp.rechargeable('low', 600);
    perform wallet.set_topup_plan('big', 'Big', 'gbp', 4500, 5000, 'ann', 250);
end $$;

-- The trigger's function is replaced by one that keeps what would have been told.
create temporary table notified (org_id uuid);
grant insert on notified to wallet_owner;
create or replace function wallet.notify_topup() returns trigger
language plpgsql
as $$
begin
    insert into pg_temp.notified values (new.org_id);
    return null;
end;
$$;

-- How often which of the three is told of, and forgets it.
create function pg_temp.told() returns text
language sql
as $$
    with gone as (delete from pg_temp.notified returning org_id)

    select coalesce(string_agg(name || ' ' || times, ', ' order by name), 'nobody')
    from (
        select name, count(*) as times
        from gone
        inner join unnest(array['acme', 'globex', 'low']) as name on pg_temp.org(name) = org_id
        group by name
    ) as counted
$$;

-- Who is told where a top-up of acme is changed so.
create function pg_temp.told_of(p_change text) returns text
language plpgsql
as $$
begin
    execute format(
        'update wallet.topups set %s where request_key = ''click'' and org_id = %L', p_change, pg_temp.org('acme')
    );
    return pg_temp.told();
end;
$$;

create temporary table begun as select pg_temp.begin('acme', 5000, 'click') as answer;

select is(pg_temp.told(), 'nobody', 'a top-up that is begun is known to whoever began it');
do $$ begin perform pg_temp.attach(answer) from begun; end $$;
select is(pg_temp.told(), 'nobody', 'so is its page');
do $$ begin perform pg_temp.begin('acme', 5000, 'click'); end $$;
select is(pg_temp.told(), 'nobody', 'to ask again is nothing new');

-- What Stripe tells of it.
create function pg_temp.tell_of(p_type text, p_object jsonb) returns jsonb
language sql
return (
    select
        pg_temp.tell(
            p_type,
            jsonb_set(p_object, '{metadata}', answer #> '{request,params,metadata}')
            || case
                when p_object ->> 'object' = 'checkout.session'
                    then jsonb_build_object('id', 'cs_' || (answer ->> 'topup_id'))
                else '{}'
            end
        )
    from begun
);

select pg_temp.tell_of('payment_intent.payment_failed', pg_temp.intent('acme', '{"amount_received": 0}')) ->> 'outcome'
as failed
\gset
select is(pg_temp.told(), 'acme 1', 'a declined card is told');
select pg_temp.tell_of('payment_intent.processing', pg_temp.intent('acme', '{"amount_received": 0}')) ->> 'outcome'
as processing
\gset
select is(pg_temp.told(), 'acme 1', 'a bank that is at it is told');
select pg_temp.tell_of('checkout.session.completed', pg_temp.session('acme')) ->> 'outcome' as paid
\gset
select is(:'paid'::text, 'processed', 'it is paid');
select is(pg_temp.told(), 'acme 1', 'a payment is told once');
select pg_temp.tell_of('payment_intent.succeeded', pg_temp.intent('acme')) ->> 'outcome' as again
\gset
select is(pg_temp.told(), 'nobody', 'Stripe''s other event about it tells nothing new');
select pg_temp.tell('charge.refunded', pg_temp.charge('1')) ->> 'outcome' as refunded
\gset
select is(:'refunded'::text, 'processed', 'it is refunded');
select is(pg_temp.told(), 'nobody', 'which is told by the ledger, not here');

-- What nobody waits for is not told: each notification makes commits wait for each other.
do $$
begin
    for v_call in 1 .. 3 loop
        perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_' || v_call, null, 1, 1, 10);
    end loop;
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 5000, 'topup', 'pi_backend');
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 10, 'bonus', p_idempotency_key => 'b');
end $$;
select is(pg_temp.told(), 'nobody', 'charges and a backend''s credits are not');
select pg_temp.tell(
    'payment_intent.succeeded', pg_temp.intent('acme', '{"id": "pi_elsewhere"}')
) ->> 'outcome' as elsewhere
\gset
select is(:'elsewhere'::text, 'processed', 'a payment that was started elsewhere is credited');
select is(pg_temp.told(), 'nobody', 'and not told');
do $$
begin
    perform pg_temp.tell(
        'payment_intent.processing', pg_temp.intent('globex', '{"id": "pi_slow", "amount_received": 0}')
    );
    perform pg_temp.tell('payment_intent.succeeded', pg_temp.intent('globex', '{"id": "pi_slow"}'));
end $$;
select is(
    pg_temp.payments('globex') || ', told: ' || pg_temp.told(), 'balance 5000, credits 1, top-ups paid, told: nobody',
    'nor where it took its time'
);

-- What is told is the state, whatever function changes it.
select is(pg_temp.told_of(change), told, format('%s: %s is told', change, told))
from (
    values
    ('status = ''canceled''', 'acme 1'),
    ('stripe_payment_intent_id = ''pi_x''', 'acme 1'),
    ('last_error = ''declined'', refunded_pence = 1, updated_at = now(), expires_at = now()', 'nobody')
) as changed (change, told);

-- Recharges are started here.
do $$ begin perform pg_temp.spend('low', 200); end $$;
select is(
    pg_temp.attempts('low') || ', told: ' || pg_temp.told(), 'requested, told: nobody',
    'a recharge that is asked for is not told'
);
do $$ begin perform pg_temp.recharge('low'); end $$;
select is(
    pg_temp.attempts('low') || ', told: ' || pg_temp.told(), 'succeeded, told: low 1',
    'one that is paid is told, to its own'
);
do $$
begin
    perform pg_temp.later('low', '1 hour');
    perform pg_temp.spend('low', 5000);
    perform wallet.set_auto_recharge(pg_temp.org('low'), false, 'ann');
end $$;
select is(
    pg_temp.attempts('low') || ', told: ' || pg_temp.told(), 'succeeded canceled, told: low 1',
    'so is one that is taken back'
);
select results_eq(
    $$
        select tgname, tgenabled, tgtype & 1, tgtype & 2
        from pg_trigger where tgrelid = 'wallet.topups'::regclass and not tgisinternal
    $$,
    $$values ('notify_topup'::name, 'O'::"char", 1, 0)$$,
    'there is one trigger, after each row'
);
select * from finish();
rollback;
