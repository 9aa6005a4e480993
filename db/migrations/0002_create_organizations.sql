set local role wallet_owner;

create table wallet.organizations (
    id uuid not null,
    created_at timestamptz not null default now(),
    debt_limit_pence wallet.unsigned_pence not null default 500,
    wallet_low_balance_pence wallet.unsigned_pence not null default 500,
    wallet_recharge_amount_pence wallet.positive_pence not null default 5000,
    wallet_auto_recharge boolean not null default false,
    currency wallet.currency_code not null default 'gbp',
    name text,
    email text,
    stripe_customer_id text,
    stripe_default_pm_id text,
    -- Every ledger entry rewrites the columns from here on. They stand together, and nothing that is
    -- rewritten is indexed, so that an update stays on its page and logs little more than these bytes.
    wallet_balance_pence bigint not null default 0,
    reserved_pence wallet.unsigned_pence not null default 0,
    total_topped_up_pence bigint not null default 0,
    total_spent_pence bigint not null default 0,
    total_profit_pence bigint not null default 0,
    total_calls bigint not null default 0,
    last_entry_number bigint not null default 0,
    last_entry_at timestamptz not null default '-infinity',
    updated_at timestamptz not null default now(),
    last_entry_hash bytea not null default decode(repeat('00', 32), 'hex'),
    constraint organizations_pkey primary key (id)
) with (fillfactor = 50);

alter table wallet.organizations enable row level security;

create policy organizations_tenant_select on wallet.organizations
for select to authenticated
using (
    id = (select (nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,org_id}')::uuid)
);

create policy organizations_service_select on wallet.organizations
for select to service_role
using (true);

grant select on wallet.organizations to service_role;

-- Everything but the margin.
grant select (
    id, name, email, currency, wallet_balance_pence, wallet_low_balance_pence, debt_limit_pence,
    wallet_auto_recharge, wallet_recharge_amount_pence, stripe_default_pm_id, reserved_pence,
    total_topped_up_pence, total_spent_pence, total_calls, last_entry_number, last_entry_at,
    created_at, updated_at
) on wallet.organizations to authenticated;

comment on table wallet.organizations is
'One wallet an organization. The balance and the totals are kept by post_transaction under this row''s lock.';
comment on column wallet.organizations.currency is 'Every amount of the wallet is in the minor unit of this currency.';
comment on column wallet.organizations.wallet_balance_pence is 'Sum of the ledger, in minor units; negative means debt.';
comment on column wallet.organizations.wallet_low_balance_pence is
'A balance below this is low; auto-recharge starts there.';
comment on column wallet.organizations.debt_limit_pence is
'A spend may take the balance down to minus this, and no further.';
comment on column wallet.organizations.reserved_pence is
'Sum of the open reservations: money that others may not spend.';
comment on column wallet.organizations.total_topped_up_pence is 'Sum of the topup entries, before any reversal.';
comment on column wallet.organizations.total_spent_pence is
'Sum of the debits for services: all but adjustment and topup_reversal.';
comment on column wallet.organizations.total_profit_pence is 'Sum of gross_profit_pence. Not shown to tenants.';
comment on column wallet.organizations.total_calls is 'Number of call_deduction entries.';
comment on column wallet.organizations.last_entry_number is 'Number of the newest ledger entry; 0 when there is none.';
comment on column wallet.organizations.last_entry_at is
'Time of the newest ledger entry; the next one is never earlier.';
comment on column wallet.organizations.last_entry_hash is
'Hash of the newest ledger entry, which the next one builds on; 32 zero bytes when there is none.';

create table wallet.organization_changes (
    org_id uuid not null,
    id uuid not null default gen_random_uuid(),
    setting text not null,
    old_value text,
    new_value text,
    actor wallet.filled_text not null,
    changed_at timestamptz not null default now(),
    constraint organization_changes_pkey primary key (org_id, id),
    constraint organization_changes_org_id_fkey foreign key (org_id) references wallet.organizations (id)
);

alter table wallet.organization_changes enable row level security;

create policy organization_changes_service_select on wallet.organization_changes
for select to service_role
using (true);

grant select on wallet.organization_changes to service_role;

comment on table wallet.organization_changes is
'Who changed which setting of a wallet, from what to what. Append-only.';

reset role;
