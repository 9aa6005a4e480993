-- The give-back's key is the message's: however often its failure is told, it is one entry.
create or replace function wallet.apply_sms_status(
    p_org_id uuid,
    p_message_id text,
    p_status text,
    p_error_code text
)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_message wallet.sms_messages;
    v_refund jsonb := '{}';
    v_is_given_back boolean := false;
    v_outcome text := 'processed';
begin
    select * into strict v_message
    from wallet.sms_messages
    where org_id = p_org_id and message_id = p_message_id;

    if v_message.status = p_status then
        v_outcome := 'duplicate';
    elsif not wallet.is_later_sms_status(v_message.status, p_status) then
        v_outcome := 'ignored';
    else
        if p_status in ('undelivered', 'failed', 'canceled') and v_message.transaction_id is not null then
            v_refund := wallet.post_transaction(
                p_org_id => p_org_id,
                p_type => 'refund',
                p_direction => 'credit',
                p_amount_pence => v_message.price_pence,
                p_idempotency_key => 'refund:sms:' || p_message_id,
                p_overdraft => 'none',
                p_created_by => 'twilio',
                p_description => format('SMS %s ended %s', p_message_id, p_status)
            );
            v_is_given_back := (v_refund ->> 'success')::boolean;
            if not v_is_given_back then
                v_outcome := 'failed';
            end if;
        end if;

        update wallet.sms_messages
        set
            status = p_status,
            error_code = coalesce(p_error_code, error_code),
            refund_transaction_id = case when v_is_given_back then (v_refund ->> 'transaction_id')::uuid end,
            updated_at = clock_timestamp()
        where org_id = p_org_id and message_id = p_message_id
        returning * into v_message;
    end if;

    return jsonb_build_object('success', true)
    || v_refund
    || wallet.answer_sms(v_message)
    || jsonb_build_object('outcome', v_outcome, 'duplicate', v_outcome = 'duplicate');
end;
$$;

revoke all on function wallet.apply_sms_status(uuid, text, text, text) from public;

comment on function wallet.apply_sms_status(uuid, text, text, text) is
'Internal: records a status of a charged message. outcome: processed, duplicate, or ignored when it is older than what is known. One that ends undelivered, failed or canceled gives its charge back once, as a refund entry; where that is refused (idempotency_conflict: its key stands for other money) the outcome is failed, and the status recorded. The caller holds the organization''s lock.';
