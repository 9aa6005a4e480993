-- A domain is checked where a value is set; messages are few, and read once under the lock.
-- squawk-ignore-file ban-drop-constraint, ban-alter-domain-with-add-constraint, constraint-missing-not-valid

set local role wallet_owner;

alter table wallet.organizations
add column owed_pence wallet.unsigned_pence not null default 0,
add column has_calls boolean not null default false;

grant select (owed_pence) on wallet.organizations to authenticated;

comment on column wallet.organizations.owed_pence is
'Sum of what its calls still owe: charged before anything else is spent, as soon as there is room above the debt limit.';

comment on column wallet.organizations.has_calls is
'Some of its calls are in calls. Kept here so that whoever charges a wallet that has none need not look.';

create domain wallet.reservation_status as text
constraint reservation_status_check check (value in ('open', 'committed', 'released', 'expired'));

comment on domain wallet.reservation_status is 'How far a reservation came; see credit_reservations.status.';

create table wallet.credit_reservations (
    org_id uuid not null,
    id uuid not null default gen_random_uuid(),
    call_id wallet.filled_text not null,
    vapi_call_id text,
    status wallet.reservation_status not null default 'open',
    requested_minutes integer not null,
    estimated_minutes integer not null,
    requested_pence wallet.unsigned_pence not null,
    reserved_pence wallet.unsigned_pence not null,
    expires_at timestamptz not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    closed_at timestamptz,
    duration_seconds bigint,
    actual_cost_pence wallet.unsigned_pence,
    charged_pence wallet.unsigned_pence,
    owed_pence wallet.unsigned_pence,
    transaction_id uuid,
    constraint credit_reservations_pkey primary key (org_id, id),
    constraint credit_reservations_call_id_key unique (org_id, call_id),
    constraint credit_reservations_org_id_fkey foreign key (org_id) references wallet.organizations (id),
    constraint credit_reservations_minutes_check check (requested_minutes between 1 and estimated_minutes),
    constraint credit_reservations_reserved_pence_check check (reserved_pence <= requested_pence),
    constraint credit_reservations_closed_at_check check ((status = 'open') = (closed_at is null)),
    constraint credit_reservations_owed_pence_check check (
        (status = 'committed') = (actual_cost_pence is not null)
        and (actual_cost_pence is null) = (duration_seconds is null)
        and (actual_cost_pence is null) = (charged_pence is null)
        and (actual_cost_pence is null) = (owed_pence is null)
        and (actual_cost_pence is null or actual_cost_pence = charged_pence + owed_pence)
    )
);

create index credit_reservations_call_id_idx on wallet.credit_reservations (call_id);

create index credit_reservations_vapi_call_id_idx on wallet.credit_reservations (vapi_call_id);

create index credit_reservations_lapsing_idx on wallet.credit_reservations (expires_at)
where status = 'open';

create index credit_reservations_open_idx on wallet.credit_reservations (org_id, expires_at)
where status = 'open';

create table wallet.calls (
    org_id uuid not null,
    call_id wallet.filled_text not null,
    vapi_call_id text,
    source text not null,
    reconciled boolean not null default false,
    direction text,
    assistant_id text,
    phone_number_id text,
    ended_reason text,
    placed_at timestamptz not null,
    started_at timestamptz,
    ended_at timestamptz,
    duration_seconds bigint not null,
    cost_pence wallet.unsigned_pence not null,
    charged_pence wallet.unsigned_pence not null,
    owed_pence wallet.unsigned_pence not null default 0,
    collections integer not null default 0,
    cost_breakdown jsonb not null,
    provider_cost_pence wallet.unsigned_pence,
    transaction_id uuid,
    reported_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint calls_pkey primary key (org_id, call_id),
    -- The provider's ids are looked up without knowing whose they are.
    constraint calls_vapi_call_id_key unique (vapi_call_id, org_id),
    constraint calls_org_id_fkey foreign key (org_id) references wallet.organizations (id),
    constraint calls_source_check check (source in ('backend', 'reservation', 'webhook', 'reconciliation')),
    constraint calls_reconciled_check check (reconciled = (source = 'reconciliation')),
    constraint calls_direction_check check (direction in ('inbound', 'outbound', 'web')),
    constraint calls_duration_seconds_check check (duration_seconds >= 0),
    constraint calls_owed_pence_check check (cost_pence = charged_pence + owed_pence),
    constraint calls_transaction_id_check check ((charged_pence > 0) = (transaction_id is not null))
);

