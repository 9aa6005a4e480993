begin;
select plan(3);

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
select is(
    wallet.refuse_unknown_organization(null),
    '{
        "success": false, "error": "organization_not_found", "org_id": null, "message": "No organization is named."
    }'::jsonb,
    'where none is named, it says so'
);

select * from finish();
rollback;
