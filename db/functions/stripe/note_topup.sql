create or replace function wallet.note_topup(
    p_payment wallet.stripe_payment,
    p_status text,
    p_last_error text default null
)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_topup wallet.topups := wallet.lock_topup(p_payment);
    v_status constant text := v_topup.status;
begin
    v_topup := wallet.save_topup(
        v_topup,
        p_payment,
        p_status,
        case when p_payment.tax_known then nullif(p_payment.amount_pence, 0) end,
        p_last_error => p_last_error
    );

    -- Old news of a payment that is credited may be the first to tell of its bonus, or of its tax.
    if v_topup.status = 'paid' then
        if v_topup.bonus_pence > 0 then
            perform wallet.credit_bonus(v_topup, v_topup.idempotency_key, v_topup.stripe_payment_intent_id);
        end if;
        perform wallet.reverse_topup(v_topup, 'Refunds and disputes');
    end if;

    if v_topup.status = 'failed' and v_status is distinct from 'failed' and v_topup.kind = 'wallet_topup' then
        perform wallet.emit_message(
            'payment_failed',
            v_topup.org_id,
            jsonb_build_object(
                'message', format(
                    'A top-up of %s failed: %s',
                    coalesce(wallet.format_money(v_topup.amount_pence, v_topup.currency), 'an unknown amount'),
                    p_last_error
                ),
                'topup_id', v_topup.id,
                'amount_pence', v_topup.amount_pence,
                'stripe_payment_intent_id', v_topup.stripe_payment_intent_id
            )
        );
    end if;

    return jsonb_build_object(
        'success', true,
        'outcome', case when v_topup.status = 'pending' then 'pending' else 'processed' end,
        'topup_status', v_topup.status
    );
end;
$$;

revoke all on function wallet.note_topup(wallet.stripe_payment, text, text) from public;

comment on function wallet.note_topup(wallet.stripe_payment, text, text) is
'Internal: records the state of a payment that has brought no money. Raises WL011: organization_not_found, currency_mismatch.';
