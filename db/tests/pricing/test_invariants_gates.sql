begin;
select plan(12);
\ir ../support.sql

-- A gate says what the spend that follows is answered. Every combination of a balance, a debt limit,
-- what is held and what is owed is a wallet, some of them frozen as well; each is asked, and then
-- spends, for every service.

do $$
begin
    perform wallet.configure_freeze('operator', true, true, 'ann');
    perform wallet.configure_freeze('early_fraud_warning', true, false, 'ann');
    perform wallet.set_service('archive', 'token', 'license', false, 'ann');
    perform wallet.set_price('archive', 'thousand_tokens', 8, 'gbp', 'ann');
    perform wallet.set_service('gift', 'query', 'license', true, 'ann');
    perform wallet.set_price('gift', 'query', 0, 'gbp', 'ann');
end $$;

create temporary table wallet_state as
select row_number() over () as n, *
from
    unnest(
        array[-501, -500, -473, -472, -471, -443, -30, -1, 0, 1, 29, 55, 56, 79, 80, 112, 142, 395, 425, 475, 1000]
    ) as balance,
    unnest(array[0, 500]) as debt_limit,
    unnest(array['none', 'open', 'lapsed', 'both']) as held,
    unnest(array[0, 30]) as owed,
    unnest(array['no', 'spending', 'recharges']) as frozen
where frozen = 'no' or balance in (-1, 0, 475);

create function pg_temp.make_wallet(p_state wallet_state) returns uuid
language plpgsql
as $$
declare
    v_org_id constant uuid := pg_temp.open_wallet('wallet ' || p_state.n, p_state.balance, p_state.debt_limit);
begin
    insert into wallet.credit_reservations (
        org_id, call_id, requested_minutes, estimated_minutes, requested_pence, reserved_pence, expires_at
    )
    select v_org_id, kind, 1, 1, pence, pence, clock_timestamp() + until
    from (
        values ('open', 50, interval '1 hour'), ('lapsed', 83, interval '0')
    ) as hold (kind, pence, until)
    where p_state.held in (kind, 'both');

    if p_state.owed > 0 then
        insert into wallet.calls (
            org_id, call_id, source, placed_at, duration_seconds, cost_pence, charged_pence, owed_pence, cost_breakdown
        )
        values (v_org_id, 'owing', 'backend', now(), 30, p_state.owed, 0, p_state.owed, '{}');
    end if;

    update wallet.organizations
    set
        owed_pence = p_state.owed,
        reserved_pence = (
            select coalesce(sum(reserved_pence), 0) from wallet.credit_reservations where org_id = v_org_id
        )
    where id = v_org_id;

    if p_state.frozen <> 'no' then
        perform wallet.open_freeze(
            v_org_id,
            case p_state.frozen when 'spending' then 'operator' else 'early_fraud_warning' end,
            'test',
            'test'
        );
    end if;
    return v_org_id;
end;
$$;

-- What the gate says and what the spend is answered, which is then undone.
create function pg_temp.try_spend(
    p_org_id uuid, p_service text, p_quantity bigint, p_spend text, out gate jsonb, out spend jsonb
)
language plpgsql
as $$
begin
    gate := wallet.check_billing_gate(p_org_id, p_service, p_quantity);
    execute p_spend into spend using p_org_id;
    raise exception 'undo' using errcode = 'ZZ001';
exception when sqlstate 'ZZ001' then
    null;
end;
$$;

create temporary table asked as
select s.*, pg_temp.make_wallet(s) as org_id from wallet_state as s;

create temporary table usage as
select
    *,
    wallet.price_usage(pg_temp.org('wallet 1'), service, quantity, now()) -> 'amount_pence' as price
from (
    values
    ('call', 60, $$select wallet.reserve_call_credits($1, 'call', p_estimated_minutes => 1)$$),
    ('call', 120, $$select wallet.reserve_call_credits($1, 'call', p_estimated_minutes => 2)$$),
    ('sms', 7, $$select wallet.charge_sms($1, 'message', 7)$$),
    ('phone_provisioning', 1, $$select wallet.provision_phone_number($1, '+442079460000', 'number')$$),
    ('archive', 10000, $$select wallet.charge_usage($1, 'archive', 10000, 'usage')$$),
    ('gift', 1, $$select wallet.charge_usage($1, 'gift', 1, 'usage')$$)
) as service (service, quantity, spend_statement);

create temporary table answered as
select a.*, u.service, u.quantity, u.price::bigint, t.gate, t.spend
from asked as a, usage as u, lateral pg_temp.try_spend(a.org_id, u.service, u.quantity, u.spend_statement) as t;

select is_empty(
    format(
        $$
            select balance, debt_limit, held, owed, frozen, gate, spend
            from answered
            where
                service = %L
                and quantity = %s
                and (
                    (gate -> 'allowed')::boolean is distinct from (
                        (spend -> 'success')::boolean
                        -- The minimum is the one thing that a gate knows and a spend doesn't.
                        and (gate -> 'required_pence')::bigint <= greatest(price, (gate -> 'available_pence')::bigint)
                    )
                    or (
                        (gate -> 'required_pence')::bigint = price
                        and gate ->> 'reason' is distinct from spend ->> 'error'
                    )
                )
        $$,
        service, quantity
    ),
    format('%s of %s: the gate says what the spend is answered, and why', quantity, service)
)
from usage;
select ok(
    count(*) filter (where (gate -> 'allowed')::boolean) > 50
    and count(*) filter (where not (gate -> 'allowed')::boolean) > case service when 'gift' then -1 else 50 end,
    format(
        '%s of %s: %s of %s wallets may',
        quantity, service, count(*) filter (where (gate -> 'allowed')::boolean), count(*)
    )
)
from answered
group by service, quantity;

select * from finish();
rollback;
