begin;
select plan(26);
\ir ../support.sql

select pg_temp.answers(
    wallet.create_wallet(pg_temp.org('acme'), 'Acme Ltd', 'billing@acme.example', 'gbp', 700),
    jsonb_build_object(
        'success', true, 'duplicate', false, 'org_id', pg_temp.org('acme'), 'balance_pence', 0, 'currency', 'gbp',
        'debt_limit_pence', 700
    ),
    'a new wallet is empty'
);
select pg_temp.answers(
    to_jsonb(o),
    '{
        "name": "Acme Ltd", "email": "billing@acme.example", "currency": "gbp", "wallet_balance_pence": 0,
        "debt_limit_pence": 700, "wallet_low_balance_pence": 500, "wallet_recharge_amount_pence": 5000,
        "wallet_auto_recharge": false, "stripe_customer_id": null, "stripe_default_pm_id": null,
        "reserved_pence": 0, "last_entry_number": 0
    }',
    'its row holds what was given and the defaults'
)
from wallet.organizations as o
where id = pg_temp.org('acme');

select pg_temp.answers(
    wallet.create_wallet(pg_temp.org('defaults')),
    '{"success": true, "duplicate": false, "currency": "gbp", "debt_limit_pence": 500}',
    'an id is enough: pounds and a debt limit of 500'
);

-- An existing wallet is returned unchanged.
do $$
begin
    perform wallet.add_wallet_credits(pg_temp.org('acme'), 5000, 'topup', 'pi_1');
end $$;
create temporary table before_replay as select pg_temp.everything() as state;

select pg_temp.answers(
    wallet.create_wallet(pg_temp.org('acme'), 'Acme Ltd', 'billing@acme.example', 'gbp', 700),
    jsonb_build_object(
        'success', true, 'duplicate', true, 'org_id', pg_temp.org('acme'), 'balance_pence', 5000, 'currency', 'gbp',
        'debt_limit_pence', 700
    ),
    'creating it again answers the wallet as it is'
);
select pg_temp.answers(
    wallet.create_wallet(pg_temp.org('acme'), 'Other', 'other@acme.example', 'eur', 0),
    '{"success": true, "duplicate": true, "balance_pence": 5000, "currency": "gbp", "debt_limit_pence": 700}',
    'also where other settings are given'
);
select is(pg_temp.everything(), state, 'and changes nothing') from before_replay;

-- Boundaries.
select pg_temp.answers(
    wallet.create_wallet(pg_temp.org('no debt'), p_debt_limit_pence => 0),
    '{"success": true, "debt_limit_pence": 0}',
    'a debt limit may be 0'
);
select pg_temp.answers(
    wallet.create_wallet(pg_temp.org('endless'), p_debt_limit_pence => 9223372036854775807),
    '{"success": true, "debt_limit_pence": 9223372036854775807}',
    'or the largest bigint'
);
select pg_temp.answers(
    wallet.create_wallet(pg_temp.org(currency), p_currency => currency),
    jsonb_build_object('success', true, 'currency', currency),
    'a wallet may be in ' || currency
)
from unnest(array['eur', 'usd', 'jpy', 'kwd']) as currency;

-- Misuse.
create temporary table before_misuse as select pg_temp.everything() as state;

select pg_temp.raises('select wallet.create_wallet(null)', 'WL001', 'org_id', 'an organization is required');
select pg_temp.raises(
    $$select wallet.create_wallet(pg_temp.org('new'), p_currency => null)$$, 'WL001', 'currency',
    'a currency is required'
);
select pg_temp.raises(
    format('select wallet.create_wallet(pg_temp.org(%L), p_currency => %L)', 'new', currency), 'WL006', 'currency',
    format('%L is no currency', currency)
)
from unnest(array['GBP', '', 'gb', 'gbpp', E'gbp\n', '£']) as currency;
select pg_temp.raises(
    $$select wallet.create_wallet(pg_temp.org('new'), p_debt_limit_pence => null)$$, 'WL001', 'debt_limit_pence',
    'a debt limit is required'
);
select pg_temp.raises(
    $$select wallet.create_wallet(pg_temp.org('new'), p_debt_limit_pence => -1)$$, 'WL002', 'debt_limit_pence',
    'a debt limit is not negative'
);
select pg_temp.raises(
    $$select wallet.create_wallet(pg_temp.org('acme'), p_debt_limit_pence => -1)$$, 'WL002', 'debt_limit_pence',
    'misuse raises also where the wallet exists'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;

select is_empty($$select from wallet.organizations where id = pg_temp.org('new')$$, 'no wallet came of misuse');
select pg_temp.books_are_right();

select * from finish();
rollback;
