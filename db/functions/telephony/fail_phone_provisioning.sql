create or replace function wallet.fail_phone_provisioning(
    p_org_id uuid,
    p_idempotency_key text,
    p_reason text
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_number wallet.phone_numbers;
    v_is_duplicate boolean;
    v_answer jsonb;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_text('p_idempotency_key', p_idempotency_key);
    perform wallet.require_text('p_reason', p_reason);

    perform from wallet.organizations where id = p_org_id for no key update;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select * into v_number
    from wallet.phone_numbers
    where org_id = p_org_id and idempotency_key = p_idempotency_key;
    if not found then
        return wallet.refuse_unknown_number(p_org_id, p_idempotency_key);
    elsif v_number.status not in ('provisioning', 'failed') then
        return wallet.refuse_number_status('number_not_provisioning', v_number);
    end if;
    v_is_duplicate := v_number.status = 'failed';

    v_answer := jsonb_build_object('success', true, 'amount_pence', 0, 'transaction_id', null);
    if v_number.transaction_id is not null then
        v_answer := wallet.post_transaction(
            p_org_id => p_org_id,
            p_type => 'refund',
            p_direction => 'credit',
            p_amount_pence => v_number.price_pence,
            p_idempotency_key => 'refund:phone:' || p_idempotency_key,
            p_overdraft => 'none',
            p_created_by => 'system',
            p_description => format('Phone number %s: %s', v_number.number, p_reason)
        );
        if v_answer ? 'error' then
            return v_answer;
        end if;
    end if;

    if not v_is_duplicate then
        update wallet.phone_numbers
        set
            status = 'failed',
            failure = p_reason,
            refund_transaction_id = (v_answer ->> 'transaction_id')::uuid,
            updated_at = clock_timestamp()
        where org_id = p_org_id and id = v_number.id
        returning * into v_number;
    end if;

    return v_answer
    || wallet.answer_phone_number(v_number)
    || jsonb_build_object('duplicate', v_is_duplicate, 'reason', v_number.failure);
end;
$$;

revoke all on function wallet.fail_phone_provisioning(uuid, text, text) from public;
grant execute on function wallet.fail_phone_provisioning(uuid, text, text) to service_role;

comment on function wallet.fail_phone_provisioning(uuid, text, text) is
'Records that the provider could not supply the phone number of this key, frees it, and gives its charge back once, as a refund entry. Locks the organization''s row. Refuses organization_not_found, phone_number_not_found, number_not_provisioning, idempotency_conflict (the give-back''s key stands for other money); raises WL001, WL005, WL009.';