create index calls_placed_at_idx on wallet.calls (placed_at);

create index calls_owing_idx on wallet.calls (org_id, created_at)
where owed_pence > 0;

create table wallet.unbilled_calls (
    vapi_call_id wallet.filled_text not null,
    report jsonb not null,
    told_by text not null,
    error_code wallet.filled_text not null,
    error_message text not null,
    attempts integer not null default 1,
    received_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    billed_at timestamptz,
    constraint unbilled_calls_pkey primary key (vapi_call_id),
    constraint unbilled_calls_told_by_check check (told_by in ('webhook', 'reconciliation'))
);

create index unbilled_calls_waiting_idx on wallet.unbilled_calls (received_at)
where billed_at is null;

create table wallet.call_settings (
    singleton boolean not null default true,
    reliability_alert_percent numeric(5, 2) not null default 95,
    duration_tolerance_seconds integer not null default 1,
    reservation_grace_seconds integer not null default 900,
    reconcile_at time not null default '03:00',
    updated_by text not null default 'migration',
    updated_at timestamptz not null default now(),
    constraint call_settings_pkey primary key (singleton),
    constraint call_settings_singleton_check check (singleton),
    constraint call_settings_reliability_alert_percent_check check (reliability_alert_percent between 0 and 100),
    constraint call_settings_duration_tolerance_seconds_check check (duration_tolerance_seconds between 0 and 3600),
    constraint call_settings_reservation_grace_seconds_check check (
        reservation_grace_seconds between 60 and 86400
    )
);

insert into wallet.call_settings default values;

-- What the provider tells of one call, whichever of its messages tells it.
create type wallet.call_report as (
    vapi_call_id text,
    call_id text,
    org_id uuid,
    ended boolean,
    direction text,
    assistant_id text,
    phone_number_id text,
    ended_reason text,
    placed_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    duration_seconds bigint,
    provider_cost_usd numeric
);

-- One charge of a batch, and what is wrong with it.
create type wallet.requested_charge as (
    item integer,
    org_id uuid,
    call_id text,
    vapi_call_id text,
    provider_cost_pence bigint,
    markup_percent integer,
    client_charged_pence bigint,
    cost_breakdown jsonb,
    description text,
    wrong_field text
);

alter table wallet.credit_reservations enable row level security;
alter table wallet.calls enable row level security;
alter table wallet.unbilled_calls enable row level security;
alter table wallet.call_settings enable row level security;

