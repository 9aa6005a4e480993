begin;
select plan(2);

select lives_ok(
    'select wallet.sms_statuses()::wallet.sms_status[]', 'the table can hold each status that Twilio may tell'
);
select matches(
    pg_get_constraintdef(oid),
    (select string_agg(format('(?=.*''%s'')', s), '' order by s) from unnest(wallet.sms_statuses()) as s),
    'and no status of the table is missing'
)
from pg_constraint
where
    conname = 'sms_status_check'
    and regexp_count(pg_get_constraintdef(oid), '''[a-z]+''') = cardinality(wallet.sms_statuses());

select * from finish();
rollback;
