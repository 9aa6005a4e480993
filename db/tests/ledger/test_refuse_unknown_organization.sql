begin;
select plan(2);

select is(
    wallet.refuse_unknown_organization('2f1c6f7e-1b5e-4d9b-9a3b-6f1f0a4f2c11') - 'message',
    '{
        "success": false, "error": "organization_not_found", "org_id": "2f1c6f7e-1b5e-4d9b-9a3b-6f1f0a4f2c11"
    }'::jsonb,
    'the refusal names the organization that has no wallet'
);
select matches(
    wallet.refuse_unknown_organization('2f1c6f7e-1b5e-4d9b-9a3b-6f1f0a4f2c11') ->> 'message',
    '2f1c6f7e-1b5e-4d9b-9a3b-6f1f0a4f2c11',
    'in its sentence too'
);

select * from finish();
rollback;
