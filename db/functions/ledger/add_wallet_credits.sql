-- Without a key of the caller's the Stripe id is the key, so that the same payment told twice is one
-- credit; with neither a retry could not be told from a second payment, and the call is misuse.
create or replace function wallet.add_wallet_credits(
    p_org_id uuid,
    p_amount_pence bigint,
    p_type text,
    p_stripe_payment_intent_id text default null,
    p_stripe_charge_id text default null,
    p_description text default null,
    p_created_by text default 'system',
    p_idempotency_key text default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_key text := coalesce(
        p_idempotency_key,
        p_type || ':' || p_stripe_payment_intent_id,
        p_type || ':' || p_stripe_charge_id
    );
    v_payment wallet.stripe_payment;
    v_topup wallet.topups;
    v_answer jsonb;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_amount('p_amount_pence', p_amount_pence);
    perform wallet.check_entry_type(p_type, 'credit');
    perform wallet.require_text('p_created_by', p_created_by);
    if p_type = 'adjustment' then
        perform wallet.require_text('p_description', p_description);
    end if;
    if p_idempotency_key is not null then
        perform wallet.require_text('p_idempotency_key', p_idempotency_key);
    elsif p_stripe_payment_intent_id is not null then
        perform wallet.require_text('p_stripe_payment_intent_id', p_stripe_payment_intent_id);
    elsif p_stripe_charge_id is not null then
        perform wallet.require_text('p_stripe_charge_id', p_stripe_charge_id);
    else
        perform wallet.raise_misuse(
            'WL001', 'p_idempotency_key', 'is required without a p_stripe_payment_intent_id or p_stripe_charge_id'
        );
    end if;

    -- A payment that Stripe's events or another key have credited already is answered with that credit.
    if p_type = 'topup' and p_stripe_payment_intent_id is not null then
        perform wallet.lock_payment_intent(p_stripe_payment_intent_id);
        perform from wallet.organizations where id = p_org_id for no key update;

        v_payment := jsonb_populate_record(
            null::wallet.stripe_payment,
            jsonb_build_object(
                'kind', 'wallet_topup',
                'org_id', p_org_id,
                'payment_intent_id', p_stripe_payment_intent_id,
                'currency', (select currency from wallet.organizations where id = p_org_id)
            )
        );
        v_topup := wallet.find_topup(v_payment);
        v_key := coalesce(v_topup.idempotency_key, v_key);
    end if;

    v_answer := wallet.post_transaction(
        p_org_id => p_org_id,
        p_type => p_type,
        p_direction => 'credit',
        p_amount_pence => p_amount_pence,
        p_idempotency_key => v_key,
        p_overdraft => null,
        p_created_by => p_created_by,
        p_description => p_description,
        p_stripe_payment_intent_id => p_stripe_payment_intent_id,
        p_stripe_charge_id => p_stripe_charge_id
    );

    if not (v_answer ->> 'success')::boolean then
        return v_answer;
    end if;

    if v_topup.bonus_pence > 0 then
        v_answer := v_answer || wallet.credit_bonus(v_topup, v_key, p_stripe_payment_intent_id);
    end if;

    if v_payment.payment_intent_id is not null then
        perform wallet.save_topup(v_topup, v_payment, 'paid', p_amount_pence, v_key);
        perform wallet.apply_parked_events(p_stripe_payment_intent_id);
    end if;

    return v_answer || jsonb_build_object('amount_added', p_amount_pence);
end;
$$;

revoke all on function wallet.add_wallet_credits(uuid, bigint, text, text, text, text, text, text) from public;
grant execute on function wallet.add_wallet_credits(uuid, bigint, text, text, text, text, text, text)
to service_role;

comment on function wallet.add_wallet_credits(uuid, bigint, text, text, text, text, text, text) is
'Credits a wallet once per key; the key defaults to <type>:<payment intent or charge>. Minor units, above 0. Locks the payment intent of a topup, then the organization''s row. Refuses organization_not_found, idempotency_conflict; raises WL001 to WL005 and WL009.';
