begin;
select plan(20);
\ir ../support.sql
\ir ../stripe/events.sql

do $$
begin
    perform pg_temp.open_wallet('acme', 1000);
    perform wallet.deduct_call_credits(pg_temp.org('acme'), 'call_1', 'v', 100, 300, 400);
    perform pg_temp.deliver('evt_1', 'checkout.session.completed', pg_temp.session('acme'));
    perform pg_temp.open_wallet('empty');
    perform pg_temp.open_wallet('globex', 700);
end $$;

select is_empty('select * from wallet.validate_credits_consistency()', 'honest books have no finding');

-- Does something behind the functions' back, tells the findings, and undoes it.
create function pg_temp.findings(p_statement text) returns text[]
language plpgsql
as $$
declare
    v_findings text[];
begin
    begin
        alter table wallet.credit_transactions disable trigger all;
        execute p_statement;
        select array_agg(concat_ws(' ', problem, expected, actual) order by problem) into v_findings
        from wallet.validate_credits_consistency()
        where org_id = pg_temp.org('acme');
        raise exception 'undone' using errcode = 'T0001';
    exception when sqlstate 'T0001' then
        null;
    end;
    return v_findings;
end;
$$;

select is(
    pg_temp.findings(
        format('update wallet.organizations set %I = 123456 where id = pg_temp.org(''acme'')', figure)
    ),
    array[concat_ws(' ', figure, expected, 123456)],
    format('a wrong %s is found, with what it should be', figure)
)
from (
    values
    ('wallet_balance_pence', 5600),
    ('total_topped_up_pence', 6000),
    ('total_spent_pence', 400),
    ('total_profit_pence', 300),
    ('total_calls', 1),
    ('last_entry_number', 3)
) as kept (figure, expected);
-- A call under way and one that owes.
create function pg_temp.findings_with_calls(p_statement text) returns text[]
language sql
as $$
    select pg_temp.findings(
        format(
            'select wallet.reserve_call_credits(id, ''under way''),
                    wallet.bill_call(id, ''owing'', 7200),
                    wallet.bill_call(id, ''free'', 0)
             from wallet.organizations
             where id = pg_temp.org(''acme'')'
        ) || '; ' || p_statement
    )
$$;
select is(pg_temp.findings_with_calls('select 1'), null, 'calls under way, owing and free are no finding');
select is(
    pg_temp.findings_with_calls(
        format('update wallet.organizations set %I = %L where id = pg_temp.org(''acme'')', figure, wrong)
    ),
    array[concat_ws(' ', figure, expected, wrong)],
    format('a wrong %s is found', figure)
)
from (
    values
    ('reserved_pence', '277', '276'),
    ('owed_pence', '813', '0'),
    ('has_calls', 'true', 'false')
) as kept (figure, expected, wrong);
select is(
    pg_temp.findings_with_calls(
        'update wallet.calls set charged_pence = charged_pence - 1, cost_pence = cost_pence - 1
         where call_id = ''owing'''
    ),
    array['call_charged 5823 for call owing 5822 for call owing'],
    'a call whose entries add up to something else is found'
);

select is(
    pg_temp.findings($$
        delete from wallet.credit_transactions where org_id = pg_temp.org('acme') and entry_number = 3
    $$),
    array[
        'last_entry_number 2 3', 'topup_not_credited an entry of 5000 with key topup:pi_1 none',
        'total_topped_up_pence 1000 6000', 'wallet_balance_pence 600 5600'
    ],
    'the last entry deleted: balance, total, number and the paid top-up without a credit'
);
select is(
    pg_temp.findings($$
        delete from wallet.credit_transactions where org_id = pg_temp.org('acme') and entry_number = 2
    $$),
    array[
        'entry_count 3 2', 'total_calls 0 1', 'total_profit_pence 0 300', 'total_spent_pence 0 400',
        'wallet_balance_pence 6000 5600'
    ],
    'an entry deleted from the middle is a gap too'
);
select is(
    pg_temp.findings($$
        update wallet.credit_transactions set amount_pence = 5001, balance_after_pence = 5601
        where org_id = pg_temp.org('acme') and entry_number = 3
    $$),
    array[
        'topup_not_credited an entry of 5000 with key topup:pi_1 5001', 'total_topped_up_pence 6001 6000',
        'wallet_balance_pence 5601 5600'
    ],
    'a credit that isn''t its top-up''s amount is found'
);
select is(
    pg_temp.findings($$
        delete from wallet.credit_transactions where org_id = pg_temp.org('acme')
    $$) @> array['wallet_balance_pence 0 5600'],
    true,
    'a whole ledger deleted is found'
);
select is(
    (
        select count(*)::integer from wallet.validate_credits_consistency()
        where org_id = pg_temp.org('globex')
    ),
    0,
    'an honest wallet has no finding'
);

do $$
begin
    alter table wallet.organizations disable trigger all;
    alter table wallet.topups disable trigger all;
    alter table wallet.credit_transactions disable trigger all;
    delete from wallet.organizations where id = pg_temp.org('globex');
    alter table wallet.credit_transactions enable trigger all;
end $$;
select results_eq(
    'select org_id, problem from wallet.validate_credits_consistency()',
    $$values (pg_temp.org('globex'), 'organization_missing')$$,
    'entries without an organization are found'
);
select is(
    (select count(*)::integer from wallet.validate_credits_consistency() where org_id = pg_temp.org('empty')), 0,
    'a wallet without entries is right with a balance of 0'
);
update wallet.organizations set wallet_balance_pence = 1 where id = pg_temp.org('empty');
select is(
    (
        select concat_ws(' ', problem, expected, actual) from wallet.validate_credits_consistency()
        where org_id = pg_temp.org('empty')
    ),
    'wallet_balance_pence 0 1',
    'and wrong with any other'
);

select * from finish();
rollback;
