create or replace function wallet.configure_stripe(
    p_livemode boolean,
    p_actor text,
    p_account text default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform wallet.require_value('p_livemode', p_livemode);
    perform wallet.require_text('p_actor', p_actor);
    if p_account !~ '^acct_' then
        perform wallet.raise_misuse('WL006', 'p_account', 'must be a connected account, acct_…', p_account);
    end if;

    update wallet.stripe_settings
    set livemode = p_livemode, account = p_account, updated_by = p_actor, updated_at = clock_timestamp()
    where singleton;

    return jsonb_build_object('success', true, 'livemode', p_livemode, 'account', p_account);
end;
$$;

revoke all on function wallet.configure_stripe(boolean, text, text) from public;
grant execute on function wallet.configure_stripe(boolean, text, text) to service_role;

comment on function wallet.configure_stripe(boolean, text, text) is
'Says whether live events or test events credit, and which connected account''s (null: our own account). Raises WL001, WL005, WL006.';
