begin;
select plan(68);

create temporary table expected (type, directions) as
values
('topup', array['credit']),
('bonus', array['credit']),
('refund', array['credit']),
('adjustment', array['credit', 'debit']),
('call_deduction', array['debit']),
('sms_deduction', array['debit']),
('knowledge_base_deduction', array['debit']),
('phone_provisioning', array['debit']),
('phone_number', array['debit']),
('did', array['debit']),
('license', array['debit']),
('topup_reversal', array['credit', 'debit']),
('gift', array[]::text[]),
('TOPUP', array[]::text[]),
('', array[]::text[]);

-- The table's CHECK itself, taken from the catalog and asked about each pair, each in its column's own type.
create function pg_temp.check_allows(p_type text, p_direction text) returns boolean
language plpgsql
as $$
declare
    v_allowed boolean;
begin
    execute format(
        'select %s from (select (jsonb_populate_record(null::wallet.credit_transactions, $1)).*) as entry',
        (
            select pg_get_expr(conbin, conrelid)
            from pg_constraint
            where
                conrelid = 'wallet.credit_transactions'::regclass
                and conname = 'credit_transactions_type_direction_check'
        )
    )
    into v_allowed
    using jsonb_build_object('type', p_type, 'direction', p_direction);
    return v_allowed;
exception when check_violation then
    return false;  -- the column's type refuses it already
end;
$$;

create function pg_temp.entry_type_is_accepted(p_type text, p_direction text) returns boolean
language plpgsql
as $$
begin
    perform wallet.check_entry_type(p_type, p_direction);
    return true;
exception when sqlstate 'WL003' or sqlstate 'WL004' or sqlstate 'WL006' then
    return false;
end;
$$;

select results_eq(
    format(
        'values (pg_temp.check_allows(%1$L, %2$L), pg_temp.entry_type_is_accepted(%1$L, %2$L))', type, direction
    ),
    format('values (%1$L::boolean, %1$L::boolean)', direction = any(directions)),
    format('%L as a %L is %s', type, direction, case when direction = any(directions) then 'an entry' else 'none' end)
)
from expected, unnest(array['credit', 'debit', 'up', '']) as direction;

select is(
    coalesce(wallet.entry_directions(type), '{}'), directions, format('entry_directions says the same of %L', type)
)
from expected
where cardinality(directions) <> 1;

-- A column of a domain counts as one of the domain's own type.
create temporary table column_type as
select
    a.attrelid,
    a.attname,
    coalesce(nullif(t.typbasetype, 0), t.oid)::regtype as base
from pg_attribute as a
inner join pg_type as t on t.oid = a.atttypid
inner join pg_class as c on c.oid = a.attrelid
where c.relnamespace = 'wallet'::regnamespace and c.relkind = 'r' and a.attnum > 0;

select is_empty(
    $$
        select attrelid::regclass, attname, base
        from pg_temp.column_type
        where
            base in ('numeric'::regtype, 'real'::regtype, 'double precision'::regtype, 'money'::regtype)
            and (attrelid, attname) not in (
                ('wallet.prices'::regclass, 'unit_price'),
                ('wallet.exchange_rates'::regclass, 'rate'),
                ('wallet.call_settings'::regclass, 'reliability_alert_percent')
            )
    $$,
    'no money is numeric or a float: prices and rates are what money is computed from'
);
select is_empty(
    $$
        select attrelid::regclass, attname, base
        from pg_temp.column_type
        where attname like '%\_pence' and base not in ('bigint'::regtype, 'bigint[]'::regtype)
    $$,
    'every amount in pence is a bigint'
);
select is_empty(
    $$
        select conrelid::regclass, conname from pg_constraint
        where connamespace = 'wallet'::regnamespace and not convalidated
    $$,
    'every constraint is validated'
);

select * from finish();
rollback;
