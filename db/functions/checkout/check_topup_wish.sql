create or replace function wallet.check_topup_wish(
    p_org_id uuid,
    p_amount_pence bigint,
    p_plan text,
    p_request_key text,
    p_return_url text,
    p_user_id text,
    p_user_email text
)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    perform wallet.require_value('p_org_id', p_org_id);
    if p_plan is null then
        perform wallet.require_amount('p_amount_pence', p_amount_pence);
    elsif p_amount_pence is not null then
        perform wallet.raise_misuse('WL006', 'p_amount_pence', 'must be left out where p_plan is given', p_amount_pence::text);
    else
        perform wallet.require_text('p_plan', p_plan);
    end if;
    if p_request_key is not null then
        perform wallet.require_text('p_request_key', p_request_key);
    end if;
    if p_user_id is not null then
        perform wallet.require_text('p_user_id', p_user_id);
    end if;
    if p_user_email is not null then
        perform wallet.require_text('p_user_email', p_user_email);
    end if;
    perform wallet.require_value('p_return_url', p_return_url);
    if p_return_url !~ '^https?://[^\s#]+$' or length(p_return_url) > 2000 then
        perform wallet.raise_misuse(
            'WL006', 'p_return_url', 'must be a URL of at most 2000 characters, without a fragment', p_return_url
        );
    end if;
end;
$$;

revoke all on function wallet.check_topup_wish(uuid, bigint, text, text, text, text, text) from public;

comment on function wallet.check_topup_wish(uuid, bigint, text, text, text, text, text) is
'Internal: the arguments of begin_topup. Raises WL001, WL002, WL005, WL006.';
