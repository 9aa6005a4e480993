-- These tables grow with payments, not with charges: to read them once under a lock is over in a
-- moment, and all migrations of a deployment stay one transaction.
-- squawk-ignore-file require-concurrent-index-creation, constraint-missing-not-valid
-- squawk-ignore-file ban-drop-constraint, ban-alter-domain-with-add-constraint

set local role wallet_owner;

alter domain wallet.event_status drop constraint event_status_check;
alter domain wallet.event_status add constraint event_status_check check (
    value in ('processed', 'ignored', 'pending', 'failed', 'resolved')
);

alter table wallet.processed_stripe_webhooks
add column resolved_by wallet.filled_text,
add column resolution wallet.filled_text,
add constraint processed_stripe_webhooks_resolved_check check (
    (status = 'resolved') = (resolved_by is not null and resolution is not null)
);

comment on column wallet.processed_stripe_webhooks.status is
'processed: applied, for good. ignored: none of our business. pending: noted, waits for another event. failed: not applied; redelivery or replay applies it. resolved: failed, and settled by a person.';
comment on column wallet.processed_stripe_webhooks.resolution is 'What the person in resolved_by did about it.';

-- Refunds, disputes and warnings name their payment by nothing but its intent. What arrives before
-- its credit waits here.
create index processed_stripe_webhooks_parked_idx on wallet.processed_stripe_webhooks (
    (event_data #>> '{data,object,payment_intent}')
)
where status = 'pending';

alter type wallet.stripe_payment add attribute charged_pence bigint;

comment on type wallet.stripe_payment is
'A wallet payment as one Stripe event tells it. charged_pence is all that was paid; amount_pence is the same, less tax where tax_known.';

alter table wallet.topups
add column bonus_pence wallet.unsigned_pence not null default 0,
add column charged_pence wallet.positive_pence,
add column refunded_pence wallet.unsigned_pence not null default 0,
add column reversed_pence wallet.unsigned_pence not null default 0,
add column reversals integer not null default 0,
add constraint topups_reversed_pence_check check (reversed_pence <= amount_pence + bonus_pence);

create index topups_payment_intent_idx on wallet.topups (stripe_payment_intent_id);

comment on column wallet.topups.bonus_pence is
'Credited on top as an entry of its own, and reversed with the rest.';
comment on column wallet.topups.charged_pence is
'What Stripe charges for it, tax included; null while no event has told. Refunds and disputes are fractions of it.';
comment on column wallet.topups.refunded_pence is
'The largest sum of refunds that charge.refunded has told of, in the units of charged_pence.';
comment on column wallet.topups.reversed_pence is
'What refunds and disputes have taken back so far of amount_pence and bonus_pence: the sum of its topup_reversal entries.';
comment on column wallet.topups.reversals is 'How many topup_reversal entries it has; the next one''s key counts on.';

create domain wallet.refund_status as text
constraint refund_status_check check (value in ('pending', 'requires_action', 'succeeded', 'failed', 'canceled'));

comment on domain wallet.refund_status is 'Stripe''s own words; failed and canceled are final.';

create table wallet.stripe_refunds (
    org_id uuid not null,
    id text not null,
    stripe_payment_intent_id text not null,
    amount_pence wallet.unsigned_pence not null,
    status wallet.refund_status not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint stripe_refunds_pkey primary key (org_id, id),
    constraint stripe_refunds_org_id_fkey foreign key (org_id) references wallet.organizations (id)
);

create index stripe_refunds_payment_intent_idx on wallet.stripe_refunds (org_id, stripe_payment_intent_id);

create table wallet.stripe_disputes (
    org_id uuid not null,
    id text not null,
    stripe_payment_intent_id text not null,
    amount_pence wallet.unsigned_pence not null,
    status text not null,
    reason text,
    funds_withdrawn boolean not null default false,
    funds_reinstated boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint stripe_disputes_pkey primary key (org_id, id),
    constraint stripe_disputes_org_id_fkey foreign key (org_id) references wallet.organizations (id)
);

create index stripe_disputes_payment_intent_idx on wallet.stripe_disputes (org_id, stripe_payment_intent_id);

comment on table wallet.stripe_refunds is
'Every refund of a credited payment, as far as Stripe''s events have told. reverse_topup adds them up.';
comment on column wallet.stripe_refunds.id is 'Stripe''s, re_….';
comment on column wallet.stripe_refunds.amount_pence is 'A part of the top-up''s charged_pence.';
comment on table wallet.stripe_disputes is
'Every dispute about a credited payment, as far as Stripe''s events have told. reverse_topup adds them up.';
comment on column wallet.stripe_disputes.id is 'Stripe''s, du_… or dp_….';
comment on column wallet.stripe_disputes.amount_pence is 'A part of the top-up''s charged_pence.';
comment on column wallet.stripe_disputes.status is 'Stripe''s own word; won, lost and warning_closed are final.';
comment on column wallet.stripe_disputes.funds_withdrawn is 'Stripe has taken the amount from us.';
comment on column wallet.stripe_disputes.funds_reinstated is 'Stripe has given it back.';

create domain wallet.freeze_cause as text
constraint freeze_cause_check check (value in ('dispute', 'early_fraud_warning', 'operator'));

comment on domain wallet.freeze_cause is 'Why a wallet is frozen.';

create table wallet.freeze_rules (
    cause wallet.freeze_cause not null,
    refuses_checkouts boolean not null,
    refuses_spending boolean not null,
    updated_by text not null default 'migration',
    updated_at timestamptz not null default now(),
    constraint freeze_rules_pkey primary key (cause)
);

insert into wallet.freeze_rules (cause, refuses_checkouts, refuses_spending)
values
('dispute', true, false),
('early_fraud_warning', false, false),
('operator', true, false);

create table wallet.wallet_freezes (
    org_id uuid not null,
    id uuid not null default gen_random_uuid(),
    cause wallet.freeze_cause not null,
    stripe_id text,
    reason wallet.filled_text not null,
    frozen_by wallet.filled_text not null,
    frozen_at timestamptz not null default now(),
    lifted_by wallet.filled_text,
    lifted_because wallet.filled_text,
    lifted_at timestamptz,
    constraint wallet_freezes_pkey primary key (org_id, id),
    constraint wallet_freezes_stripe_id_key unique (org_id, stripe_id),
    constraint wallet_freezes_org_id_fkey foreign key (org_id) references wallet.organizations (id),
    constraint wallet_freezes_lifted_check check (
        (lifted_at is null) = (lifted_by is null) and (lifted_at is null) = (lifted_because is null)
    )
);

comment on table wallet.freeze_rules is
'What a frozen wallet refuses, beside automatic recharges, which it always does. Changed by configure_freeze.';
comment on column wallet.freeze_rules.refuses_checkouts is 'No new top-up may be started.';
comment on column wallet.freeze_rules.refuses_spending is 'Nothing may be charged or bought.';
comment on table wallet.wallet_freezes is
'Why a wallet is or was frozen. It is frozen as long as one of its freezes is not lifted; a person lifts them.';
comment on column wallet.wallet_freezes.stripe_id is 'The dispute or warning; each freezes once.';

alter table wallet.organizations add column frozen boolean not null default false;

comment on column wallet.organizations.frozen is
'One of its wallet_freezes is not lifted. Kept here for post_transaction, which has this row locked; what a freeze refuses, freeze_rules say.';

alter table wallet.stripe_refunds enable row level security;
alter table wallet.stripe_disputes enable row level security;
alter table wallet.freeze_rules enable row level security;
alter table wallet.wallet_freezes enable row level security;

create policy stripe_refunds_service_select on wallet.stripe_refunds
for select to service_role
using (true);

create policy stripe_disputes_service_select on wallet.stripe_disputes
for select to service_role
using (true);

create policy freeze_rules_service_select on wallet.freeze_rules
for select to service_role
using (true);

create policy wallet_freezes_service_select on wallet.wallet_freezes
for select to service_role
using (true);

grant select on wallet.stripe_refunds, wallet.stripe_disputes, wallet.freeze_rules, wallet.wallet_freezes
to service_role;

reset role;
