-- A claim is a lease: it moves next_try_at to its own end, so that a message whose worker dies is due again.
-- Rows that another worker is claiming are passed over, not waited for.
create or replace function wallet.claim_messages(
    p_worker text,
    p_limit integer default 20,
    p_lease_seconds integer default 60
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_messages jsonb;
begin
    perform wallet.require_text('p_worker', p_worker);
    perform wallet.require_value('p_limit', p_limit);
    perform wallet.require_value('p_lease_seconds', p_lease_seconds);
    if p_limit not between 1 and 100 then
        perform wallet.raise_misuse('WL006', 'p_limit', 'must be between 1 and 100', p_limit::text);
    elsif p_lease_seconds not between 1 and 3600 then
        perform wallet.raise_misuse(
            'WL006', 'p_lease_seconds', 'must be between 1 and 3600', p_lease_seconds::text
        );
    end if;

    with due as (
        select id
        from wallet.outbox_messages
        where status = 'pending' and next_try_at <= now()
        order by next_try_at
        limit p_limit
        for no key update skip locked
    ),

    claimed as (
        update wallet.outbox_messages as m
        set
            claimed_by = p_worker,
            attempts = m.attempts + 1,
            next_try_at = now() + make_interval(secs => p_lease_seconds)
        from due
        where m.id = due.id
        returning m.*
    )

    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'id', id,
                'topic', topic,
                'org_id', org_id,
                'payload', payload,
                'created_at', created_at,
                'attempts', attempts,
                'delivered_to', delivered_to
            )
            order by created_at
        ),
        '[]'
    )
    into v_messages
    from claimed;

    return jsonb_build_object('success', true, 'messages', v_messages);
end;
$$;

revoke all on function wallet.claim_messages(text, integer, integer) from public;
grant execute on function wallet.claim_messages(text, integer, integer) to wallet_worker, service_role;

comment on function wallet.claim_messages(text, integer, integer) is
'Gives a worker up to p_limit (1 to 100) messages that are due, for p_lease_seconds (1 to 3,600), to be delivered to the channels that are not in delivered_to and reported with record_delivery. Claims by others are skipped, not waited for. Raises WL001, WL005, WL006.';
