begin;
select plan(32);
\ir ../support.sql
\ir events.sql

-- Whatever the order of what Stripe tells of a payment, each event delivered twice, the end is the same.
create function pg_temp.take_step(p_name text, p_step text, p_charged_pence bigint) returns void
language plpgsql
as $$
declare
    v_id constant text := 'evt_' || md5(p_name || p_step);
    v_b constant jsonb := '{"id": "re_2", "amount": 2000}';
begin
    for v_delivery in 1 .. 2 loop
        case p_step
            when 'credit' then
                perform pg_temp.pay(p_name, 5000, p_charged_pence);
            when 'A' then
                perform pg_temp.deliver(v_id, 'refund.created', pg_temp.refund(p_name));
            when 'A failed' then
                perform pg_temp.deliver(v_id, 'refund.failed', pg_temp.refund(p_name, '{"status": "failed"}'));
            when 'B' then
                perform pg_temp.deliver(v_id, 'refund.created', pg_temp.refund(p_name, v_b));
            when 'charge with A' then
                perform pg_temp.deliver(v_id, 'charge.refunded', pg_temp.charge(p_name));
            when 'charge with A and B' then
                perform pg_temp.deliver(
                    v_id, 'charge.refunded', pg_temp.charge(p_name, '{"amount_refunded": 3000}')
                );
            when 'won' then
                perform pg_temp.deliver(
                    v_id, 'charge.dispute.closed', pg_temp.dispute(p_name, '{"status": "won"}')
                );
            when 'lost' then
                perform pg_temp.deliver(
                    v_id, 'charge.dispute.closed', pg_temp.dispute(p_name, '{"status": "lost"}')
                );
            else
                perform pg_temp.deliver(v_id, 'charge.dispute.' || p_step, pg_temp.dispute(p_name));
        end case;
    end loop;
end;
$$;

create function pg_temp.end_of_order(p_steps text[], p_charged_pence bigint) returns text
language plpgsql
as $$
declare
    v_name constant text := format('%s charged: %s', p_charged_pence, array_to_string(p_steps, ', '));
    v_step text;
begin
    perform pg_temp.open_wallet(v_name);
    foreach v_step in array p_steps loop
        perform pg_temp.take_step(v_name, v_step, p_charged_pence);
    end loop;
    return format(
        'balance %s, waiting %s',
        pg_temp.balance(pg_temp.org(v_name)),
        (
            select count(*) from wallet.processed_stripe_webhooks
            where status <> 'processed' and event_data #>> '{data,object,payment_intent}' = 'pi_' || v_name
        )
    );
end;
$$;

create temporary table story (steps, charged, balance) as
values
(array['credit', 'A', 'B'], 5000, 2000),
(array['credit', 'A', 'B', 'charge with A', 'charge with A and B'], 5000, 2000),
(array['credit', 'A', 'A failed', 'charge with A'], 5000, 5000),
(array['credit', 'A', 'A failed', 'B', 'charge with A and B'], 5000, 3000),
(array['credit', 'A', 'B', 'charge with A and B'], 6000, 2500),
(array['credit', 'created', 'funds_withdrawn', 'funds_reinstated', 'won'], 5000, 5000),
(array['credit', 'created', 'funds_withdrawn', 'lost'], 5000, 0),
(array['credit', 'B', 'funds_withdrawn', 'funds_reinstated'], 5000, 3000),
(array['credit', 'charge with A and B', 'funds_withdrawn', 'lost'], 5000, 0),
(array['credit', 'A', 'A failed', 'funds_withdrawn', 'funds_reinstated'], 6000, 5000);

select is(
    array(select distinct pg_temp.end_of_order(orders, charged) from pg_temp.permutations(steps) as orders),
    array[format('balance %s, waiting 0', balance)],
    format('%s left of %s charged, in every order of: %s', balance, charged, array_to_string(steps, ', '))
)
from story;
select is_empty(
    $$
        select e.org_id
        from wallet.credit_transactions as e
        where
            e.type = 'topup_reversal'
            and not exists (
                select from wallet.outbox_messages as m
                where
                    m.org_id = e.org_id
                    and m.topic = 'payment_reversed'
                    and m.payload -> 'balance_pence' = to_jsonb(e.balance_after_pence)
            )
    $$,
    'every movement is told to the outbox'
);
select is(
    (select count(*) from wallet.outbox_messages where topic = 'payment_reversed'),
    (select count(*) from wallet.credit_transactions where type = 'topup_reversal'),
    'once'
);

