create or replace function wallet.begin_own_topup(
    p_amount_pence bigint default null,
    p_plan text default null,
    p_request_key text default null,
    p_return_url text default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_org_id constant uuid := wallet.own_org_id();
    v_claims jsonb;
    v_answer jsonb;
begin
    if v_org_id is null then
        return wallet.refuse_unknown_organization(null);
    end if;

    v_claims := current_setting('request.jwt.claims');
    v_answer := wallet.begin_topup(
        v_org_id,
        p_amount_pence => p_amount_pence,
        p_plan => p_plan,
        p_request_key => p_request_key,
        p_return_url => p_return_url,
        p_user_id => nullif(v_claims ->> 'sub', ''),
        p_user_email => nullif(v_claims ->> 'email', '')
    );

    -- Why a wallet is frozen is an operator's own word.
    if v_answer ->> 'error' = 'wallet_frozen' then
        return v_answer || '{"message": "Top-ups of this wallet are on hold. Please contact us."}';
    end if;
    return v_answer;
end;
$$;

revoke all on function wallet.begin_own_topup(bigint, text, text, text) from public;
grant execute on function wallet.begin_own_topup(bigint, text, text, text) to authenticated;

comment on function wallet.begin_own_topup(bigint, text, text, text) is
'begin_topup for the organization and by the user (sub, email) that the token names. What comes next needs Stripe''s key: it is for the service, or a function of yours, to do. Locks the organization''s row. Refuses organization_not_found, wallet_frozen, amount_out_of_range, currency_not_offered, plan_not_found, idempotency_conflict, topup_closed; raises WL001, WL002, WL005, WL006.';
