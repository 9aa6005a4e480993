create or replace function wallet.answer_sms(p_message wallet.sms_messages)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    return jsonb_build_object(
        'org_id', p_message.org_id,
        'message_id', p_message.message_id,
        'twilio_sid', p_message.twilio_sid,
        'segments', p_message.segments,
        'price_pence', p_message.price_pence,
        'cost_breakdown', p_message.cost_breakdown,
        'status', p_message.status,
        'error_code', p_message.error_code,
        'refunded_pence', case when p_message.refund_transaction_id is null then 0 else p_message.price_pence end,
        'refund_transaction_id', p_message.refund_transaction_id
    );
end;
$$;

revoke all on function wallet.answer_sms(wallet.sms_messages) from public;

comment on function wallet.answer_sms(wallet.sms_messages) is
'Internal: what a caller learns of a charged message: its price, how far it came, and what was given back for it.';
