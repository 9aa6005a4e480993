begin;
select plan(1);

select is(
    wallet.ignore_event('It is not ours.'),
    '{"success": true, "outcome": "ignored", "message": "It is not ours."}'::jsonb,
    'an ignored event is a success that says why nothing was done'
);

select * from finish();
rollback;
