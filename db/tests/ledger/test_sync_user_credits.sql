begin;
select plan(21);
\ir ../support.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'v', 100, 300, 400);
    perform wallet.check_balance_and_deduct_asset_cost(pg_temp.org('acme'), 50, 'did', 'x', 'did');
    perform pg_temp.open_wallet('globex', 700);
end $$;
create temporary table original as
select to_jsonb(o) - 'updated_at' as organization from wallet.organizations as o where id = pg_temp.org('acme');

select pg_temp.answers(
    wallet.sync_user_credits(pg_temp.org('acme')),
    jsonb_build_object('success', true, 'org_id', pg_temp.org('acme'), 'balance_pence', 550, 'changed', '{}'::jsonb),
    'a wallet that is right is left as it is'
);
select is(to_jsonb(o) - 'updated_at', organization, 'nothing about it changes')
from original, wallet.organizations as o
where o.id = pg_temp.org('acme');

-- Each stored figure is found, told and mended.
create function pg_temp.spoil(p_column text, p_value text) returns void
language plpgsql
as $$
begin
    execute format('update wallet.organizations set %I = %L where id = $1', p_column, p_value)
    using pg_temp.org('acme');
end;
$$;

create function pg_temp.mended(p_column text, p_value text) returns jsonb
language plpgsql
as $$
begin
    perform pg_temp.spoil(p_column, p_value);
    return wallet.sync_user_credits(pg_temp.org('acme')) -> 'changed';
end;
$$;

select is(
    pg_temp.mended(figure, '123456'),
    jsonb_build_object(figure, jsonb_build_object('before', 123456, 'after', organization -> figure)),
    format('a wrong %s is mended and reported', figure)
)
from
    original,
    unnest(
        array[
            'wallet_balance_pence', 'total_topped_up_pence', 'total_spent_pence', 'total_profit_pence', 'total_calls'
        ]
    ) as figure;

-- An end of the chain that is not the ledger's may mean that entries are gone.
create function pg_temp.refused(p_column text, p_value text) returns text
language plpgsql
as $$
declare
    v_error text;
begin
    perform pg_temp.spoil(p_column, p_value);
    v_error := wallet.sync_user_credits(pg_temp.org('acme')) ->> 'error';
    perform pg_temp.spoil(p_column, (select organization ->> p_column from original));
    return v_error;
end;
$$;

select is(pg_temp.refused(figure, value), 'ledger_inconsistent', format('a wrong %s is refused', figure))
from (
    values
    ('last_entry_number', '123456'),
    ('last_entry_hash', '\x' || repeat('ab', 32)),
    ('last_entry_at', '2020-01-01')
) as wrong (figure, value);
select is(to_jsonb(o) - 'updated_at', organization, 'then the row is as it was')
from original, wallet.organizations as o
where o.id = pg_temp.org('acme');
select pg_temp.books_are_right();

-- Charges go on from the mended row.
select pg_temp.answers(
    wallet.deduct_call_credits(pg_temp.org('acme'), 'call_2', 'v', 0, 0, 50),
    '{"success": true, "balance_before": 550, "balance_after": 500, "entry_number": 4}',
    'the next entry stands on the mended balance'
);
select is(pg_temp.balance(pg_temp.org('globex')), 700::bigint, 'other wallets are not touched');

-- An empty ledger is a balance of 0.
do $$
begin
    perform pg_temp.open_wallet('empty');
    update wallet.organizations set wallet_balance_pence = 77 where id = pg_temp.org('empty');
end $$;
select pg_temp.answers(
    wallet.sync_user_credits(pg_temp.org('empty')),
    '{"success": true, "balance_pence": 0, "changed": {"wallet_balance_pence": {"before": 77, "after": 0}}}',
    'a wallet without entries holds nothing'
);
select pg_temp.answers(
    wallet.sync_user_credits(pg_temp.org('nobody')),
    '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select pg_temp.raises(
    'select wallet.sync_user_credits(null)', 'WL001', 'org_id', 'an organization is required'
);
select pg_temp.books_are_right();

-- A ledger that was tampered with is not a source to repair from.
do $$
begin
    alter table wallet.credit_transactions disable trigger refuse_row_change;
    update wallet.credit_transactions set amount_pence = 2000, balance_after_pence = 2000
    where org_id = pg_temp.org('acme') and entry_number = 1;
    alter table wallet.credit_transactions enable always trigger refuse_row_change;
end $$;
create temporary table before_refusal as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.sync_user_credits(pg_temp.org('acme')),
    '{"success": false, "error": "ledger_inconsistent"}',
    'a ledger that contradicts itself is refused, for a person to look at'
);
select is(pg_temp.everything(), state, 'and nothing is written then') from before_refusal;

-- So is what the calls of a wallet hold and owe.
do $$
begin
    perform pg_temp.open_wallet('caller', 1000);
    perform wallet.reserve_call_credits(pg_temp.org('caller'), 'under way');
    perform wallet.bill_call(pg_temp.org('caller'), 'owing', 7200);
    update wallet.organizations set reserved_pence = 3, owed_pence = 4, has_calls = false
    where id = pg_temp.org('caller');
end $$;
select is(
    wallet.sync_user_credits(pg_temp.org('caller')) -> 'changed',
    '{
        "reserved_pence": {"before": 3, "after": 277}, "owed_pence": {"before": 4, "after": 5413},
        "has_calls": {"before": false, "after": true}
    }',
    'what is reserved and owed, and whether there are calls, is mended'
);

select * from finish();
rollback;
