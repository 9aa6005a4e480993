set local role wallet_owner;

create table wallet.stripe_backfills (
    id uuid not null default gen_random_uuid(),
    since timestamptz not null,
    compared_until timestamptz not null,
    counts jsonb not null default '{}',
    started_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz,
    constraint stripe_backfills_id_key primary key (id),
    constraint stripe_backfills_compared_until_check check (compared_until >= since),
    constraint stripe_backfills_counts_check check (jsonb_typeof(counts) = 'object')
);

alter table wallet.stripe_backfills enable row level security;

create policy stripe_backfills_service_select on wallet.stripe_backfills
for select to service_role
using (true);

grant select on wallet.stripe_backfills to service_role;

comment on table wallet.stripe_backfills is
'Every run of `wallet backfill`, and how far it came, so that one that was interrupted can go on. Not a tenant table.';
comment on column wallet.stripe_backfills.compared_until is
'Everything that Stripe has from since to here is in the ledger, or is counted as failed or waiting.';
comment on column wallet.stripe_backfills.counts is 'What the run has found so far, as its report tells it.';

reset role;
