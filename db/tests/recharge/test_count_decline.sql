begin;
select plan(35);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

create function pg_temp.count(
    p_name text, p_decline_code text default 'insufficient_funds', p_advice_code text default null,
    p_card text default null
) returns text
language plpgsql
as $$
begin
    perform wallet.count_decline(
        jsonb_populate_record(
            null::wallet.recharge_attempts,
            jsonb_build_object(
                'org_id', pg_temp.org(p_name), 'stripe_payment_method_id', coalesce(p_card, 'pm_' || p_name),
                'decline_code', p_decline_code
            )
        ),
        p_advice_code
    );
    return (
        select format('%s, %s', declines, coalesce(blocked_because, 'not blocked'))
        from wallet.recharge_settings
        where org_id = pg_temp.org(p_name)
    );
end;
$$;

do $$ begin perform pg_temp.rechargeable('acme'); end $$;
select is(pg_temp.count('acme'), expected, format('decline %s: %s', number, expected))
from (
    values
    (1, '1, not blocked'), (2, '2, not blocked'), (3, '3, the card was declined 3 times in a row')
) as declined (number, expected);
select is(
    (select blocked_payment_method_id from wallet.recharge_settings where org_id = pg_temp.org('acme')), 'pm_acme',
    'it is the card that is blocked'
);
select is(pg_temp.messages('acme', 'auto_recharge_disabled'), 1::bigint, 'which is told');
select is(pg_temp.obstacle('acme'), 'payment_method_blocked', 'and stands in the way of the next recharge');
select is(
    pg_temp.count('acme'), '3, the card was declined 3 times in a row', 'a decline after that changes nothing'
);

-- The number of tries is the wallet's own.
do $$
begin
    perform pg_temp.rechargeable('strict');
    update wallet.recharge_settings set max_declines = 1 where org_id = pg_temp.org('strict');
end $$;
select is(pg_temp.count('strict'), '1, the card was declined 1 times in a row', 'a wallet may give a card one try');

-- A bank may say that it is for good.
create function pg_temp.first_decline(p_decline_code text, p_advice_code text) returns text
language plpgsql
as $$
begin
    perform pg_temp.rechargeable(format('%s, advice %s', p_decline_code, p_advice_code));
    return pg_temp.count(format('%s, advice %s', p_decline_code, p_advice_code), p_decline_code, p_advice_code);
end;
$$;
select is(pg_temp.first_decline(code, null), '1, the card must not be tried again', format('%s is for good', code))
from
    unnest(
        array[
            'expired_card', 'fraudulent', 'invalid_account', 'lost_card', 'merchant_blacklist',
            'new_account_information_available', 'no_action_taken', 'not_permitted', 'pickup_card', 'restricted_card',
            'revocation_of_all_authorizations', 'revocation_of_authorization', 'security_violation', 'stolen_card',
            'stop_payment_order', 'transaction_not_allowed'
        ]
    ) as code;
select is(
    pg_temp.first_decline('generic_decline', 'do_not_try_again'), '1, the card must not be tried again',
    'so is whatever the card network says so of'
);
select is(
    pg_temp.first_decline(code, advice), '1, not blocked',
    format('%s, advised %s, is not', code, coalesce(advice, 'nothing'))
)
from (
    values
    ('insufficient_funds', null), ('do_not_honor', null), ('processing_error', 'try_again_later'),
    ('generic_decline', 'confirm_card_data'), (null, null)
) as soft (code, advice);

-- A decline of a card that isn't charged any more says nothing of the one that is.
do $$
begin
    perform pg_temp.rechargeable('changed');
    perform wallet.keep_payment_method(pg_temp.org('changed'), 'pm_new');
    perform wallet.set_default_payment_method(pg_temp.org('changed'), 'pm_new', 'ann');
end $$;
select is(
    pg_temp.count('changed', 'lost_card'), '0, not blocked', 'a late decline of the former card is not the new one''s'
);
select is(pg_temp.messages('changed', 'auto_recharge_disabled'), 0::bigint, 'and stops nothing');
select is(pg_temp.count('changed', p_card => 'pm_new'), '1, not blocked', 'the new one''s own is');
select is(
    pg_temp.count('changed', 'lost_card', p_card => 'pm_new'), '2, the card must not be tried again',
    'and can still be blocked'
);

-- Elsewhere nothing changes.
do $$
begin
    perform pg_temp.rechargeable(name) from unnest(array['other', 'bystander']) as name;
    perform pg_temp.count('other');
end $$;
select is(
    (select declines from wallet.recharge_settings where org_id = pg_temp.org('bystander')), 0,
    'the declines of one wallet are no other''s'
);

select * from finish();
rollback;
