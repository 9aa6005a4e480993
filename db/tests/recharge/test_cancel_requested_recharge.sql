begin;
select plan(19);
\ir ../support.sql
\ir ../stripe/events.sql
\ir recharges.sql

-- An attempt in each state, then taken back; the state of attempt and top-up.
create function pg_temp.taken_back(p_state text) returns text
language plpgsql
as $$
begin
    perform pg_temp.rechargeable(p_state, 0);
    update wallet.recharge_attempts
    set state = p_state, closed_at = case when p_state in ('succeeded', 'declined', 'canceled') then now() end
    where org_id = pg_temp.org(p_state);

    perform wallet.cancel_requested_recharge(pg_temp.org(p_state), 'The wallet was frozen.');

    return (
        select concat_ws(', ', a.state, t.status, a.last_error)
        from pg_temp.attempt(p_state) as a
        inner join wallet.topups as t on t.id = a.id
    );
end;
$$;

select is(
    pg_temp.taken_back('requested'), 'canceled, canceled, The wallet was frozen.',
    'what no worker has claimed is canceled, with its top-up and the reason'
);
select ok((pg_temp.attempt('requested')).closed_at is not null, 'and closed');
select is(pg_temp.taken_back(state), state || ', pending', format('%s takes its course', state))
from
    unnest(
        array['calling', 'unknown', 'processing', 'requires_action', 'unresolved', 'succeeded', 'declined', 'canceled']
    ) as state;

-- Whoever calls it.
create function pg_temp.stopped(p_how text, p_claimed boolean) returns text
language plpgsql
as $$
declare
    v_name constant text := format('%s, claimed %s', p_how, p_claimed);
begin
    perform pg_temp.rechargeable(v_name, 0);
    if p_claimed then
        perform pg_temp.claim(v_name);
    end if;
    case p_how
        when 'freeze' then
            perform wallet.freeze_wallet(pg_temp.org(v_name), 'Under review', 'ann');
        when 'turn off' then
            perform wallet.set_auto_recharge(pg_temp.org(v_name), false, 'ann');
        when 'detach' then
            perform pg_temp.tell(
                'payment_method.detached', pg_temp.card(jsonb_build_object('id', 'pm_' || v_name, 'customer', null))
            );
    end case;
    return pg_temp.attempts(v_name);
end;
$$;

select is(
    pg_temp.stopped(how, claimed), case when claimed then 'calling' else 'canceled' end,
    format('%s: an attempt that is %s', how,
    case when claimed then 'at Stripe goes on' else 'only requested is canceled' end)
)
from
    unnest(array['freeze', 'turn off', 'detach']) as how,
    unnest(array[false, true]) as claimed;
select is(pg_temp.claim(how || ', claimed false'), null, format('%s: no worker gets it any more', how))
from unnest(array['freeze', 'turn off', 'detach']) as how;

select * from finish();
rollback;
