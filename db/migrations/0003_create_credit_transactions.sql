set local role wallet_owner;

-- A session parses the list of a domain once. In the table's own CHECK every insert would parse it
-- again, at a sixth of what a charge costs.
create domain wallet.entry_kind as text
constraint entry_kind_check check (
    value in (
        'topup credit', 'bonus credit', 'refund credit',
        'call_deduction debit', 'sms_deduction debit', 'knowledge_base_deduction debit',
        'phone_provisioning debit', 'phone_number debit', 'did debit', 'license debit',
        'adjustment credit', 'adjustment debit',
        'topup_reversal credit', 'topup_reversal debit'
    )
);

comment on domain wallet.entry_kind is
'The types of ledger entries, each with the directions that it may go.';

create table wallet.credit_transactions (
    org_id uuid not null,
    entry_number bigint not null,
    id uuid not null default gen_random_uuid(),
    created_at timestamptz not null,
    amount_pence wallet.positive_pence not null,
    balance_before_pence bigint not null,
    balance_after_pence bigint not null,
    provider_cost_pence wallet.unsigned_pence,
    client_charged_pence bigint,
    gross_profit_pence bigint,
    markup_percent integer,
    type text not null,
    direction text not null,
    idempotency_key wallet.filled_text collate "C" not null,
    call_id text,
    vapi_call_id text,
    stripe_payment_intent_id text,
    stripe_charge_id text,
    description text,
    created_by text not null,
    cost_breakdown jsonb,
    entry_hash bytea not null,
    constraint credit_transactions_pkey primary key (org_id, entry_number),
    constraint credit_transactions_idempotency_key_key unique (org_id, idempotency_key),
    constraint credit_transactions_org_id_fkey foreign key (org_id) references wallet.organizations (id),
    constraint credit_transactions_type_direction_check check (
        (type || ' ' || direction)::wallet.entry_kind is not null
    ),
    constraint credit_transactions_balance_after_pence_check check (
        balance_after_pence
        = balance_before_pence + case direction when 'credit' then amount_pence else -amount_pence end
    ),
    constraint credit_transactions_gross_profit_pence_check check (
        gross_profit_pence = amount_pence - provider_cost_pence
    ),
    constraint credit_transactions_adjustment_check check (type <> 'adjustment' or description is not null)
);

alter table wallet.credit_transactions enable row level security;

create policy credit_transactions_tenant_select on wallet.credit_transactions
for select to authenticated
using (
    org_id = (select (nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,org_id}')::uuid)
);

create policy credit_transactions_service_select on wallet.credit_transactions
for select to service_role
using (true);

grant select on wallet.credit_transactions to service_role;

-- Everything but what the service costs its seller.
grant select (
    org_id, entry_number, id, created_at, type, direction, amount_pence, balance_before_pence,
    balance_after_pence, client_charged_pence, call_id, vapi_call_id, description
) on wallet.credit_transactions to authenticated;

comment on table wallet.credit_transactions is
'The ledger: append-only, numbered without a gap and hash-chained per organization. Written by post_transaction alone.';
comment on column wallet.credit_transactions.entry_number is 'Position in the organization''s ledger: 1, 2, 3 … without a gap.';
comment on column wallet.credit_transactions.amount_pence is 'Minor units, always positive; direction says which way.';
comment on column wallet.credit_transactions.idempotency_key is
'One entry per organization and key, for ever. Derived (call:…, topup:…) or the caller''s own.';
comment on column wallet.credit_transactions.provider_cost_pence is 'What the service cost us.';
comment on column wallet.credit_transactions.client_charged_pence is 'What the customer paid for it.';
comment on column wallet.credit_transactions.gross_profit_pence is 'client_charged_pence minus provider_cost_pence.';
comment on column wallet.credit_transactions.markup_percent is
'Mark-up in whole percent as the caller stated it; the two amounts are the exact record.';
comment on column wallet.credit_transactions.created_at is 'Never earlier than the entry before it.';
comment on column wallet.credit_transactions.entry_hash is
'sha256 over the previous entry''s hash and this row; see hash_entry.';

create view wallet.ledger_totals
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
    count(*) filter (where type = 'call_deduction') as total_calls
from wallet.credit_transactions
group by org_id;

grant select on wallet.ledger_totals to service_role;

comment on view wallet.ledger_totals is
'What the ledger adds up to for each organization: the definition that the totals kept on organizations are checked against.';

reset role;
