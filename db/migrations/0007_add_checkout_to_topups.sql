-- These tables grow with payments, not with charges: to read them once under a lock is over in a
-- moment, and all migrations of a deployment stay one transaction.
-- squawk-ignore-file require-concurrent-index-creation, constraint-missing-not-valid
-- squawk-ignore-file ban-drop-constraint, disallowed-unique-constraint

set local role wallet_owner;

create table wallet.topup_limits (
    currency wallet.currency_code not null,
    min_pence wallet.positive_pence not null,
    max_pence wallet.positive_pence not null,
    updated_by text not null default 'migration',
    updated_at timestamptz not null default now(),
    constraint topup_limits_pkey primary key (currency),
    constraint topup_limits_max_pence_check check (min_pence <= max_pence)
);

insert into wallet.topup_limits (currency, min_pence, max_pence)
values ('gbp', 500, 100000), ('usd', 500, 100000), ('eur', 500, 100000);

create table wallet.topup_plans (
    plan wallet.filled_text not null,
    name wallet.filled_text not null,
    currency wallet.currency_code not null,
    price_pence wallet.positive_pence not null,
    credit_pence wallet.positive_pence not null,
    bonus_pence wallet.unsigned_pence not null default 0,
    active boolean not null default true,
    updated_by text not null,
    updated_at timestamptz not null default now(),
    constraint topup_plans_pkey primary key (plan)
);

comment on table wallet.topup_limits is
'The smallest and the largest top-up in a currency; without a row none is offered. Changed by set_topup_limits.';
comment on table wallet.topup_plans is 'Top-ups by name, with their price and what they credit. Changed by set_topup_plan.';
comment on column wallet.topup_plans.name is 'What the customer reads at the checkout.';
comment on column wallet.topup_plans.price_pence is 'What is paid, without tax, in minor units.';
comment on column wallet.topup_plans.credit_pence is 'What the wallet is credited with as a topup entry.';
comment on column wallet.topup_plans.bonus_pence is 'What it is credited with on top, as a bonus entry.';
comment on column wallet.topup_plans.active is 'Whether a new top-up may use it.';

alter table wallet.topup_limits enable row level security;
alter table wallet.topup_plans enable row level security;

create policy topup_limits_select on wallet.topup_limits
for select to service_role, authenticated
using (true);

create policy topup_plans_select on wallet.topup_plans
for select to service_role, authenticated
using (true);

grant select on wallet.topup_limits, wallet.topup_plans to service_role;
grant select (currency, min_pence, max_pence) on wallet.topup_limits to authenticated;
grant select (plan, name, currency, price_pence, credit_pence, bonus_pence, active) on wallet.topup_plans
to authenticated;

create domain wallet.checkout_url as text
constraint checkout_url_check check (value ~ '^(https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/])[^\s]+$');

comment on domain wallet.checkout_url is
'A page to send a customer to: https, or of this very machine, as the sandbox''s is.';

-- The row comes first now, its session and payment intent later.
alter table wallet.topups
drop constraint topups_stripe_id_check,
add column price_pence wallet.positive_pence,
add column plan text,
add column request_key wallet.filled_text,
add column stripe_request jsonb,
add column checkout_url wallet.checkout_url,
add column expires_at timestamptz,
add constraint topups_request_key_key unique (org_id, request_key),
add constraint topups_stripe_id_check check (
    coalesce(stripe_checkout_session_id, stripe_payment_intent_id) is not null or stripe_request is not null
);

-- One open checkout for one wish, whoever clicks how often.
create index topups_open_idx on wallet.topups (org_id, amount_pence)
where status in ('pending', 'failed');

comment on column wallet.topups.price_pence is
'What the payment must come to without tax; null where Stripe was the first to tell of it.';
comment on column wallet.topups.plan is 'The plan that it was asked for by.';
comment on column wallet.topups.request_key is 'The caller''s own key of the request; the same key is the same top-up.';
comment on column wallet.topups.stripe_request is
'The parameters that Stripe is asked with, kept so that a retry under the same idempotency key says the same.';
comment on column wallet.topups.checkout_url is 'Stripe''s page to pay on, as long as it is open.';
comment on column wallet.topups.expires_at is 'When Stripe closes that page.';

create index organizations_stripe_customer_idx on wallet.organizations (stripe_customer_id);

create table wallet.payment_methods (
    org_id uuid not null,
    id text not null,
    brand text,
    last4 text,
    exp_month integer,
    exp_year integer,
    created_at timestamptz not null default now(),
    detached_at timestamptz,
    constraint payment_methods_pkey primary key (org_id, id),
    constraint payment_methods_org_id_fkey foreign key (org_id) references wallet.organizations (id)
);

create index payment_methods_id_idx on wallet.payment_methods (id);

alter table wallet.payment_methods enable row level security;

create policy payment_methods_tenant_select on wallet.payment_methods
for select to authenticated
using (
    org_id = (select (nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,org_id}')::uuid)
);

create policy payment_methods_service_select on wallet.payment_methods
for select to service_role
using (true);

grant select on wallet.payment_methods to service_role, authenticated;

comment on table wallet.payment_methods is
'Cards that a wallet''s customer has saved at Stripe, with what may be shown of them. organizations.stripe_default_pm_id is the one that is charged.';
comment on column wallet.payment_methods.id is 'Stripe''s, pm_….';
comment on column wallet.payment_methods.detached_at is 'When Stripe said that it can''t be charged any more.';

insert into wallet.payment_methods (org_id, id)
select
    id,
    stripe_default_pm_id
from wallet.organizations
where stripe_default_pm_id is not null;

reset role;
