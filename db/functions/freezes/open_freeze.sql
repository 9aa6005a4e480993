create or replace function wallet.open_freeze(
    p_org_id uuid,
    p_cause text,
    p_reason text,
    p_actor text,
    p_stripe_id text default null
)
returns uuid
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_freeze_id uuid;
begin
    insert into wallet.wallet_freezes (org_id, cause, stripe_id, reason, frozen_by)
    values (p_org_id, p_cause, p_stripe_id, p_reason, p_actor)
    on conflict (org_id, stripe_id) do nothing
    returning id into v_freeze_id;

    if found then
        update wallet.organizations set frozen = true, updated_at = clock_timestamp() where id = p_org_id;
        perform wallet.cancel_requested_recharge(p_org_id, 'The wallet was frozen.');
        perform wallet.emit_message(
            'wallet_frozen',
            p_org_id,
            jsonb_build_object(
                'message', format('The wallet is frozen: %s.', p_reason),
                'freeze_id', v_freeze_id,
                'cause', p_cause,
                'stripe_id', p_stripe_id
            )
        );
    end if;
    return v_freeze_id;
end;
$$;

revoke all on function wallet.open_freeze(uuid, text, text, text, text) from public;

comment on function wallet.open_freeze(uuid, text, text, text, text) is
'Internal: freezes a wallet, once for each dispute or warning, null when that one has frozen it before. The caller holds the organization''s lock.';
