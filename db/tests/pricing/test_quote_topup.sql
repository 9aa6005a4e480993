begin;
select plan(15);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.open_wallet('globex');
    perform pg_temp.open_wallet('boston', p_currency => 'usd');
    perform pg_temp.open_wallet('tokyo', p_currency => 'jpy');
    perform pg_temp.open_wallet('berlin', p_currency => 'eur');
    perform wallet.set_exchange_rate('usd', 'jpy', 150, 'ann');
    perform wallet.set_exchange_rate('usd', 'gbp', 0.8, 'ann', p_org_id => pg_temp.org('globex'));
end $$;
create temporary table before as select pg_temp.everything() as state;

select is(
    wallet.quote_topup(2500),
    '{
        "success": true, "charge_pence": 1975, "credit_pence": 1975, "currency": "gbp", "charge_formatted": "£19.75",
        "usd_cents": 2500, "usd_formatted": "$25.00", "exchange_rate": 0.79
    }',
    '$25 is £19.75'
);
select pg_temp.answers(
    wallet.quote_topup(cents), jsonb_build_object('charge_pence', pence, 'credit_pence', pence),
    format('%s cents are %s pence, to the nearest', cents, pence)
)
from (values (1, 1), (50, 40), (99, 78), (101, 80)) as quote (cents, pence);
select pg_temp.answers(
    wallet.quote_topup(2500, pg_temp.org('acme')), '{"charge_pence": 1975, "currency": "gbp"}',
    'a wallet is quoted in its currency'
);
select pg_temp.answers(
    wallet.quote_topup(2500, pg_temp.org('globex')), '{"charge_pence": 2000, "exchange_rate": 0.8}',
    'at its own rate where it has one'
);
select pg_temp.answers(
    wallet.quote_topup(2500, pg_temp.org('boston')),
    '{"charge_pence": 2500, "currency": "usd", "charge_formatted": "$25.00", "exchange_rate": 1}',
    'a wallet in dollars pays what it sees'
);
select pg_temp.answers(
    wallet.quote_topup(2500, pg_temp.org('tokyo')),
    '{"charge_pence": 3750, "currency": "jpy", "charge_formatted": "¥3,750"}',
    'one in yen pays whole yen'
);
select pg_temp.answers(
    wallet.quote_topup(2500, pg_temp.org('berlin')),
    '{"success": false, "error": "exchange_rate_not_found", "from_currency": "usd", "to_currency": "eur"}',
    'without a rate there is no quote'
);
select pg_temp.answers(
    wallet.quote_topup(2500, pg_temp.org('nobody')), '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select pg_temp.raises('select wallet.quote_topup(null)', 'WL001', 'p_usd_cents', 'an amount is required');
select pg_temp.raises('select wallet.quote_topup(0)', 'WL002', 'p_usd_cents', 'of more than nothing');
select pg_temp.raises(
    $$select wallet.quote_topup(9223372036854775807, pg_temp.org('tokyo'))$$, 'WL009', 'p_usd_cents',
    'and no more than bigint holds'
);
select is(pg_temp.everything(), state, 'a quote writes nothing') from before;

select * from finish();
rollback;
