-- What the test files share. Included with \ir after the plan; everything lives in pg_temp.

-- An organization's id from a name.
create function pg_temp.org(p_name text) returns uuid
language sql immutable
return md5(p_name)::uuid;

-- A new wallet that holds this balance.
create function pg_temp.open_wallet(
    p_name text, p_balance_pence bigint default 0, p_debt_limit_pence bigint default 500, p_currency text default 'gbp'
) returns uuid
language plpgsql
as $$
begin
    perform wallet.create_wallet(
        pg_temp.org(p_name), p_currency => p_currency, p_debt_limit_pence => p_debt_limit_pence
    );
    if p_balance_pence > 0 then
        perform wallet.add_wallet_credits(
            pg_temp.org(p_name), p_balance_pence, 'topup', p_idempotency_key => 'opening balance'
        );
    elsif p_balance_pence < 0 then
        perform wallet.post_transaction(
            pg_temp.org(p_name), 'topup_reversal', 'debit', -p_balance_pence, 'opening debt', 'unlimited', 'test'
        );
    end if;
    return pg_temp.org(p_name);
end;
$$;

-- Holds so much for a call under way; answers the id of the call.
create function pg_temp.hold(p_org_id uuid, p_pence bigint) returns text
language sql
as $$
    update wallet.organizations set reserved_pence = reserved_pence + p_pence where id = p_org_id;

    insert into wallet.credit_reservations (
        org_id, call_id, requested_minutes, estimated_minutes, requested_pence, reserved_pence, expires_at
    )
    values (p_org_id, gen_random_uuid(), 1, 1, p_pence, p_pence, now() + interval '1 hour')
    returning call_id
$$;

create function pg_temp.balance(p_org_id uuid) returns bigint
language sql stable
return (select wallet_balance_pence from wallet.organizations where id = p_org_id);

create function pg_temp.entries(p_org_id uuid) returns bigint
language sql stable
return (select count(*) from wallet.credit_transactions where org_id = p_org_id);

-- Compares the keys that are expected and no others, so that a later key breaks no test.
create function pg_temp.answers(p_answer jsonb, p_expected jsonb, p_description text) returns text
language sql
as $$
    select is(
        (
            select jsonb_object_agg(a.key, a.value)
            from jsonb_each(p_answer) as a
            where p_expected ? a.key
        ),
        p_expected,
        p_description
    )
$$;

-- The statement raises this SQLSTATE, and the error's detail names this field.
create function pg_temp.raises(p_statement text, p_sqlstate text, p_field text, p_description text) returns text
language plpgsql
as $$
declare
    v_state text;
    v_message text;
    v_detail text;
begin
    begin
        execute p_statement;
    exception when others then
        get stacked diagnostics
            v_state = returned_sqlstate, v_message = message_text, v_detail = pg_exception_detail;
    end;
    if v_state is distinct from p_sqlstate then
        return is(format('%s: %s', v_state, v_message), p_sqlstate || ': …', p_description);
    end if;
    return alike(v_detail::jsonb ->> 'field', '%' || p_field || '%', p_description);
end;
$$;

-- A fingerprint of everything that is stored, for "nothing was written".
create function pg_temp.everything() returns text
language plpgsql
as $$
declare
    v_table regclass;
    v_digest text;
    v_all text := '';
begin
    for v_table in
        select oid from pg_class where relnamespace = 'wallet'::regnamespace and relkind = 'r' order by relname
    loop
        execute format('select md5(string_agg(t::text, E''\n'' order by t::text)) from %s as t', v_table)
        into v_digest;
        v_all := concat(v_all, v_table, ' ', v_digest, E'\n');
    end loop;
    return v_all;
end;
$$;

-- What a role gets from a statement: its first value, or the SQLSTATE that refuses it.
create function pg_temp.outcome(p_role text, p_claims text, p_statement text) returns text
language plpgsql
as $$
declare
    v_value text;
begin
    perform set_config('request.jwt.claims', p_claims, true);
    perform set_config('role', p_role, true);
    execute p_statement into v_value;
    perform set_config('role', 'none', true);
    return v_value;
exception when others then
    return sqlstate;
end;
$$;

-- Invariants 1 to 3 hold for every organization.
create function pg_temp.books_are_right() returns text
language sql
as $$
    select is_empty(
        'select org_id::text, problem, expected, actual from wallet.validate_credits_consistency()
         union all
         select org_id::text, problem, expected, actual from wallet.verify_ledger()',
        'every balance and total is what the ledger adds up to, and the ledger verifies'
    )
$$;
