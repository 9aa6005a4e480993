begin;
select plan(5);
\ir ../support.sql
\ir reports.sql

set local timezone = 'America/St_Johns';
select is(
    wallet.read_call_report(wallet.write_call_report(wallet.read_call_report(report))),
    wallet.read_call_report(report),
    format('%s is read again as it was', name)
)
from (
    values
    ('a report', pg_temp.report('one', 91.2, pg_temp.metadata('acme', 'call-1'))),
    ('a call of the list', pg_temp.call('one', 91.2, '{"type": "webCall"}')),
    ('a call that was not answered', pg_temp.call('one', 0, '{"startedAt": null}')),
    ('a duration without its times', pg_temp.report('one', 91.2, '{}', '{"startedAt": null}')),
    ('a call under way', pg_temp.call('one', 91, '{"status": "ringing", "startedAt": null, "endedAt": null}'))
) as told (name, report);

select * from finish();
rollback;
