begin;
select plan(4);
\ir ../support.sql

create function pg_temp.announced(p_topup jsonb) returns jsonb
language plpgsql
as $$
begin
    perform wallet.announce_topup(
        jsonb_populate_record(
            null::wallet.topups,
            jsonb_build_object(
                'org_id', pg_temp.org('acme'), 'id', pg_temp.org('top-up'), 'kind', 'wallet_topup',
                'amount_pence', 5000, 'bonus_pence', 0, 'currency', 'gbp'
            ) || p_topup
        )
    );
    return (select payload from wallet.outbox_messages where topic = 'topup_completed' order by ctid desc limit 1);
end;
$$;

do $$ begin perform pg_temp.open_wallet('acme', 7000); end $$;

select is(
    pg_temp.announced('{}'),
    jsonb_build_object(
        'message', 'A top-up of £50.00 is paid, the balance is £70.00.', 'topup_id', pg_temp.org('top-up'),
        'kind', 'wallet_topup', 'amount_pence', 5000, 'bonus_pence', 0, 'balance_pence', 7000
    ),
    'a top-up is told with its numbers'
);
select is(
    (select org_id from wallet.outbox_messages), pg_temp.org('acme'), 'as its organization''s message'
);
select alike(
    pg_temp.announced('{"kind": "wallet_auto_recharge"}') ->> 'message', 'An automatic recharge of £50.00 is paid%',
    'an automatic recharge is called one'
);
select alike(
    pg_temp.announced('{"currency": "jpy"}') ->> 'message', 'A top-up of ¥5,000 is paid%', 'yen are told as yen'
);

select * from finish();
rollback;