-- Credits granted × money gone ÷ money charged, to the nearest minor unit.
create function pg_temp.refunded_in_steps(
    p_name text, p_granted_pence bigint, p_charged_pence bigint, p_refunds bigint[]
) returns text
language plpgsql
as $$
begin
    perform pg_temp.pay(p_name, p_granted_pence, p_charged_pence);
    for v_place in 1 .. cardinality(p_refunds) loop
        perform pg_temp.tell(
            'refund.created',
            pg_temp.refund(p_name, jsonb_build_object('id', 're_' || v_place, 'amount', p_refunds[v_place]))
        );
    end loop;
    return pg_temp.reversals(p_name);
end;
$$;

select is(
    pg_temp.refunded_in_steps(format('%s/%s: %s', granted, charged, refunds), granted, charged, refunds), reversals,
    format('%s credited for %s, refunds of %s: %s', granted, charged, refunds, reversals)
)
from (
    values
    (1000, 1200, array[400, 400, 400], '-333 -334 -333'),
    (1000, 1200, array[1200], '-1000'),
    (1000, 1200, array[1, 1, 1], '-1 -1 -1'),
    (5, 10, array[1, 9], '-1 -4'),
    (1, 120, array[59], 'none'),
    (1, 120, array[59, 1], '-1'),
    (5000, 5000, array[3000, 3000], '-3000 -2000'),
    (5000, 6000, array[7000], '-5000'),
    (400000000000000000, 500000000000000000, array[125000000000000001], '-100000000000000001'),
    (5000, 5000, array[0], 'none')
) as payment (granted, charged, refunds, reversals);

-- A bonus goes back with the rest.
do $$
begin
    perform pg_temp.open_wallet('bonus');
    perform wallet.attach_stripe_customer(pg_temp.org('bonus'), 'cus_1');
    perform wallet.set_topup_plan('big', 'Big', 'gbp', 4000, 5000, 'test', p_bonus_pence => 1001);
    perform pg_temp.tell(
        'checkout.session.completed',
        pg_temp.session(
            'bonus',
            jsonb_build_object(
                'payment_intent', 'pi_bonus',
                'amount_total', 4800,
                'total_details', '{"amount_tax": 800}'::jsonb,
                'metadata', wallet.begin_topup(
                    pg_temp.org('bonus'), p_plan => 'big', p_return_url => 'https://acme.example'
                ) #> '{request,params,metadata}'
            )
        )
    );
end $$;
select is(pg_temp.balance(pg_temp.org('bonus')), 6001::bigint, 'a plan credits its face value and its bonus');
select pg_temp.answers(
    pg_temp.tell('refund.created', pg_temp.refund('bonus', '{"amount": 1200}')),
    '{"outcome": "processed", "reversed_pence": 1500, "balance_after": 4501}',
    'a quarter of what was charged takes a quarter of both'
);
select pg_temp.answers(
    pg_temp.tell('charge.dispute.funds_withdrawn', pg_temp.dispute('bonus', '{"amount": 4800}')),
    '{"outcome": "processed", "reversed_pence": 6001, "balance_after": 0}',
    'all of it takes all of both'
);
select pg_temp.answers(
    pg_temp.tell('charge.dispute.funds_reinstated', pg_temp.dispute('bonus', '{"amount": 4800}')),
    '{"outcome": "processed", "reversed_pence": 1500, "balance_after": 4501}',
    'and what comes back is exactly what went'
);

-- The money is gone already, so neither debt limit nor freeze keeps it.
do $$
begin
    perform pg_temp.pay('spent');
    perform wallet.deduct_call_credits(pg_temp.org('spent'), 'call', 'v', 100, 5000, 5400);
    perform wallet.configure_freeze('operator', true, true, 'test');
    perform wallet.freeze_wallet(pg_temp.org('spent'), 'Under review', 'ann');
end $$;
select pg_temp.answers(
    pg_temp.tell('refund.created', pg_temp.refund('spent', '{"amount": 5000}')),
    '{"outcome": "processed", "reversed_pence": 5000, "balance_before": -400, "balance_after": -5400}',
    'a reversal goes below the debt limit, on a frozen wallet too'
);
select is(
    (select total_spent_pence from wallet.organizations where id = pg_temp.org('spent')), 5400::bigint,
    'and is no spending'
);

-- Exactly 249,999,999,999.4999999999995.
do $$ begin perform pg_temp.pay('large', 999999999997, 999999999999); end $$;
select pg_temp.answers(
    pg_temp.tell('refund.created', pg_temp.refund('large', '{"amount": 250000000000}')),
    '{"outcome": "processed", "reversed_pence": 249999999999}',
    'the share of a large payment is rounded once'
);

-- Called with nothing new to say, it writes nothing.
create temporary table before_calls as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.reverse_topup(t, 'Nothing new'), '{"success": true, "outcome": "processed", "reversed_pence": 5000}',
    'it answers how things stand'
)
from wallet.topups as t
where org_id = pg_temp.org('spent');
select is(pg_temp.everything(), state, 'and writes nothing while nothing is new') from before_calls;

select pg_temp.books_are_right();

select * from finish();
rollback;
