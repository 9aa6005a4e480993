create or replace function wallet.refuse_number_status(p_error text, p_number wallet.phone_numbers)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    return wallet.refuse(
        p_error,
        format('Phone number %s is %s.', p_number.number, p_number.status),
        jsonb_build_object('phone_number_id', p_number.id, 'number', p_number.number, 'status', p_number.status)
    );
end;
$$;

revoke all on function wallet.refuse_number_status(text, wallet.phone_numbers) from public;

comment on function wallet.refuse_number_status(text, wallet.phone_numbers) is
'Internal: a refusal because of how far a phone number came: number_not_provisioning or number_not_active.';
