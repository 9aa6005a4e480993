-- These tables grow with payments, not with charges: to read them once under a lock is over in a moment.
-- Every event begins with its row in the first of them.
-- squawk-ignore-file ban-drop-constraint, ban-alter-domain-with-add-constraint, constraint-missing-not-valid
-- squawk-ignore-file require-concurrent-index-creation

set local role wallet_owner;

-- For the figures of the last hour and day.
create index processed_stripe_webhooks_received_at_idx on wallet.processed_stripe_webhooks (received_at);

alter domain wallet.message_topic drop constraint message_topic_check;
alter domain wallet.message_topic add constraint message_topic_check check (
    value in (
        'low_balance', 'topup_completed', 'payment_failed', 'payment_reversed', 'event_failed', 'wallet_frozen',
        'recharge_failed', 'recharge_needs_action', 'recharge_unresolved', 'auto_recharge_disabled', 'reliability_low',
        'call_unbilled', 'books_out_of_order'
    )
);

create table wallet.consistency_checks (
    started_at timestamptz not null,
    finished_at timestamptz not null,
    worker wallet.filled_text not null,
    wallets bigint not null,
    problems bigint not null,
    first_problems jsonb not null default '[]',
    alerted boolean not null default false,
    constraint consistency_checks_pkey primary key (started_at),
    constraint consistency_checks_finished_at_check check (finished_at >= started_at),
    constraint consistency_checks_first_problems_check check (
        jsonb_typeof(first_problems) = 'array' and (jsonb_array_length(first_problems) = 0) = (problems = 0)
    )
);

alter table wallet.consistency_checks enable row level security;

create policy consistency_checks_service_select on wallet.consistency_checks
for select to service_role
using (true);

grant select on wallet.consistency_checks to service_role;

create index recharge_attempts_ended_idx on wallet.recharge_attempts (closed_at)
where closed_at is not null;

create index wallet_freezes_open_idx on wallet.wallet_freezes (org_id)
where lifted_at is null;

comment on table wallet.consistency_checks is
'The last daily checks of the books, made by check_books. Not a tenant table.';
comment on column wallet.consistency_checks.worker is 'Who made it.';
comment on column wallet.consistency_checks.wallets is 'How many wallets were checked.';
comment on column wallet.consistency_checks.problems is 'How many rows validate_credits_consistency answered.';
comment on column wallet.consistency_checks.first_problems is
'The first hundred of them: {org_id, problem, expected, actual}, and difference where both are numbers.';
comment on column wallet.consistency_checks.alerted is
'books_out_of_order was raised: there was a problem that the check before hadn''t found.';

reset role;
