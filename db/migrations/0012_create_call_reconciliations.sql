set local role wallet_owner;

create domain wallet.reconciliation_status as text
constraint reconciliation_status_check check (value in ('due', 'done'));

comment on domain wallet.reconciliation_status is 'How far a reconciliation came; see call_reconciliations.status.';

create table wallet.call_reconciliations (
    from_at timestamptz not null,
    to_at timestamptz not null,
    status wallet.reconciliation_status not null default 'due',
    requested_by wallet.filled_text not null,
    attempts integer not null default 0,
    claimed_by wallet.filled_text,
    next_try_at timestamptz not null default now(),
    listed_back_to timestamptz,
    last_error wallet.filled_text,
    report jsonb,
    alerted_at timestamptz,
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    constraint call_reconciliations_pkey primary key (from_at, to_at),
    constraint call_reconciliations_to_at_check check (to_at > from_at),
    constraint call_reconciliations_report_check check (jsonb_typeof(report) = 'object'),
    constraint call_reconciliations_done_check check (status = 'due' or (report is not null and claimed_by is null))
);

create index call_reconciliations_due_idx on wallet.call_reconciliations (next_try_at)
where status = 'due';

create table wallet.provider_calls (
    from_at timestamptz not null,
    to_at timestamptz not null,
    vapi_call_id wallet.filled_text not null,
    report jsonb not null,
    outcome jsonb,
    constraint provider_calls_pkey primary key (from_at, to_at, vapi_call_id),
    constraint provider_calls_window_fkey foreign key (from_at, to_at)
    references wallet.call_reconciliations (from_at, to_at) on delete cascade
);

create view wallet.vapi_webhook_reliability
with (security_invoker = true)
as
select
    (placed_at at time zone 'UTC')::date as day,
    count(*) as calls,
    count(*) filter (where not reconciled) as reported,
    count(*) filter (where reconciled) as reconciled,
    round(100.0 * count(*) filter (where not reconciled) / count(*), 2) as reliability_percent,
    coalesce(sum(cost_pence) filter (where reconciled), 0)::bigint as recovered_pence
from wallet.calls
where vapi_call_id is not null
group by (placed_at at time zone 'UTC')::date;

create view wallet.billing_success_rate
with (security_invoker = true)
as
select
    day,
    count(*) as calls,
    count(*) filter (where outcome = 'billed') as billed,
    count(*) filter (where outcome = 'owing') as owing,
    count(*) filter (where outcome = 'unbilled') as unbilled,
    round(100.0 * count(*) filter (where outcome = 'billed') / count(*), 2) as success_percent
from (
    select
        (placed_at at time zone 'UTC')::date as day,
        case when owed_pence = 0 then 'billed' else 'owing' end as outcome
    from wallet.calls

    union all

    select
        (received_at at time zone 'UTC')::date as day,
        'unbilled' as outcome
    from wallet.unbilled_calls
    where billed_at is null
) as outcomes
group by day;

alter table wallet.call_reconciliations enable row level security;
alter table wallet.provider_calls enable row level security;

create policy call_reconciliations_service_select on wallet.call_reconciliations
for select to service_role
using (true);

create policy provider_calls_service_select on wallet.provider_calls
for select to service_role
using (true);

grant select on
wallet.call_reconciliations, wallet.provider_calls, wallet.vapi_webhook_reliability, wallet.billing_success_rate
to service_role;

comment on table wallet.call_reconciliations is
'Every window of time in which our calls were, or are to be, compared with the provider''s list. Not a tenant table.';
comment on column wallet.call_reconciliations.status is
'due: a worker may claim it from next_try_at on. done: compared, see report.';
comment on column wallet.call_reconciliations.attempts is 'How many times a worker claimed it, since it was last done.';
comment on column wallet.call_reconciliations.next_try_at is
'When a worker may claim it (again); while one has it, the end of its lease.';
comment on column wallet.call_reconciliations.listed_back_to is
'The provider lists the newest first: provider_calls has everything from here to to_at. Null: nothing yet.';
comment on column wallet.call_reconciliations.report is 'The answer of the last reconcile_calls for this window.';
comment on column wallet.call_reconciliations.alerted_at is 'When reliability_low was raised for this window; once.';
comment on table wallet.provider_calls is
'What the provider has listed so far for a window under way, so that a run that was killed goes on. Emptied when it is done. Not a tenant table.';
comment on column wallet.provider_calls.outcome is
'What became of it when this run tried to bill it, {} where there was nothing to bill. Null: not tried, or known before.';
comment on view wallet.vapi_webhook_reliability is
'By day, UTC: how many of the provider''s calls we knew without reconciliation.';
comment on view wallet.billing_success_rate is
'By day, UTC: how many calls are charged in full, how many still owe, and how many could not be billed.';

reset role;
