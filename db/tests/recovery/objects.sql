-- Refunds and disputes as Stripe lists them. Included with \ir after events.sql.

create function pg_temp.listed_refund(p_changes jsonb default '{}') returns jsonb
language sql
return jsonb_build_object(
    'id', 're_1', 'object', 'refund', 'status', 'succeeded', 'amount', 2000, 'currency', 'gbp',
    'payment_intent', 'pi_1', 'charge', 'ch_1'
) || p_changes;

-- p_moved: the amounts of its balance transactions.
create function pg_temp.listed_dispute(p_moved bigint[] default '{}', p_changes jsonb default '{}') returns jsonb
language sql
return jsonb_build_object(
    'id', 'du_1', 'object', 'dispute', 'status', 'needs_response', 'reason', 'fraudulent', 'amount', 5000,
    'currency', 'gbp', 'payment_intent', 'pi_1', 'charge', 'ch_1',
    'balance_transactions', (
        select coalesce(jsonb_agg(jsonb_build_object('object', 'balance_transaction', 'amount', amount)), '[]')
        from unnest(p_moved) as amount
    )
) || p_changes;
