create or replace function wallet.keep_payment_method(
    p_org_id uuid,
    p_payment_method_id text,
    p_card jsonb default null
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into wallet.payment_methods as m (org_id, id, brand, last4, exp_month, exp_year)
    values (
        p_org_id,
        p_payment_method_id,
        p_card ->> 'brand',
        p_card ->> 'last4',
        (p_card ->> 'exp_month')::integer,
        (p_card ->> 'exp_year')::integer
    )
    on conflict (org_id, id) do update
    set
        brand = coalesce(excluded.brand, m.brand),
        last4 = coalesce(excluded.last4, m.last4),
        exp_month = coalesce(excluded.exp_month, m.exp_month),
        exp_year = coalesce(excluded.exp_year, m.exp_year)
    where p_card is not null;

    if not exists (
        select from wallet.payment_methods
        where org_id = p_org_id and id = p_payment_method_id and detached_at is not null
    ) then
        perform wallet.use_payment_method(p_org_id, p_payment_method_id);
    end if;
end;
$$;

revoke all on function wallet.keep_payment_method(uuid, text, jsonb) from public;

comment on function wallet.keep_payment_method(uuid, text, jsonb) is
'Internal: remembers a saved card, with what may be shown of it, and lets it take an empty or blocked place. One that was detached stays so. The caller holds the organization''s lock.';
