create or replace function wallet.attach_checkout_session(p_org_id uuid, p_topup_id uuid, p_session jsonb)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id constant text := p_session ->> 'id';
    v_url constant text := p_session ->> 'url';
    v_topup wallet.topups;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_value('p_topup_id', p_topup_id);
    perform wallet.require_text('p_session.id', v_id);
    if v_url !~ '^(https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/])[^\s]+$' then
        perform wallet.raise_misuse('WL006', 'p_session.url', 'must start with https://', v_url);
    elsif coalesce(p_session ->> 'expires_at', '') !~ '^[0-9]{1,11}$' then
        perform wallet.raise_misuse(
            'WL006', 'p_session.expires_at', 'must be seconds since 1970', p_session ->> 'expires_at'
        );
    elsif p_session #>> '{metadata,topup_id}' is distinct from p_topup_id::text then
        perform wallet.raise_misuse(
            'WL006', 'p_session.metadata.topup_id', 'must be p_topup_id', p_session #>> '{metadata,topup_id}'
        );
    end if;

    perform from wallet.organizations where id = p_org_id for no key update;

    update wallet.topups
    set
        stripe_checkout_session_id = v_id,
        checkout_url = case when stripe_checkout_session_id is null then v_url else checkout_url end,
        expires_at = to_timestamp((p_session ->> 'expires_at')::bigint),
        updated_at = clock_timestamp()
    where
        org_id = p_org_id
        and id = p_topup_id
        and coalesce(stripe_checkout_session_id, v_id) = v_id
    returning * into v_topup;
    if not found then
        return wallet.refuse(
            'topup_not_found',
            format('Organization %s has no top-up %s that waits for this session.', p_org_id, p_topup_id),
            jsonb_build_object('org_id', p_org_id, 'topup_id', p_topup_id)
        );
    elsif not wallet.is_topup_open(v_topup) then
        return wallet.refuse_closed_topup(v_topup);
    end if;

    return jsonb_build_object('success', true, 'duplicate', false) || wallet.describe_topup(v_topup);
end;
$$;

revoke all on function wallet.attach_checkout_session(uuid, uuid, jsonb) from public;
grant execute on function wallet.attach_checkout_session(uuid, uuid, jsonb) to wallet_webhook, service_role;

comment on function wallet.attach_checkout_session(uuid, uuid, jsonb) is
'Keeps the checkout session that Stripe answered for a top-up: its id, page and end. The page has to be https, or on this machine. Answers as begin_topup, next redirect. Locks the organization''s row. Refuses topup_not_found, topup_closed; raises WL001, WL005, WL006.';
