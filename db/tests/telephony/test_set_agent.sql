begin;
select plan(27);
\ir ../support.sql
\ir numbers.sql

do $$ begin perform pg_temp.open_wallet('acme', 2000); perform pg_temp.open_wallet('other', 2000); end $$;
create temporary table number as
select
    pg_temp.get_number('acme', '+442079460000') as mine,
    pg_temp.get_number('other', '+442079460001') as theirs;

create temporary table agent as
select wallet.set_agent(pg_temp.org('acme'), null, 'Ann', 'asst_1', mine) as answer from number;
select pg_temp.answers(
    answer,
    jsonb_build_object(
        'success', true, 'duplicate', false, 'org_id', pg_temp.org('acme'), 'name', 'Ann',
        'vapi_assistant_id', 'asst_1', 'phone_number_id', n.mine
    ),
    'an agent is created'
)
from agent, number as n;
select pg_temp.answers(
    to_jsonb(a), answer - 'success' - 'duplicate' - 'agent_id' || jsonb_build_object('id', answer -> 'agent_id'),
    'and recorded'
)
from wallet.agents as a, agent;

-- The same one again.
create temporary table before_replay as select pg_temp.everything() as state;
select is(
    wallet.set_agent(pg_temp.org('acme'), null, 'Ann', 'asst_1', n.mine), answer || '{"duplicate": true}',
    'told again it is the same agent, known by its assistant'
)
from agent, number as n;
select is(
    wallet.set_agent(pg_temp.org('acme'), (answer ->> 'agent_id')::uuid, 'Ann', 'asst_1', n.mine),
    answer || '{"duplicate": true}', 'or by its id'
)
from agent, number as n;
select is(pg_temp.everything(), state, 'and nothing is written') from before_replay;

-- Changes.
select is(
    wallet.set_agent(pg_temp.org('acme'), (answer ->> 'agent_id')::uuid, 'Anna', 'asst_2', n.mine),
    answer || '{"name": "Anna", "vapi_assistant_id": "asst_2"}', 'an agent can be changed'
)
from agent, number as n;
select is(
    wallet.set_agent(pg_temp.org('acme'), null, 'Anna', 'asst_2'),
    answer || '{"name": "Anna", "vapi_assistant_id": "asst_2", "phone_number_id": null}',
    'what is not told is unlinked'
)
from agent;
select is(phone_number_id, null, 'as it is recorded') from wallet.agents where name = 'Anna';
select is((select count(*) from wallet.agents), 1::bigint, 'and it stays one agent');
select pg_temp.answers(
    wallet.set_agent(pg_temp.org('acme'), pg_temp.org('bob'), 'Bob', p_phone_number_id => n.mine),
    jsonb_build_object('success', true, 'duplicate', false, 'agent_id', pg_temp.org('bob'), 'vapi_assistant_id', null),
    'an agent can have an id of the caller''s, and no assistant'
)
from number as n;
select pg_temp.answers(
    wallet.set_agent(pg_temp.org('acme'), pg_temp.org('bob'), 'Bob', p_phone_number_id => n.mine),
    jsonb_build_object('duplicate', true, 'agent_id', pg_temp.org('bob')), 'by which it can be told again'
)
from number as n;
select isnt(
    wallet.set_agent(pg_temp.org('acme'), null, 'Cid') ->> 'agent_id',
    wallet.set_agent(pg_temp.org('acme'), null, 'Cid') ->> 'agent_id',
    'without an id and an assistant every agent is new'
);
select pg_temp.answers(
    wallet.set_agent(pg_temp.org('other'), null, 'Eve', 'asst_2'), '{"success": true, "duplicate": false}',
    'another organization may use the same assistant'
);

-- Refusals.
do $$
begin
    perform wallet.provision_phone_number(pg_temp.org('acme'), '+442079460002', 'new');
    perform wallet.provision_phone_number(pg_temp.org('acme'), '+442079460003', 'none');
    perform wallet.fail_phone_provisioning(pg_temp.org('acme'), 'none', 'taken');
    perform wallet.release_phone_number(pg_temp.org('acme'), pg_temp.get_number('acme', '+442079460004'), 'test');
end $$;
create temporary table before_refusals as select pg_temp.everything() as state;
select pg_temp.answers(
    wallet.set_agent(pg_temp.org('acme'), pg_temp.org('bob'), 'Bob', 'asst_2'),
    jsonb_build_object(
        'success', false, 'error', 'assistant_in_use', 'vapi_assistant_id', 'asst_2', 'agent_id', answer -> 'agent_id'
    ),
    'an assistant is that of one agent'
)
from agent;
select pg_temp.answers(
    wallet.set_agent(pg_temp.org('acme'), pg_temp.org('bob'), 'Bob', null, n.theirs),
    jsonb_build_object('success', false, 'error', 'phone_number_not_found', 'phone_number', n.theirs),
    'another organization''s number can''t be answered'
)
from number as n;
select pg_temp.answers(
    wallet.set_agent(pg_temp.org('acme'), pg_temp.org('bob'), 'Bob', null, id),
    jsonb_build_object('success', false, 'error', 'number_not_active', 'status', status),
    'nor one that is ' || status
)
from wallet.phone_numbers
where org_id = pg_temp.org('acme') and status <> 'active'
order by status;
select pg_temp.answers(
    wallet.set_agent(pg_temp.org('nobody'), null, 'Ann'), '{"success": false, "error": "organization_not_found"}',
    'an unknown organization is refused'
);
select is(pg_temp.everything(), state, 'refusals write nothing') from before_refusals;

create temporary table before_misuse as select pg_temp.everything() as state;
select pg_temp.raises($$select wallet.set_agent(null, null, 'Ann')$$, 'WL001', 'org_id', 'an organization is required');
select pg_temp.raises(
    $$select wallet.set_agent(pg_temp.org('acme'), null, null)$$, 'WL001', 'name', 'a name is required'
);
select pg_temp.raises(
    $$select wallet.set_agent(pg_temp.org('acme'), null, ' ')$$, 'WL005', 'name', 'a blank one is misuse'
);
select pg_temp.raises(
    $$select wallet.set_agent(pg_temp.org('acme'), null, 'Ann', '')$$, 'WL005', 'vapi_assistant_id',
    'so is a blank assistant'
);
select is(pg_temp.everything(), state, 'misuse writes nothing') from before_misuse;
select is(
    pg_temp.outcomes($q$select wallet.set_agent(pg_temp.org('acme'), pg_temp.org('dan'), 'Dan') ->> 'success'$q$),
    '42501 42501 true 42501 42501', 'it is for backends'
);
select is(pg_temp.stale_references(), 0::bigint, 'nothing refers to a number that is not active');

select * from finish();
rollback;
