set local role wallet_owner;

create domain wallet.price_rounding as text
constraint price_rounding_check check (value in ('up', 'nearest', 'down'));

comment on domain wallet.price_rounding is
'How an amount becomes whole minor units: up, to the nearest (halves up), or down.';

create table wallet.price_units (
    unit wallet.filled_text not null,
    measured_in wallet.filled_text not null,
    size wallet.positive_pence not null,
    constraint price_units_pkey primary key (unit)
);

insert into wallet.price_units (unit, measured_in, size)
values
('second', 'second', 1),
('minute', 'second', 60),
('hour', 'second', 3600),
('segment', 'segment', 1),
('query', 'query', 1),
('number', 'number', 1),
('token', 'token', 1),
('thousand_tokens', 'token', 1000),
('million_tokens', 'token', 1000000);

create table wallet.services (
    service wallet.filled_text not null,
    priced_as wallet.filled_text not null,
    measured_in wallet.filled_text not null,
    entry_type text not null,
    uses_debt_limit boolean not null,
    charged_by text not null,
    updated_by text not null default 'migration',
    updated_at timestamptz not null default now(),
    constraint services_pkey primary key (service),
    constraint services_priced_as_key unique (priced_as),
    constraint services_entry_type_check check ((entry_type || ' debit')::wallet.entry_kind is not null),
    constraint services_charged_by_check check (
        charged_by in ('bill_call', 'charge_sms', 'charge_usage', 'provision_phone_number')
    )
);

insert into wallet.services (service, priced_as, measured_in, entry_type, uses_debt_limit, charged_by)
values
('call', 'call', 'second', 'call_deduction', false, 'bill_call'),
('sms', 'sms', 'segment', 'sms_deduction', true, 'charge_sms'),
('knowledge_base_query', 'knowledge_base_query', 'query', 'knowledge_base_deduction', true, 'charge_usage'),
('phone_provisioning', 'phone_number', 'number', 'phone_provisioning', false, 'provision_phone_number');

create table wallet.prices (
    org_id uuid,
    id bigint generated always as identity,
    service wallet.filled_text not null,
    unit wallet.filled_text not null,
    unit_price numeric(20, 8),
    currency wallet.currency_code not null,
    rounding wallet.price_rounding not null default 'up',
    effective_from timestamptz not null default now(),
    created_by wallet.filled_text not null default 'migration',
    created_at timestamptz not null default now(),
    constraint prices_org_id_id_key unique nulls not distinct (org_id, id),
    constraint prices_org_id_fkey foreign key (org_id) references wallet.organizations (id),
    constraint prices_service_fkey foreign key (service) references wallet.services (priced_as),
    constraint prices_unit_fkey foreign key (unit) references wallet.price_units (unit),
    constraint prices_unit_price_check check (unit_price >= 0),
    constraint prices_withdrawn_check check (unit_price is not null or org_id is not null)
);

create index prices_service_idx on wallet.prices (service, org_id, effective_from, id);

insert into wallet.prices (service, unit, unit_price, currency, effective_from)
values
('call', 'minute', 70, 'usd', '-infinity'),
('sms', 'segment', 5, 'usd', '-infinity'),
('knowledge_base_query', 'query', 1, 'usd', '-infinity'),
('phone_number', 'number', 500, 'usd', '-infinity');

create table wallet.exchange_rates (
    org_id uuid,
    id bigint generated always as identity,
    from_currency wallet.currency_code not null,
    to_currency wallet.currency_code not null,
    rate numeric(20, 10),
    effective_from timestamptz not null default now(),
    created_by wallet.filled_text not null default 'migration',
    created_at timestamptz not null default now(),
    constraint exchange_rates_org_id_id_key unique nulls not distinct (org_id, id),
    constraint exchange_rates_org_id_fkey foreign key (org_id) references wallet.organizations (id),
    constraint exchange_rates_currencies_check check (from_currency <> to_currency),
    constraint exchange_rates_rate_check check (rate > 0),
    constraint exchange_rates_withdrawn_check check (rate is not null or org_id is not null)
);

