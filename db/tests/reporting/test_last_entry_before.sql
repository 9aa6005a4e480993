begin;
select plan(12);
\ir ../support.sql

-- Entries 1 to 6 at full minutes of one hour, 3 and 4 at the same microsecond.
do $$
begin
    perform pg_temp.open_wallet('empty');
    perform pg_temp.open_wallet('acme');
    for v_entry in 1 .. 6 loop
        perform wallet.add_wallet_credits(pg_temp.org('acme'), v_entry, 'bonus', p_idempotency_key => v_entry::text);
    end loop;
    alter table wallet.credit_transactions disable trigger refuse_row_change;
    update wallet.credit_transactions
    set created_at = '2026-05-01 12:00+00'::timestamptz + (array[1, 2, 3, 3, 5, 6])[entry_number] * interval '1 minute'
    where org_id = pg_temp.org('acme');
    alter table wallet.credit_transactions enable always trigger refuse_row_change;
end $$;

select is(
    wallet.last_entry_before(pg_temp.org('acme'), moment::timestamptz), entry_number,
    format('before %s the last entry is %s', moment, entry_number)
)
from (
    values
    ('-infinity', 0::bigint),
    ('2026-05-01 12:01:00+00', 0),
    ('2026-05-01 12:01:00.000001+00', 1),
    ('2026-05-01 12:02:30+00', 2),
    ('2026-05-01 12:03:00+00', 2),
    ('2026-05-01 12:03:00.000001+00', 4),
    ('2026-05-01 12:05:00+00', 4),
    ('2026-05-01 12:06:00+00', 5),
    ('2026-05-01 12:06:00.000001+00', 6),
    ('infinity', 6)
) as asked (moment, entry_number);
select is(
    wallet.last_entry_before(pg_temp.org('empty'), 'infinity'), 0::bigint, 'a wallet without entries has none'
);
select is(
    wallet.last_entry_before(pg_temp.org('nobody'), 'infinity'), 0::bigint,
    'a wallet that isn''t there has none'
);

select * from finish();
rollback;
