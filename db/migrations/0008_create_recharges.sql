set local role wallet_owner;

create domain wallet.recharge_state as text
constraint recharge_state_check check (
    value in (
        'requested', 'calling', 'unknown', 'processing', 'requires_action', 'unresolved',
        'succeeded', 'declined', 'canceled'
    )
);

comment on domain wallet.recharge_state is 'How far an automatic recharge came; see recharge_attempts.state.';

create table wallet.recharge_settings (
    org_id uuid not null,
    max_per_day integer not null default 5,
    max_per_month integer not null default 50,
    max_pence_per_day wallet.positive_pence not null default 50000,
    max_pence_per_month wallet.positive_pence not null default 200000,
    cooldown_seconds integer not null default 900,
    max_declines integer not null default 3,
    declines integer not null default 0,
    blocked_payment_method_id text,
    blocked_because text,
    updated_at timestamptz not null default now(),
    constraint recharge_settings_pkey primary key (org_id),
    constraint recharge_settings_org_id_fkey foreign key (org_id) references wallet.organizations (id),
    constraint recharge_settings_max_per_day_check check (max_per_day between 1 and max_per_month),
    constraint recharge_settings_max_pence_per_day_check check (max_pence_per_day <= max_pence_per_month),
    constraint recharge_settings_cooldown_seconds_check check (cooldown_seconds between 60 and 604800),
    constraint recharge_settings_max_declines_check check (max_declines between 1 and 10),
    constraint recharge_settings_blocked_check check ((blocked_payment_method_id is null) = (blocked_because is null))
);

comment on table wallet.recharge_settings is
'The limits of automatic recharges of one wallet, and whether its card may still be tried. Threshold, amount and switch are on organizations. Changed by set_auto_recharge.';
comment on column wallet.recharge_settings.max_per_day is 'Attempts that ended in the last 24 hours, declined ones included.';
comment on column wallet.recharge_settings.max_per_month is 'Attempts that ended in the last 30 days, declined ones included.';
comment on column wallet.recharge_settings.max_pence_per_day is 'Minor units charged in the last 24 hours.';
comment on column wallet.recharge_settings.max_pence_per_month is 'Minor units charged in the last 30 days.';
comment on column wallet.recharge_settings.cooldown_seconds is
'From the end of one attempt, whatever its end, to the next: 60 to 604,800.';
comment on column wallet.recharge_settings.max_declines is 'After so many declines in a row the card is not tried again.';
comment on column wallet.recharge_settings.declines is 'Declines since the last payment or new card.';
comment on column wallet.recharge_settings.blocked_payment_method_id is 'The card that is not tried again; a new card ends the block.';

create table wallet.recharge_attempts (
    org_id uuid not null,
    id uuid not null,
    state wallet.recharge_state not null default 'requested',
    amount_pence wallet.positive_pence not null,
    currency wallet.currency_code not null,
    stripe_customer_id text not null,
    stripe_payment_method_id text not null,
    stripe_payment_intent_id text,
    balance_pence bigint not null,
    claims integer not null default 0,
    claimed_by text,
    first_called_at timestamptz,
    next_try_at timestamptz not null default now(),
    decline_code text,
    last_error text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    closed_at timestamptz,
    constraint recharge_attempts_pkey primary key (org_id, id),
    constraint recharge_attempts_org_id_fkey foreign key (org_id) references wallet.organizations (id),
    constraint recharge_attempts_closed_at_check check (
        (state in ('succeeded', 'declined', 'canceled')) = (closed_at is not null)
    )
);

-- The slot: whatever is unclear keeps it taken.
create unique index recharge_attempts_open_key on wallet.recharge_attempts (org_id)
where closed_at is null;

create index recharge_attempts_due_idx on wallet.recharge_attempts (next_try_at)
where closed_at is null;

create index recharge_attempts_closed_at_idx on wallet.recharge_attempts (org_id, closed_at);

alter table wallet.recharge_settings enable row level security;
alter table wallet.recharge_attempts enable row level security;

create policy recharge_settings_tenant_select on wallet.recharge_settings
for select to authenticated
using (
    org_id = (select (nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,org_id}')::uuid)
);

create policy recharge_settings_service_select on wallet.recharge_settings
for select to service_role
using (true);

create policy recharge_attempts_tenant_select on wallet.recharge_attempts
for select to authenticated
using (
    org_id = (select (nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,org_id}')::uuid)
);

create policy recharge_attempts_service_select on wallet.recharge_attempts
for select to service_role
using (true);

grant select on wallet.recharge_settings, wallet.recharge_attempts to service_role;
grant select on wallet.recharge_settings to authenticated;

-- Everything but who worked on it and what they noted.
grant select (
    org_id, id, state, amount_pence, currency, stripe_payment_method_id, stripe_payment_intent_id, balance_pence,
    decline_code, created_at, updated_at, closed_at
) on wallet.recharge_attempts to authenticated;

comment on table wallet.recharge_attempts is
'Automatic recharges: at most one open per wallet. The row is what a worker claims, and its id the idempotency key at Stripe and the id of its top-up.';
comment on column wallet.recharge_attempts.state is
'requested: waits for a worker. calling: a worker asks Stripe. unknown: asked without a clear answer. processing: Stripe is at it. requires_action: the customer has to authenticate. unresolved: a person has to look. succeeded, declined, canceled: closed.';
comment on column wallet.recharge_attempts.balance_pence is 'The balance that asked for it.';
comment on column wallet.recharge_attempts.first_called_at is
'When Stripe was first asked. Its idempotency keys live 24 hours, so from 23 hours on it is only looked up.';
comment on column wallet.recharge_attempts.next_try_at is
'When a worker may claim it (again); while one has it, the end of its lease.';

reset role;
