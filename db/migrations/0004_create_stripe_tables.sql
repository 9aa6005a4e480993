set local role wallet_owner;

create table wallet.stripe_settings (
    singleton boolean not null default true,
    livemode boolean not null default false,
    account text,
    updated_by text not null default 'migration',
    updated_at timestamptz not null default now(),
    constraint stripe_settings_pkey primary key (singleton),
    constraint stripe_settings_singleton_check check (singleton)
);

insert into wallet.stripe_settings default values;

alter table wallet.stripe_settings enable row level security;

create policy stripe_settings_service_select on wallet.stripe_settings
for select to service_role
using (true);

grant select on wallet.stripe_settings to service_role;

comment on table wallet.stripe_settings is
'Which Stripe this database listens to: one row, changed by configure_stripe.';
comment on column wallet.stripe_settings.livemode is
'true: only live events credit. false: only test events do. Stripe says which in each event.';
comment on column wallet.stripe_settings.account is
'The connected account (acct_…) whose events count; null means our own account and no connected one.';

create domain wallet.topup_kind as text
constraint topup_kind_check check (value in ('wallet_topup', 'wallet_auto_recharge'));

create domain wallet.topup_status as text
constraint topup_status_check check (value in ('pending', 'failed', 'expired', 'canceled', 'paid'));

create domain wallet.event_status as text
constraint event_status_check check (value in ('processed', 'ignored', 'pending', 'failed'));

comment on domain wallet.topup_kind is 'Who asked for a payment: a person at a checkout, or the wallet itself.';
comment on domain wallet.topup_status is 'How far a payment came; see topups.status.';
comment on domain wallet.event_status is 'What became of a Stripe event; see processed_stripe_webhooks.status.';

create type wallet.stripe_payment as (
    kind text,
    org_id uuid,
    topup_id uuid,
    checkout_session_id text,
    payment_intent_id text,
    charge_id text,
    customer_id text,
    payment_method_id text,
    currency text,
    amount_pence bigint,
    tax_known boolean
);

comment on type wallet.stripe_payment is
'A wallet payment as one Stripe event tells it. amount_pence is what was paid, less tax where tax_known.';

create table wallet.topups (
    org_id uuid not null,
    id uuid not null default gen_random_uuid(),
    kind wallet.topup_kind not null,
    status wallet.topup_status not null default 'pending',
    amount_pence wallet.positive_pence,
    currency wallet.currency_code not null,
    stripe_checkout_session_id text,
    stripe_payment_intent_id text,
    idempotency_key wallet.filled_text,
    last_error text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint topups_pkey primary key (org_id, id),
    constraint topups_checkout_session_key unique (org_id, stripe_checkout_session_id),
    constraint topups_payment_intent_key unique (org_id, stripe_payment_intent_id),
    constraint topups_org_id_fkey foreign key (org_id) references wallet.organizations (id),
    constraint topups_paid_check check (
        status <> 'paid' or (amount_pence is not null and idempotency_key is not null)
    ),
    constraint topups_stripe_id_check check (
        stripe_checkout_session_id is not null or stripe_payment_intent_id is not null
    )
);

alter table wallet.topups enable row level security;

create policy topups_tenant_select on wallet.topups
for select to authenticated
using (
    org_id = (select (nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,org_id}')::uuid)
);

create policy topups_service_select on wallet.topups
for select to service_role
using (true);

grant select on wallet.topups to service_role, authenticated;

comment on table wallet.topups is
'One attempt to pay money into a wallet, and how far it came. The credit itself is the ledger''s topup entry.';
comment on column wallet.topups.amount_pence is 'Face value in minor units of currency: what the wallet is credited with. Null while only the payment intent, which doesn''t tell its tax, is known.';
comment on column wallet.topups.idempotency_key is
'Key of the ledger entry that credited a paid top-up; whoever tells of the payment again is answered with that entry.';
comment on column wallet.topups.status is
'pending, failed, expired, canceled or paid. Paid is final; a closed attempt can still turn out paid.';

create table wallet.processed_stripe_webhooks (
    event_id text not null,
    event_type text not null,
    org_id uuid,
    status wallet.event_status not null,
    attempts integer not null default 1,
    error_code text,
    error_message text,
    event_data jsonb not null,
    received_at timestamptz not null default now(),
    processed_at timestamptz,
    constraint processed_stripe_webhooks_event_id_key primary key (event_id),
    constraint processed_stripe_webhooks_error_code_check check (
        status <> 'failed' or (error_code is not null and error_message is not null)
    )
);

create index processed_stripe_webhooks_failed_idx on wallet.processed_stripe_webhooks (received_at)
where status = 'failed';

alter table wallet.processed_stripe_webhooks enable row level security;

create policy processed_stripe_webhooks_service_select on wallet.processed_stripe_webhooks
for select to service_role
using (true);

grant select on wallet.processed_stripe_webhooks to service_role;

comment on table wallet.processed_stripe_webhooks is
'Every Stripe event that was delivered, with what became of it. Not a tenant table: an event arrives before its organization is known.';
comment on column wallet.processed_stripe_webhooks.status is
'processed: applied, for good. ignored: none of our business. pending: noted, waits for another event. failed: not applied; redelivery or replay applies it.';
comment on column wallet.processed_stripe_webhooks.attempts is 'How many times the event was delivered or replayed.';
comment on column wallet.processed_stripe_webhooks.error_code is
'Why the event failed, in a word to group by: organization_not_found, amount_mismatch …';
comment on column wallet.processed_stripe_webhooks.error_message is
'Why the event failed, or why it was ignored.';

reset role;
