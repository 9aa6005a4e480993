set local role wallet_owner;

create domain wallet.sms_status as text
constraint sms_status_check check (
    value in (
        'accepted', 'scheduled', 'queued', 'sending', 'sent', 'delivered', 'read', 'undelivered', 'failed', 'canceled'
    )
);

comment on domain wallet.sms_status is 'Twilio''s, of messages that go out: www.twilio.com/docs/messaging/api/message-resource.';

create table wallet.sms_messages (
    org_id uuid not null,
    message_id wallet.filled_text not null,
    twilio_sid text,
    segments integer not null,
    status wallet.sms_status,
    error_code text,
    price_pence wallet.unsigned_pence not null,
    cost_breakdown jsonb not null,
    transaction_id uuid,
    refund_transaction_id uuid,
    charged_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint sms_messages_pkey primary key (org_id, message_id),
    constraint sms_messages_twilio_sid_key unique (org_id, twilio_sid),
    constraint sms_messages_org_id_fkey foreign key (org_id) references wallet.organizations (id),
    constraint sms_messages_segments_check check (segments >= 1),
    constraint sms_messages_transaction_id_check check ((price_pence > 0) = (transaction_id is not null)),
    constraint sms_messages_refund_check check (
        refund_transaction_id is null
        or (transaction_id is not null and status in ('undelivered', 'failed', 'canceled'))
    )
);

create index sms_messages_twilio_sid_idx on wallet.sms_messages (twilio_sid);

create table wallet.sms_callbacks (
    twilio_sid wallet.filled_text not null,
    status wallet.sms_status not null,
    error_code text,
    org_id uuid,
    message_id text,
    received_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint sms_callbacks_pkey primary key (twilio_sid),
    constraint sms_callbacks_message_id_check check ((org_id is null) = (message_id is null))
);

create index sms_callbacks_message_id_idx on wallet.sms_callbacks (org_id, message_id);

create table wallet.org_credentials (
    org_id uuid not null,
    id uuid not null default gen_random_uuid(),
    provider wallet.filled_text not null,
    provider_credential_id wallet.filled_text not null,
    managed boolean not null,
    created_at timestamptz not null default now(),
    constraint org_credentials_pkey primary key (org_id, id),
    constraint org_credentials_provider_key unique (org_id, provider, provider_credential_id),
    constraint org_credentials_org_id_fkey foreign key (org_id) references wallet.organizations (id)
);

create domain wallet.number_status as text
constraint number_status_check check (value in ('provisioning', 'active', 'failed', 'released'));

comment on domain wallet.number_status is 'How far a phone number came; see phone_numbers.status.';

create table wallet.phone_numbers (
    org_id uuid not null,
    id uuid not null default gen_random_uuid(),
    number wallet.filled_text not null,
    idempotency_key wallet.filled_text not null,
    status wallet.number_status not null default 'provisioning',
    provider wallet.filled_text not null,
    provider_number_id text,
    credential_id uuid,
    price_pence wallet.unsigned_pence not null,
    cost_breakdown jsonb not null,
    transaction_id uuid,
    refund_transaction_id uuid,
    failure text,
    provisioned_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    released_by wallet.filled_text,
    released_at timestamptz,
    released_with jsonb,
    constraint phone_numbers_pkey primary key (org_id, id),
    constraint phone_numbers_idempotency_key_key unique (org_id, idempotency_key),
    constraint phone_numbers_org_id_fkey foreign key (org_id) references wallet.organizations (id),
    constraint phone_numbers_credential_id_fkey foreign key (org_id, credential_id)
    references wallet.org_credentials (org_id, id),
    constraint phone_numbers_number_check check (number ~ '^\+[1-9][0-9]{6,14}$'),
    constraint phone_numbers_transaction_id_check check ((price_pence > 0) = (transaction_id is not null)),
    constraint phone_numbers_failure_check check ((status = 'failed') = (failure is not null)),
    constraint phone_numbers_released_check check (
        (status = 'released') = (released_at is not null)
        and (released_at is null) = (released_by is null)
        and (released_at is null) = (released_with is null)
    ),
    constraint phone_numbers_ended_check check (status in ('provisioning', 'active') or credential_id is null)
);

