begin;
select plan(19);
\ir ../support.sql
\ir ../stripe/events.sql
\ir checkouts.sql

-- What a checkout credits is what its row says, whatever was paid in tax or by plan, and only if it was paid in full.
do $$ begin perform wallet.set_topup_plan('big', 'Big', 'gbp', 4500, 5000, 'ann', 250); end $$;

-- A top-up by plan, and the objects that Stripe would make of its request.
create function pg_temp.checkout(p_name text) returns jsonb
language plpgsql
as $$
declare
    v_begun jsonb;
begin
    perform pg_temp.customer(p_name);
    v_begun := pg_temp.begin(p_name, null, null, 'big');
    perform pg_temp.attach(v_begun);
    return v_begun;
end;
$$;

create function pg_temp.paid_session(p_name text, p_begun jsonb, p_changes jsonb default '{}') returns jsonb
language sql
return pg_temp.session(
    p_name,
    jsonb_build_object(
        'id', 'cs_' || (p_begun ->> 'topup_id'), 'payment_intent', 'pi_' || p_name, 'customer', 'cus_' || p_name,
        'amount_subtotal', 4500, 'amount_total', 4500, 'metadata', p_begun #> '{request,params,metadata}'
    )
    || p_changes
);

create function pg_temp.paid_intent(p_name text, p_begun jsonb, p_changes jsonb default '{}') returns jsonb
language sql
return pg_temp.intent(
    p_name,
    jsonb_build_object(
        'id', 'pi_' || p_name, 'customer', 'cus_' || p_name, 'amount', 4500, 'amount_received', 4500,
        'metadata', p_begun #> '{request,params,payment_intent_data,metadata}'
    )
    || p_changes
);

create function pg_temp.entries_of(p_name text) returns text
language sql stable
return (
    select coalesce(string_agg(type || ' ' || amount_pence, ', ' order by entry_number), 'none')
    from wallet.credit_transactions
    where org_id = pg_temp.org(p_name)
);

-- Either event alone, both in either order, with tax and without: the same entries.
create function pg_temp.told(p_name text, p_events text[], p_tax bigint) returns text
language plpgsql
as $$
declare
    v_begun constant jsonb := pg_temp.checkout(p_name);
    v_event text;
begin
    foreach v_event in array p_events loop
        if v_event = 'session' then
            perform pg_temp.tell(
                'checkout.session.completed',
                pg_temp.paid_session(
                    p_name, v_begun,
                    jsonb_build_object(
                        'amount_total', 4500 + p_tax, 'total_details', jsonb_build_object('amount_tax', p_tax)
                    )
                )
            );
        else
            perform pg_temp.tell(
                'payment_intent.succeeded',
                pg_temp.paid_intent(p_name, v_begun, jsonb_build_object('amount_received', 4500 + p_tax))
            );
        end if;
    end loop;
    return pg_temp.entries_of(p_name);
end;
$$;

select is(
    pg_temp.told(format('%s, tax %s', events, tax), events, tax), 'topup 5000, bonus 250',
    format('told by %s, with a tax of %s, a plan credits what it says', array_to_string(events, ' and '), tax)
)
from
    (
        values
        (array['session']), (array['intent']), (array['session', 'intent']), (array['intent', 'session'])
    ) as told (events),
    unnest(array[0, 900]) as tax;

-- Paid in part, in another currency, or with a price that isn't the row's: for a person to see.
select pg_temp.answers(
    pg_temp.tell(type, object), jsonb_build_object('success', false, 'outcome', 'failed', 'error', error), what
)
from (
    values
    (
        'checkout.session.completed',
        pg_temp.paid_session('less', pg_temp.checkout('less'), '{"amount_total": 4499}'),
        'amount_mismatch', 'a session of less than the price credits nothing'
    ),
    (
        'checkout.session.completed',
        pg_temp.paid_session('more', pg_temp.checkout('more'), '{"amount_total": 4501}'),
        'amount_mismatch', 'nor does one of more'
    ),
    (
        'payment_intent.succeeded',
        pg_temp.paid_intent('short', pg_temp.checkout('short'), '{"amount_received": 4499}'),
        'amount_mismatch', 'nor does a payment intent of less'
    ),
    (
        'checkout.session.completed',
        pg_temp.paid_session('dollars', pg_temp.checkout('dollars'), '{"currency": "usd"}'),
        'currency_mismatch', 'nor does another currency'
    )
) as told (type, object, error, what);
select is(
    string_agg(pg_temp.entries_of(name), ', '), 'none, none, none, none', 'none of them has'
)
from unnest(array['less', 'more', 'short', 'dollars']) as name;

-- The metadata of a payment is not believed where the row says otherwise.
select pg_temp.answers(
    pg_temp.tell(
        'payment_intent.succeeded',
        pg_temp.paid_intent(
            'forged', begun,
            jsonb_build_object('metadata', (begun #> '{request,params,metadata}') || '{"amount_pence": "9"}')
        )
    ),
    '{"success": true, "amount_pence": 5000}',
    'what is credited is what the row says'
)
from (select pg_temp.checkout('forged') as begun) as checkout;

-- The card is kept, for recharges.
select is(
    (select stripe_default_pm_id from wallet.organizations where id = pg_temp.org('{intent}, tax 0')), 'pm_1',
    'the card that paid is kept for recharges'
);

-- A bank debit: the session completes, the money comes days later.
create temporary table debit as select pg_temp.checkout('debit') as begun;
select pg_temp.answers(
    pg_temp.tell('checkout.session.completed', pg_temp.paid_session('debit', begun, '{"payment_status": "unpaid"}')),
    '{"success": true, "outcome": "pending"}',
    'a bank debit credits nothing when its page is left'
)
from debit;
select pg_temp.answers(
    pg_temp.begin('debit', null, null, 'big'), '{"success": true, "duplicate": false}',
    'its page is closed then, the same wish is another top-up'
);
select pg_temp.answers(
    pg_temp.tell('checkout.session.async_payment_succeeded', pg_temp.paid_session('debit', begun)),
    '{"success": true, "balance_after": 5250}',
    'the money is credited when it comes'
)
from debit;

select pg_temp.books_are_right();

select * from finish();
rollback;
