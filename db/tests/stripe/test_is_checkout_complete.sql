begin;
select plan(31);
\ir ../support.sql
\ir events.sql

-- The payment intent once a payment of this kind was refused. It names the top-up that was started here.
create function pg_temp.refused(p_payment_method text) returns jsonb
language sql
return jsonb_set(
    pg_temp.intent(
        'acme',
        jsonb_build_object(
            'amount_received', 0,
            'status', 'requires_payment_method',
            'last_payment_error', jsonb_build_object(
                'code', 'payment_declined',
                'message', 'No money.',
                'payment_method', jsonb_build_object('type', p_payment_method)
            )
        )
    ),
    '{metadata,topup_id}',
    to_jsonb(pg_temp.org('topup'))
);

-- A checkout, told in any order: a card that was declined, then a bank debit, which ends days later.
create function pg_temp.told(p_step text) returns void
language sql
as $$
    select case p_step
        when 'card declined' then pg_temp.tell('payment_intent.payment_failed', pg_temp.refused('card'))
        when 'debit failed' then pg_temp.tell('payment_intent.payment_failed', pg_temp.refused('bacs_debit'))
        when 'completed' then pg_temp.tell(
            'checkout.session.completed', pg_temp.session('acme', '{"payment_status": "unpaid"}')
        )
        when 'failed' then pg_temp.tell(
            'checkout.session.async_payment_failed', pg_temp.session('acme', '{"payment_status": "unpaid"}')
        )
        when 'arrived' then pg_temp.tell('checkout.session.async_payment_succeeded', pg_temp.session('acme'))
    end
$$;

-- What the top-up says once all of it was told; it was started here, or by a backend of which we know nothing.
create function pg_temp.status_after(p_steps text[], p_started_here boolean) returns text
language plpgsql
as $$
declare
    v_step text;
    v_status text;
begin
    perform pg_temp.open_wallet('acme');
    if p_started_here then
        insert into wallet.topups (
            org_id, id, kind, amount_pence, price_pence, currency, stripe_checkout_session_id, stripe_request,
            checkout_url, expires_at
        )
        values (
            pg_temp.org('acme'), pg_temp.org('topup'), 'wallet_topup', 5000, 5000, 'gbp', 'cs_1', '{}',
            'https://checkout.example/cs_1', now() + interval '1 day'
        );
    end if;
    foreach v_step in array p_steps loop
        perform pg_temp.told(v_step);
    end loop;
    select string_agg(status, ', ') into v_status from wallet.topups where org_id = pg_temp.org('acme');
    raise exception using errcode = 'ZZ001', message = v_status;
exception
    when sqlstate 'ZZ001' then
        return sqlerrm;
end;
$$;

select is(
    pg_temp.status_after(steps, started_here),
    case when 'arrived' = any(steps) then 'paid' when 'failed' = any(steps) then 'failed' else 'pending' end,
    format('%s%s', array_to_string(steps, ', '), case when started_here then ' (started here)' end)
)
from
    (
        select pg_temp.permutations(array['card declined', 'completed']) as steps
        union all
        select pg_temp.permutations(array['card declined', 'completed', 'arrived'])
        union all
        select pg_temp.permutations(array['card declined', 'completed', 'failed'])
    ) as orders,
    (values (true), (false)) as started (started_here);

select is(
    pg_temp.status_after(array['card declined'], started_here), 'failed', 'until then, a declined card is how it stands'
)
from (values (true), (false)) as started (started_here);
select is(
    pg_temp.status_after(array['completed', 'debit failed'], true), 'failed',
    'a bank debit that failed is told by its payment intent, too'
);

select * from finish();
rollback;