create unique index phone_numbers_in_use_key on wallet.phone_numbers (org_id, number)
where status in ('provisioning', 'active');

create index phone_numbers_number_idx on wallet.phone_numbers (number)
where status in ('provisioning', 'active');

create index phone_numbers_provider_number_id_idx on wallet.phone_numbers (provider_number_id);

create table wallet.agents (
    org_id uuid not null,
    id uuid not null default gen_random_uuid(),
    name wallet.filled_text not null,
    vapi_assistant_id text,
    phone_number_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint agents_pkey primary key (org_id, id),
    constraint agents_vapi_assistant_id_key unique (org_id, vapi_assistant_id),
    constraint agents_org_id_fkey foreign key (org_id) references wallet.organizations (id),
    constraint agents_phone_number_id_fkey foreign key (org_id, phone_number_id)
    references wallet.phone_numbers (org_id, id)
);

create index agents_vapi_assistant_id_idx on wallet.agents (vapi_assistant_id);

create index agents_phone_number_id_idx on wallet.agents (org_id, phone_number_id);

alter table wallet.sms_messages enable row level security;
alter table wallet.sms_callbacks enable row level security;
alter table wallet.org_credentials enable row level security;
alter table wallet.phone_numbers enable row level security;
alter table wallet.agents enable row level security;

create policy sms_messages_tenant_select on wallet.sms_messages
for select to authenticated
using (
    org_id = (select (nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,org_id}')::uuid)
);

create policy phone_numbers_tenant_select on wallet.phone_numbers
for select to authenticated
using (
    org_id = (select (nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,org_id}')::uuid)
);

create policy agents_tenant_select on wallet.agents
for select to authenticated
using (
    org_id = (select (nullif(current_setting('request.jwt.claims', true), '')::jsonb #>> '{app_metadata,org_id}')::uuid)
);

create policy sms_messages_service_select on wallet.sms_messages
for select to service_role
using (true);

create policy sms_callbacks_service_select on wallet.sms_callbacks
for select to service_role
using (true);

create policy org_credentials_service_select on wallet.org_credentials
for select to service_role
using (true);

create policy phone_numbers_service_select on wallet.phone_numbers
for select to service_role
using (true);

create policy agents_service_select on wallet.agents
for select to service_role
using (true);

grant select on
wallet.sms_messages, wallet.sms_callbacks, wallet.org_credentials, wallet.phone_numbers, wallet.agents
to service_role;

grant select on wallet.sms_messages, wallet.agents to authenticated;

-- Everything but who worked on it.
grant select (
    org_id, id, number, status, provider, provider_number_id, price_pence, cost_breakdown, transaction_id,
    refund_transaction_id, failure, provisioned_at, updated_at, released_at
) on wallet.phone_numbers to authenticated;

comment on table wallet.sms_messages is 'Every message that was charged, and how far Twilio says it came.';
comment on column wallet.sms_messages.message_id is 'The caller''s id of the message, under which it is charged once.';
comment on column wallet.sms_messages.status is
'As Twilio last told; null: nothing yet. What ends undelivered, failed or canceled gives its charge back, once.';
comment on table wallet.sms_callbacks is
'Statuses that came before we knew which message they are about: applied when it is charged. Not a tenant table.';
comment on column wallet.sms_callbacks.message_id is
'The message that the callback''s URL named, with its organization: a charge without a Twilio id finds it by that.';
comment on table wallet.org_credentials is
'Credentials at a provider, by their ids there; no secret is kept. Managed ones were made by us for our numbers, the others are the customer''s own.';
comment on table wallet.phone_numbers is 'Every phone number that an organization has, or had.';
comment on column wallet.phone_numbers.number is 'E.164.';
comment on column wallet.phone_numbers.status is
'provisioning: charged, and being bought at the provider. active. failed: the provider could not, the charge was given back. released.';
comment on column wallet.phone_numbers.released_with is
'What went with it, as release_phone_number told: credentials to delete at their providers, and agents.';
comment on column wallet.phone_numbers.credential_id is 'The credential that it is called with at the provider.';
comment on table wallet.agents is 'Voice assistants, and the number that each answers.';

reset role;
