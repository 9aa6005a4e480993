-- Charged before it is bought: what the provider then refuses is given back by fail_phone_provisioning,
-- and nobody gets a number that nobody paid for.
create or replace function wallet.provision_phone_number(
    p_org_id uuid,
    p_number text,
    p_idempotency_key text,
    p_provider text default 'twilio',
    p_description text default null
)
returns jsonb
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_number wallet.phone_numbers;
    v_is_new boolean;
    v_user uuid;
    v_price jsonb;
    v_answer jsonb;
begin
    perform wallet.require_value('p_org_id', p_org_id);
    perform wallet.require_text('p_number', p_number);
    if p_number !~ '^\+[1-9][0-9]{6,14}$' then
        perform wallet.raise_misuse('WL006', 'p_number', 'must be in E.164, such as +442079460000', p_number);
    end if;
    perform wallet.require_text('p_idempotency_key', p_idempotency_key);
    perform wallet.require_text('p_provider', p_provider);

    perform wallet.lock_phone_number(p_number);
    perform from wallet.organizations where id = p_org_id for no key update;
    if not found then
        return wallet.refuse_unknown_organization(p_org_id);
    end if;

    select * into v_number
    from wallet.phone_numbers
    where org_id = p_org_id and idempotency_key = p_idempotency_key;
    v_is_new := not found;

    if v_is_new then
        v_user := wallet.find_number_user(p_number);
        if v_user is not null then
            return wallet.refuse(
                'number_in_use',
                format('Phone number %s is in use.', p_number),
                jsonb_build_object('number', p_number, 'is_own', v_user = p_org_id)
            );
        end if;
        v_price := wallet.price_usage(p_org_id, 'phone_provisioning', 1, now());
        if v_price ? 'error' then
            return v_price;
        end if;
    elsif (v_number.number, v_number.provider) <> (p_number, p_provider) then
        return wallet.refuse(
            'idempotency_conflict',
            format('Key %s already stands for phone number %s.', p_idempotency_key, v_number.number),
            jsonb_build_object(
                'idempotency_key', p_idempotency_key,
                'original_number', v_number.number,
                'original_provider', v_number.provider,
                'original_amount_pence', v_number.price_pence,
                'attempted_number', p_number,
                'attempted_provider', p_provider
            )
        );
    else
        -- A replay is answered at the price of its time.
        v_price := jsonb_build_object('amount_pence', v_number.price_pence);
    end if;

    if v_price -> 'amount_pence' = '0' then
        v_answer := jsonb_build_object(
            'success', true, 'duplicate', not v_is_new, 'amount_pence', 0, 'transaction_id', null
        );
    else
        v_answer := wallet.post_transaction(
            p_org_id => p_org_id,
            p_type => 'phone_provisioning',
            p_direction => 'debit',
            p_amount_pence => (v_price ->> 'amount_pence')::bigint,
            p_idempotency_key => p_idempotency_key,
            p_overdraft => 'none',
            p_created_by => 'system',
            p_description => coalesce(p_description, 'Phone number ' || p_number),
            p_cost_breakdown => v_price -> 'breakdown'
        );
        if v_answer ? 'error' then
            return v_answer;
        elsif v_is_new and (v_answer ->> 'duplicate')::boolean then
            -- Money that paid for something else doesn't pay for this number as well.
            return wallet.refuse(
                'idempotency_conflict',
                format('Key %s already stands for another entry of this wallet.', p_idempotency_key),
                jsonb_build_object(
                    'idempotency_key', p_idempotency_key,
                    'transaction_id', v_answer -> 'transaction_id',
                    'original_amount_pence', v_answer -> 'amount_pence',
                    'attempted_number', p_number
                )
            );
        end if;
    end if;

    if v_is_new then
        insert into wallet.phone_numbers (
            org_id, number, idempotency_key, provider, price_pence, cost_breakdown, transaction_id
        )
        values (
            p_org_id,
            p_number,
            p_idempotency_key,
            p_provider,
            (v_price ->> 'amount_pence')::bigint,
            v_price -> 'breakdown',
            (v_answer ->> 'transaction_id')::uuid
        )
        returning * into v_number;
    end if;

    return v_answer
    || wallet.answer_phone_number(v_number)
    || jsonb_build_object('cost_breakdown', v_number.cost_breakdown);
end;
$$;

revoke all on function wallet.provision_phone_number(uuid, text, text, text, text) from public;
grant execute on function wallet.provision_phone_number(uuid, text, text, text, text) to service_role;

comment on function wallet.provision_phone_number(uuid, text, text, text, text) is
'Charges a phone number (E.164) that no organization has, never below a balance of 0, and records it as provisioning, once per key; once the provider has answered, complete_phone_provisioning or fail_phone_provisioning. Locks the number, then the organization''s row. Refuses organization_not_found, number_in_use, price_not_found, exchange_rate_not_found, wallet_frozen, insufficient_balance, idempotency_conflict; raises WL001, WL005, WL006, WL009.';
