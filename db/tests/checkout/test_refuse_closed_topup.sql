begin;
select plan(1);
\ir ../support.sql

select is(
    wallet.refuse_closed_topup(
        jsonb_populate_record(
            null::wallet.topups,
            jsonb_build_object('id', pg_temp.org('top-up'), 'status', 'paid', 'request_key', 'click')
        )
    ),
    jsonb_build_object(
        'success', false, 'error', 'topup_closed',
        'message', 'This top-up can no longer be paid; another one needs another request key.',
        'request_key', 'click', 'topup_id', pg_temp.org('top-up'), 'status', 'paid'
    ),
    'a closed top-up is refused with what became of it'
);

select * from finish();
rollback;
