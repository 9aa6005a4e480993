-- What the tests of checkout share. Included with \ir after support.sql.

-- A wallet that is a customer at Stripe already, cus_<name>.
create function pg_temp.customer(p_name text, p_currency text default 'gbp') returns uuid
language plpgsql
as $$
begin
    perform pg_temp.open_wallet(p_name, p_currency => p_currency);
    perform wallet.attach_stripe_customer(pg_temp.org(p_name), 'cus_' || p_name);
    return pg_temp.org(p_name);
end;
$$;

create function pg_temp.begin(
    p_name text, p_amount_pence bigint default 5000, p_key text default null, p_plan text default null
) returns jsonb
language sql
return wallet.begin_topup(pg_temp.org(p_name), p_amount_pence, p_plan, p_key, 'https://acme.example/wallet');

-- The checkout session that Stripe answers to the request of a top-up.
create function pg_temp.session_of(p_begun jsonb, p_changes jsonb default '{}') returns jsonb
language sql
return jsonb_build_object(
    'id', 'cs_' || (p_begun ->> 'topup_id'),
    'object', 'checkout.session',
    'status', 'open',
    'payment_status', 'unpaid',
    'url', 'https://checkout.stripe.com/c/pay/' || (p_begun ->> 'topup_id'),
    'expires_at', floor(extract(epoch from now() + interval '24 hours')),
    'metadata', p_begun #> '{request,params,metadata}'
) || p_changes;

create function pg_temp.attach(p_begun jsonb, p_changes jsonb default '{}') returns jsonb
language sql
return wallet.attach_checkout_session(
    (p_begun ->> 'org_id')::uuid, (p_begun ->> 'topup_id')::uuid, pg_temp.session_of(p_begun, p_changes)
);

create function pg_temp.topup(p_begun jsonb) returns wallet.topups
language sql stable
as $$
    select * from wallet.topups where id = (p_begun ->> 'topup_id')::uuid
$$;

create function pg_temp.topups(p_name text) returns bigint
language sql stable
return (select count(*) from wallet.topups where org_id = pg_temp.org(p_name));
