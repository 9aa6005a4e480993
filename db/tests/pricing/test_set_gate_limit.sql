begin;
select plan(35);
\ir ../support.sql

create function pg_temp.required(p_name text, p_service text default 'call') returns bigint
language sql stable
return (wallet.check_billing_gate(pg_temp.org(p_name), p_service) -> 'required_pence')::bigint;

do $$
begin
    perform pg_temp.open_wallet('acme');
    perform pg_temp.open_wallet('globex');
end $$;

create temporary table change as
select wallet.set_gate_limit('call', 150, 'gbp', 'ann') as answer;
select is(
    answer,
    jsonb_build_object(
        'success', true, 'duplicate', false, 'gate_limit_id', l.id, 'org_id', null, 'service', 'call',
        'minimum_pence', 150, 'currency', 'gbp', 'effective_from', now()
    ),
    'a minimum is set, from now on'
)
from change, wallet.gate_limits as l
where l.created_by = 'ann' and l.minimum_pence = 150 and l.org_id is null;
select is(pg_temp.required('acme'), 150::bigint, 'and applies');
select is(
    (wallet.find_gate_limit(null, 'call', now() - interval '1 microsecond')).minimum_pence::bigint, 79::bigint,
    'from now on, and not before'
);

create temporary table before_repeat as select pg_temp.everything() as state;
select is(
    wallet.set_gate_limit('call', 150, 'gbp', 'bob', at), answer || '{"duplicate": true}',
    'what is in effect is not written again: ' || why
)
from
    change,
    (
        values (null, 'now'), (now() - interval '30 seconds', 'by a slow clock'), (now() + interval '1 day', 'ahead')
    ) as again (at, why);
select is(pg_temp.everything(), state, 'and nothing is') from before_repeat;
select pg_temp.answers(
    wallet.set_gate_limit('call', 150, 'usd', 'ann'), '{"success": true, "duplicate": false}',
    'another currency is a change'
);
select is(pg_temp.required('acme'), 119::bigint, 'and the minimum is converted, rounded up');
select pg_temp.answers(
    wallet.set_gate_limit('sms', 40, 'gbp', 'ann'), '{"success": true, "duplicate": false}',
    'a service may get a minimum that had none'
);
select is(pg_temp.required('acme', 'sms'), 40::bigint, 'which applies');
select pg_temp.answers(wallet.set_gate_limit('sms', 0, 'gbp', 'ann'), '{"success": true}', 'and lose it again');
select is(pg_temp.required('acme', 'sms'), 4::bigint, 'so that the price counts alone');

do $$ begin perform wallet.set_gate_limit('sms', 99, 'gbp', 'ann', '2040-01-01 00:00+00'); end $$;
select is(
    array[
        (wallet.find_gate_limit(null, 'sms', '2039-12-31 23:59:59.999999+00')).minimum_pence,
        (wallet.find_gate_limit(null, 'sms', '2040-01-01 00:00+00')).minimum_pence
    ]::bigint[],
    array[0, 99]::bigint[],
    'a minimum is set ahead'
);

-- An organization's own.
select pg_temp.answers(
    wallet.set_gate_limit('call', 5000, 'gbp', 'ann', p_org_id => pg_temp.org('acme')),
    jsonb_build_object('success', true, 'duplicate', false, 'org_id', pg_temp.org('acme')),
    'an organization may have its own'
);
select is(pg_temp.required('acme'), 5000::bigint, 'which applies to it');
select is(pg_temp.required('globex'), 119::bigint, 'and to no other');
select pg_temp.answers(
    wallet.set_gate_limit('call', null, 'gbp', 'ann', p_org_id => pg_temp.org('acme')),
    '{"success": true, "duplicate": false, "minimum_pence": null}',
    'an own minimum is withdrawn'
);
select is(pg_temp.required('acme'), 119::bigint, 'and the general one applies');
select pg_temp.answers(
    wallet.set_gate_limit('call', null, 'gbp', 'ann', p_org_id => pg_temp.org(name)),
    '{"success": true, "duplicate": true}',
    'what is not there is not withdrawn: ' || name
)
from unnest(array['acme', 'globex']) as name;
select pg_temp.answers(
    wallet.set_gate_limit('call', 1, 'gbp', 'ann', p_org_id => pg_temp.org('nobody')),
    '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
do $$ begin perform wallet.set_gate_limit('call', 160, 'usd', 'ann'); end $$;
select pg_temp.answers(
    wallet.set_gate_limit('call', 160, 'usd', 'ann', p_org_id => pg_temp.org('acme')),
    '{"success": true, "duplicate": false}',
    'an organization may keep the minimum of today as its own'
);
do $$ begin perform wallet.set_gate_limit('call', 1, 'gbp', 'ann'); end $$;
select is(pg_temp.required('acme'), 127::bigint, 'and has it when the general one has changed');

-- Misuse.
create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises(
    format('select wallet.set_gate_limit(%L, %L, %L, %L, %L)', service, minimum, currency, actor, at),
    sqlstate, field, format('%s is checked: %s', field, sqlstate)
)
from (
    values
    (null, '1', 'gbp', 'ann', null, 'WL001', 'p_service'),
    ('phone_number', '1', 'gbp', 'ann', null, 'WL006', 'p_service'),
    ('call', null, 'gbp', 'ann', null, 'WL001', 'p_minimum_pence'),
    ('call', '-1', 'gbp', 'ann', null, 'WL002', 'p_minimum_pence'),
    ('call', '1', 'pounds', 'ann', null, 'WL006', 'p_currency'),
    ('call', '1', 'gbp', null, null, 'WL001', 'p_actor'),
    ('call', '1', 'gbp', ' ', null, 'WL005', 'p_actor'),
    ('call', '1', 'gbp', 'ann', now() - interval '1 minute 1 microsecond', 'WL006', 'p_effective_from'),
    ('call', '1', 'gbp', 'ann', 'infinity', 'WL006', 'p_effective_from')
) as misuse (service, minimum, currency, actor, at, sqlstate, field);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;
select is(
    array[
        pg_temp.outcome('service_role', '', $$select wallet.set_gate_limit('sms', 9, 'gbp', 'a') ->> 'success'$$),
        pg_temp.outcome('authenticated', '', $$select wallet.set_gate_limit('sms', 9, 'gbp', 'a')$$),
        pg_temp.outcome('service_role', '', $$update wallet.gate_limits set minimum_pence = 0$$)
    ],
    array['true', '42501', '42501'],
    'backends set minima, by this function alone'
);

select * from finish();
rollback;