create index exchange_rates_currencies_idx
on wallet.exchange_rates (from_currency, to_currency, org_id, effective_from, id);

insert into wallet.exchange_rates (from_currency, to_currency, rate, effective_from)
values ('usd', 'gbp', 0.79, '-infinity');

create table wallet.gate_limits (
    org_id uuid,
    id bigint generated always as identity,
    service wallet.filled_text not null,
    minimum_pence wallet.unsigned_pence,
    currency wallet.currency_code not null,
    effective_from timestamptz not null default now(),
    created_by wallet.filled_text not null default 'migration',
    created_at timestamptz not null default now(),
    constraint gate_limits_org_id_id_key unique nulls not distinct (org_id, id),
    constraint gate_limits_org_id_fkey foreign key (org_id) references wallet.organizations (id),
    constraint gate_limits_service_fkey foreign key (service) references wallet.services (service),
    constraint gate_limits_withdrawn_check check (minimum_pence is not null or org_id is not null)
);

create index gate_limits_service_idx on wallet.gate_limits (service, org_id, effective_from, id);

insert into wallet.gate_limits (service, minimum_pence, currency, effective_from)
values ('call', 79, 'gbp', '-infinity');

alter table wallet.price_units enable row level security;
alter table wallet.services enable row level security;
alter table wallet.prices enable row level security;
alter table wallet.exchange_rates enable row level security;
alter table wallet.gate_limits enable row level security;

create policy price_units_service_select on wallet.price_units
for select to service_role
using (true);

create policy services_service_select on wallet.services
for select to service_role
using (true);

create policy prices_service_select on wallet.prices
for select to service_role
using (true);

create policy exchange_rates_service_select on wallet.exchange_rates
for select to service_role
using (true);

create policy gate_limits_service_select on wallet.gate_limits
for select to service_role
using (true);

grant select on
wallet.price_units, wallet.services, wallet.prices, wallet.exchange_rates, wallet.gate_limits
to service_role;

comment on table wallet.price_units is
'What a price may be per: so many of what a service is measured in. A minute is 60 seconds.';
comment on table wallet.services is
'What the wallet pays for: how each is measured and priced, and as what its charge is booked. Changed by set_service.';
comment on column wallet.services.priced_as is 'Its name in prices.';
comment on column wallet.services.measured_in is 'What quantities of it count: seconds, segments, queries, numbers.';
comment on column wallet.services.entry_type is 'The type of the ledger entry that charges it.';
comment on column wallet.services.uses_debt_limit is
'Whether its gate lets it be paid out of the debt limit. A call begins with a reservation, and that may not.';
comment on column wallet.services.charged_by is 'The function that charges it.';
comment on table wallet.prices is
'The price book; append-only. The newest price that is in effect applies, an organization''s own before the general one. Changed by set_price.';
comment on column wallet.prices.org_id is 'The one organization that it is for; null: all.';
comment on column wallet.prices.unit_price is
'Minor units of currency, with fractions, per unit. Null: from then on the general price applies to the organization again.';
comment on column wallet.prices.rounding is
'Applied twice: to the minor unit of its own currency, then to that of the wallet''s.';
comment on column wallet.prices.effective_from is
'Applies to what begins from then on. Among equal times the one that was written last applies.';
comment on table wallet.exchange_rates is
'What one unit of a currency costs in another; append-only. The newest that is in effect applies, an organization''s own before the general one. Changed by set_exchange_rate.';
comment on column wallet.exchange_rates.rate is
'Of whole units: pounds for a dollar. Null: from then on the general rate applies to the organization again.';
comment on table wallet.gate_limits is
'What a wallet must be able to spend before a service may begin, however small the quantity; append-only. The newest that is in effect applies, an organization''s own before the general one. Changed by set_gate_limit.';
comment on column wallet.gate_limits.minimum_pence is
'Minor units of currency. Null: from then on the general minimum applies to the organization again.';

reset role;
