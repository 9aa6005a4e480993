begin;
select plan(14);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('tokyo', 5000, 0, 'jpy');
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'v', 0, 0, 1300);
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 5000, 'topup', 'pi_1');
    alter table wallet.credit_transactions disable trigger refuse_row_change;
    update wallet.credit_transactions
    set created_at = '2026-05-01 12:00+00'::timestamptz + entry_number * interval '1 minute'
    where org_id = pg_temp.org('acme');
    alter table wallet.credit_transactions enable always trigger refuse_row_change;
end $$;

select pg_temp.answers(
    wallet.balance_at(pg_temp.org('acme'), moment::timestamptz),
    jsonb_build_object('success', true, 'balance_pence', balance, 'balance_formatted', formatted),
    format('%s the balance is %s', phrase, formatted)
)
from (
    values
    ('-infinity', 'at the beginning of time', 0, '£0.00'),
    ('2026-05-01 12:00:59.999999+00', 'a microsecond before the first entry', 0, '£0.00'),
    ('2026-05-01 12:01:00+00', 'at the very moment of the first entry', 1000, '£10.00'),
    ('2026-05-01 12:01:30+00', 'between first and second', 1000, '£10.00'),
    ('2026-05-01 12:01:59.999999+00', 'a microsecond before the second', 1000, '£10.00'),
    ('2026-05-01 12:02:00+00', 'at the moment of the second', -300, '-£3.00'),
    ('2026-05-01 14:03:00+02', 'at the moment of the third, told in another time zone,', 4700, '£47.00'),
    ('2100-01-01 00:00+00', 'in the far future', 4700, '£47.00'),
    ('infinity', 'at the end of time', 4700, '£47.00')
) as asked (moment, phrase, balance, formatted);

select pg_temp.answers(
    wallet.balance_at(pg_temp.org('tokyo'), 'infinity'),
    '{"success": true, "balance_pence": 5000, "balance_formatted": "¥5,000"}',
    'a wallet in yen shows yen'
);
select is(
    wallet.balance_at(pg_temp.org('acme'), clock_timestamp()) -> 'balance_pence',
    to_jsonb(pg_temp.balance(pg_temp.org('acme'))),
    'now it is the stored balance'
);
select pg_temp.answers(
    wallet.balance_at(pg_temp.org('nobody'), now()), '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select pg_temp.raises(
    'select wallet.balance_at(null, now())', 'WL001', 'org_id', 'an organization is required'
);
select pg_temp.raises(
    'select wallet.balance_at(pg_temp.org(''acme''), null)', 'WL001', 'at', 'a moment is required'
);

select * from finish();
rollback;
