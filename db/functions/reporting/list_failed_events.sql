-- Only Stripe's ids, the amount and the currency are taken out of the stored event: the rest of it is about a person.
create or replace function wallet.list_failed_events(p_limit integer default 20)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_failures jsonb;
begin
    perform wallet.require_value('p_limit', p_limit);
    if p_limit not between 1 and 100 then
        perform wallet.raise_misuse('WL006', 'p_limit', 'must be between 1 and 100', p_limit::text);
    end if;

    with failed as (
        select
            *,
            event_data #> '{data,object}' as object
        from wallet.processed_stripe_webhooks
        where status = 'failed'
        order by received_at desc, event_id
        limit p_limit
    )

    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'event_id', event_id,
                'event_type', event_type,
                'org_id', org_id,
                'error_code', error_code,
                'error_message', error_message,
                'attempts', attempts,
                'received_at', received_at,
                'payment_intent',
                case
                    when object ->> 'object' = 'payment_intent' then object ->> 'id'
                    when jsonb_typeof(object -> 'payment_intent') = 'object' then object #>> '{payment_intent,id}'
                    else object ->> 'payment_intent'
                end,
                'amount', coalesce(
                    jsonb_path_query_first(object, '$.amount_total ? (@.type() == "number")'),
                    jsonb_path_query_first(object, '$.amount ? (@.type() == "number")')
                ),
                'currency', object ->> 'currency'
            )
            order by received_at desc, event_id
        ),
        '[]'
    )
    into v_failures
    from failed;

    return jsonb_build_object(
        'success', true,
        'failures', v_failures,
        'total', (select count(*) from wallet.processed_stripe_webhooks where status = 'failed')
    );
end;
$$;

revoke all on function wallet.list_failed_events(integer) from public;
grant execute on function wallet.list_failed_events(integer) to wallet_webhook, service_role;

comment on function wallet.list_failed_events(integer) is
'The Stripe events that failed and wait for redelivery or replay, the newest first, p_limit (1 to 100) of them, and how many there are in all. payment_intent, amount (in Stripe''s smallest unit) and currency are null where the event doesn''t tell them. Raises WL001, WL006.';
