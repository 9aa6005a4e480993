create or replace function wallet.answer_phone_number(p_number wallet.phone_numbers)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'org_id', p_number.org_id,
        'phone_number_id', p_number.id,
        'number', p_number.number,
        'status', p_number.status,
        'provider', p_number.provider,
        'provider_number_id', p_number.provider_number_id,
        'credential_id', p_number.credential_id,
        'price_pence', p_number.price_pence,
        'refunded_pence', case when p_number.refund_transaction_id is null then 0 else p_number.price_pence end
    );
end;
$$;

revoke all on function wallet.answer_phone_number(wallet.phone_numbers) from public;

comment on function wallet.answer_phone_number(wallet.phone_numbers) is
'Internal: what a caller learns of a phone number.';
