-- As in the first migration: created when absent, reused when another database of the cluster has made it.
do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'wallet_worker') then
        begin
            create role wallet_worker nologin;
        exception
            when duplicate_object or unique_violation then
                null;  -- made a moment ago by a migration of another database
        end;
    end if;
end;
$$;

set local role wallet_owner;

grant usage on schema wallet to wallet_worker;

create domain wallet.message_topic as text
constraint message_topic_check check (
    value in (
        'low_balance', 'topup_completed', 'payment_failed', 'payment_reversed', 'event_failed', 'wallet_frozen',
        'recharge_failed', 'recharge_needs_action', 'recharge_unresolved', 'auto_recharge_disabled', 'reliability_low'
    )
);

create domain wallet.message_status as text
constraint message_status_check check (value in ('pending', 'delivered', 'dead'));

comment on domain wallet.message_topic is 'What a message tells of.';
comment on domain wallet.message_status is 'How far a message came; see outbox_messages.status.';

create table wallet.outbox_messages (
    id uuid not null default gen_random_uuid(),
    org_id uuid,
    topic wallet.message_topic not null,
    payload jsonb not null,
    status wallet.message_status not null default 'pending',
    attempts integer not null default 0,
    next_try_at timestamptz not null default now(),
    claimed_by wallet.filled_text,
    delivered_to text[] not null default '{}',
    last_error wallet.filled_text,
    created_at timestamptz not null default now(),
    delivered_at timestamptz,
    replayed_by wallet.filled_text,
    constraint outbox_messages_id_key primary key (id),
    constraint outbox_messages_payload_check check (jsonb_typeof(payload) = 'object'),
    constraint outbox_messages_claimed_by_check check (claimed_by is null or status = 'pending'),
    constraint outbox_messages_last_error_check check (status <> 'dead' or last_error is not null),
    constraint outbox_messages_delivered_at_check check ((status = 'delivered') = (delivered_at is not null))
);

create index outbox_messages_pending_idx on wallet.outbox_messages (next_try_at)
where status = 'pending';

create index outbox_messages_dead_idx on wallet.outbox_messages (created_at)
where status = 'dead';

alter table wallet.outbox_messages enable row level security;

create policy outbox_messages_service_select on wallet.outbox_messages
for select to service_role
using (true);

grant select on wallet.outbox_messages to service_role;

comment on table wallet.outbox_messages is
'What people and other programs are told, written in the transaction that caused it and delivered by the worker. Not a tenant table: a message may concern no organization.';
comment on column wallet.outbox_messages.id is
'A message may arrive twice when a worker dies between sending and recording it: its receiver knows it by this id.';
comment on column wallet.outbox_messages.payload is 'The sentence for people under message, and the numbers behind it.';
comment on column wallet.outbox_messages.status is
'pending: waits for next_try_at. delivered: every channel has it. dead: given up after the last attempt, until it is replayed.';
comment on column wallet.outbox_messages.attempts is 'How many times a worker took the message, since it was last replayed.';
comment on column wallet.outbox_messages.next_try_at is
'When a worker may take the message. While one has it: when its lease ends, should it have died.';
comment on column wallet.outbox_messages.claimed_by is 'The worker that has the message now.';
comment on column wallet.outbox_messages.delivered_to is 'The channels that have the message, and won''t get it again.';
comment on column wallet.outbox_messages.last_error is 'What the last failed attempt said: a status or a kind of error for each channel.';

create table wallet.workers (
    worker wallet.filled_text not null,
    version text not null,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    constraint workers_worker_key primary key (worker)
);

alter table wallet.workers enable row level security;

create policy workers_service_select on wallet.workers
for select to service_role
using (true);

grant select on wallet.workers to service_role;

comment on table wallet.workers is
'The workers of the last day: each reports every 10 seconds while it lives. Not a tenant table.';

reset role;
