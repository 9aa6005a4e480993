-- Looks twice for whose call it is: before the lock, to know which organization to lock, and under it, when
-- whoever else bills this call has either ended or waits. One bad call must not undo the others of a list,
-- hence the subtransaction.
create or replace function wallet.bill_reported_call(p_report wallet.call_report, p_source text)
returns jsonb
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_call wallet.call_report := wallet.resolve_call(p_report);
    v_org_id constant uuid := v_call.org_id;
    v_currency text;
    v_answer jsonb;
begin
    if v_org_id is null then
        v_answer := wallet.refuse(
            'organization_unknown',
            format(
                'Nothing tells whose call %s is: no reservation, no metadata, no agent, no number.',
                p_report.vapi_call_id
            )
        );
    else
        begin
            select currency into v_currency from wallet.organizations where id = v_org_id for no key update;

            v_call := wallet.resolve_call(p_report);
            if v_call.org_id is distinct from v_org_id then
                v_answer := wallet.refuse('call_moved', 'Another organization was billed for it a moment ago.');
            elsif exists (
                select
                from wallet.calls
                where org_id = v_org_id and call_id = v_call.call_id and vapi_call_id <> v_call.vapi_call_id
            ) then
                v_answer := wallet.refuse(
                    'call_id_taken', format('%s is the id of another call of this organization.', v_call.call_id)
                );
            else
                v_answer := wallet.charge_call(
                    v_org_id,
                    v_call.call_id,
                    v_call,
                    p_source,
                    case
                        when v_currency is not null and v_call.provider_cost_usd is not null
                            then wallet.convert_amount(
                                v_call.provider_cost_usd * 100, 'usd', v_currency, 'nearest', v_org_id, v_call.placed_at
                            )
                    end
                );
            end if;
        exception
            when others then
                v_answer := wallet.refuse('unexpected_error', format('%s (SQLSTATE %s)', sqlerrm, sqlstate));
        end;
    end if;

    return jsonb_build_object('org_id', v_org_id, 'call_id', v_call.call_id, 'vapi_call_id', v_call.vapi_call_id)
        || v_answer;
end;
$$;

revoke all on function wallet.bill_reported_call(wallet.call_report, text) from public;

comment on function wallet.bill_reported_call(wallet.call_report, text) is
'Internal: bills a call that has ended as its provider reports it. Locks its organization''s row, if it is known, and waits for nothing else. Answers as charge_call, with org_id, call_id and vapi_call_id; refuses organization_unknown, organization_not_found, price_not_found, exchange_rate_not_found, idempotency_conflict, call_id_taken, call_moved, unexpected_error. Raises nothing.';