create policy credit_reservations_tenant_select on wallet.credit_reservations
for select to authenticated
using (
    org_id = (select (nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,org_id}')::uuid)
);

create policy calls_tenant_select on wallet.calls
for select to authenticated
using (
    org_id = (select (nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,org_id}')::uuid)
);

create policy credit_reservations_service_select on wallet.credit_reservations
for select to service_role
using (true);

create policy calls_service_select on wallet.calls
for select to service_role
using (true);

create policy unbilled_calls_service_select on wallet.unbilled_calls
for select to service_role
using (true);

create policy call_settings_service_select on wallet.call_settings
for select to service_role
using (true);

grant select on
wallet.credit_reservations, wallet.calls, wallet.unbilled_calls, wallet.call_settings
to service_role;

grant select on wallet.credit_reservations to authenticated;

-- Everything but what the call costs its seller.
grant select (
    org_id, call_id, vapi_call_id, direction, assistant_id, phone_number_id, ended_reason, placed_at, started_at,
    ended_at, duration_seconds, cost_pence, charged_pence, owed_pence, cost_breakdown, transaction_id, created_at,
    updated_at
) on wallet.calls to authenticated;

alter domain wallet.message_topic drop constraint message_topic_check;
alter domain wallet.message_topic add constraint message_topic_check check (
    value in (
        'low_balance', 'topup_completed', 'payment_failed', 'payment_reversed', 'event_failed', 'wallet_frozen',
        'recharge_failed', 'recharge_needs_action', 'recharge_unresolved', 'auto_recharge_disabled', 'reliability_low',
        'call_unbilled'
    )
);

-- What a call still owed is charged by entries of their own, and it stays one call.
create or replace view wallet.ledger_totals
with (security_invoker = true)
as
select
    org_id,
    count(*) as entry_count,
    max(entry_number) as last_entry_number,
    sum(case direction when 'credit' then amount_pence else -amount_pence end)::bigint as balance_pence,
    coalesce(sum(amount_pence) filter (where type = 'topup'), 0)::bigint as total_topped_up_pence,
    coalesce(
        sum(amount_pence) filter (
            where direction = 'debit' and type not in ('adjustment', 'topup_reversal')
        ), 0
    )::bigint as total_spent_pence,
    coalesce(sum(gross_profit_pence), 0)::bigint as total_profit_pence,
    count(*) filter (
        where type = 'call_deduction' and idempotency_key::text = ('call:' || call_id) collate "C"
    ) as total_calls
from wallet.credit_transactions
group by org_id;

comment on column wallet.organizations.total_calls is
'Number of calls that were charged: call_deduction entries whose key is call:<call_id>.';

comment on table wallet.credit_reservations is
'Money held for calls under way: one for a call, for ever. What is open counts as spent everywhere.';
comment on column wallet.credit_reservations.status is
'open: held until expires_at. committed: the call is charged. released: given up, nothing was charged. expired: nobody committed it in time; a late commit still charges.';
comment on column wallet.credit_reservations.requested_minutes is 'The estimate that it was first asked with.';
comment on column wallet.credit_reservations.estimated_minutes is 'The estimate, as last extended.';
comment on column wallet.credit_reservations.requested_pence is 'What the estimate costs.';
comment on column wallet.credit_reservations.reserved_pence is
'What is held, or was until it was closed: less than requested_pence only where a partial reservation was asked for.';
comment on column wallet.credit_reservations.actual_cost_pence is 'What the call came to.';
comment on column wallet.credit_reservations.charged_pence is 'What was charged when it was committed.';
comment on column wallet.credit_reservations.owed_pence is
'What could not be charged when it was committed. What is still owed of it is in calls.owed_pence.';
comment on table wallet.calls is
'Every call that was billed by duration, once for its call_id, whoever told of it first.';
comment on column wallet.calls.call_id is 'Our id of the call; the provider''s where nobody has named another.';
comment on column wallet.calls.source is
'Who told of it first: the backend (bill_call), a committed reservation, the provider''s webhook, or reconciliation.';
comment on column wallet.calls.reconciled is 'The provider had it and we had not: reconciliation found and billed it.';
comment on column wallet.calls.placed_at is 'When the provider created it; without a report, when it was reserved or billed.';
comment on column wallet.calls.cost_pence is 'What it costs the customer; see cost_breakdown.';
comment on column wallet.calls.charged_pence is 'What has been charged of it so far.';
comment on column wallet.calls.owed_pence is 'What it still owes: it ran into the debt limit.';
comment on column wallet.calls.collections is 'How many times something was charged of what it owed.';
comment on column wallet.calls.cost_breakdown is 'Quantity, price, rate of exchange and rounding that make cost_pence.';
comment on column wallet.calls.transaction_id is 'The ledger entry that first charged it; null while nothing was charged.';
comment on column wallet.calls.reported_at is 'When the provider''s webhook told of it; null: it never has.';
comment on table wallet.unbilled_calls is
'Reports of calls that could not be billed, with the reason. Reconciliation, and replay_unbilled_calls, try them again. Not a tenant table: some name no organization.';
comment on column wallet.unbilled_calls.report is 'What billing needs of the report, and nothing that was said.';
comment on column wallet.unbilled_calls.told_by is 'webhook, or reconciliation where the webhook never told of it.';
comment on column wallet.unbilled_calls.billed_at is 'When it was billed after all.';
comment on table wallet.call_settings is 'How calls are reserved and reconciled: one row, changed by configure_calls.';
comment on column wallet.call_settings.reliability_alert_percent is
'Below this share of calls told by webhook in a reconciled window, an alert is raised.';
comment on column wallet.call_settings.duration_tolerance_seconds is
'A difference from the provider''s duration beyond this is reported.';
comment on column wallet.call_settings.reservation_grace_seconds is
'How long a reservation outlives the minutes that it was made for: 60 to 86,400.';
comment on column wallet.call_settings.reconcile_at is 'From when on, UTC, the worker reconciles the day before.';
comment on type wallet.requested_charge is
'One charge of a batch, numbered from 1; wrong_field names what makes it unusable.';
comment on type wallet.call_report is
'One call as its provider tells it. org_id and call_id are what the call''s metadata name, if they do.';

reset role;
