begin;
select plan(4);

select lives_ok(
    format('select wallet.require_topup_currency(jsonb_populate_record(null::wallet.topups, %L), %L)', topup, currency),
    format('%s is in the currency of %s', currency, topup)
)
from (values ('{"currency": "gbp"}', 'gbp'), ('{"currency": "gbp"}', 'GBP')) as same (topup, currency);
select throws_ok(
    format('select wallet.require_topup_currency(jsonb_populate_record(null::wallet.topups, %L), %L)', topup, currency),
    'WL011', 'This is in eur, its top-up in gbp.', 'another currency is for a person to see'
)
from (values ('{"currency": "gbp"}', 'eur')) as other (topup, currency);

create function pg_temp.code() returns text
language plpgsql
as $$
declare
    v_code text;
begin
    perform wallet.require_topup_currency(jsonb_populate_record(null::wallet.topups, '{"currency": "gbp"}'), 'eur');
    return null;
exception when sqlstate 'WL011' then
    get stacked diagnostics v_code = pg_exception_detail;
    return v_code;
end;
$$;
select is(pg_temp.code(), 'currency_mismatch', 'as a currency mismatch');

select * from finish();
rollback;
