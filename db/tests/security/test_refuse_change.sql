begin;
select plan(13);

select has_trigger('wallet', table_name, trigger_name, format('%s has %s', table_name, trigger_name))
from
    unnest(
        array['credit_transactions', 'organization_changes', 'prices', 'exchange_rates', 'gate_limits']
    ) as table_name,
    unnest(array['refuse_row_change', 'refuse_truncate']) as trigger_name;
select is_empty(
    $$
        select tgrelid::regclass, tgname from pg_trigger
        where tgfoid = 'wallet.refuse_change'::regproc and tgenabled <> 'A'
    $$,
    'they fire always, also while a session plays back replicated changes'
);
select results_eq(
    $$
        select bit_or(tgtype & 56)::integer from pg_trigger
        where tgfoid = 'wallet.refuse_change'::regproc
        group by tgrelid
    $$,
    array[56, 56, 56, 56, 56],
    'together they stand before update, delete and truncate'
);
select throws_ok(
    'truncate wallet.credit_transactions', 'WL008',
    'wallet.credit_transactions is append-only: truncate refused',
    'the error names the table and what was refused'
);

select * from finish();
rollback;
