begin;
select plan(17);
\ir ../support.sql
\ir reports.sql

create function pg_temp.note(p_answer jsonb, p_source text default 'webhook', p_seconds numeric default 91)
returns boolean
language sql
as $$
    select wallet.note_billing(
        wallet.read_call_report(pg_temp.call('one', p_seconds, pg_temp.metadata('acme', 'call-1'))), p_source, p_answer
    )
$$;

create temporary table refusal as select wallet.refuse('no_luck', 'It did not work.') as answer;

select is(pg_temp.note('{"success": true}'), false, 'a call that is billed is no news');
select is(pg_temp.unbilled('one'), null, 'and not kept');

select ok(pg_temp.note(answer, 'reconciliation'), 'one that is not billed is news') from refusal;
select pg_temp.answers(
    pg_temp.unbilled('one'),
    '{"error_code": "no_luck", "error_message": "It did not work.", "attempts": 1, "billed_at": null}',
    'and kept with the reason'
);
select is(
    pg_temp.unbilled('one') ->> 'told_by', 'reconciliation', 'and with who told of it'
);
select is(
    wallet.read_call_report(pg_temp.unbilled('one') -> 'report'),
    wallet.read_call_report(pg_temp.call('one', 91, pg_temp.metadata('acme', 'call-1'))),
    'and all that billing needs'
);
select is(
    (
        select count(*) from jsonb_object_keys(pg_temp.unbilled('one') -> 'report') as key
        where key in ('transcript', 'messages', 'customer', 'artifact', 'analysis', 'recordingUrl')
    ),
    0::bigint,
    'but nothing that was said'
);

select is(pg_temp.note(wallet.refuse('no_luck_again', 'Nor this time.'), p_seconds => 30), false, 'once');
select pg_temp.answers(
    pg_temp.unbilled('one'), '{"error_code": "no_luck_again", "error_message": "Nor this time.", "attempts": 2}',
    'the last reason counts'
);
select is(pg_temp.unbilled('one') ->> 'told_by', 'webhook', 'the webhook has told of it now');
select is(pg_temp.unbilled('one') #> '{report,durationSeconds}', '30', 'the last report too');
select is(pg_temp.note(answer, 'reconciliation'), false, 'reconciliation fails on it') from refusal;
select is(pg_temp.unbilled('one') ->> 'told_by', 'webhook', 'still the webhook has told of it');

select is(pg_temp.note('{"success": true}'), false, 'at last it is billed');
select ok(pg_temp.unbilled('one') ->> 'billed_at' is not null, 'and that is noted');

create temporary table settled as select pg_temp.everything() as state;
select is(pg_temp.note(answer), false, 'an error that comes later is no news') from refusal;
select is(pg_temp.everything(), state, 'and changes nothing') from settled;

select * from finish();
rollback;
