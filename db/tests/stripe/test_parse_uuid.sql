begin;
select plan(11);

select is(wallet.parse_uuid(text), '2f1c6f7e-1b5e-4d9b-9a3b-6f1f0a4f2c11'::uuid, format('%s is an id', text))
from unnest(array['2f1c6f7e-1b5e-4d9b-9a3b-6f1f0a4f2c11', '2F1C6F7E-1B5E-4D9B-9A3B-6F1F0A4F2C11']) as text;
select is(wallet.parse_uuid(text), null, format('%L is none, and no error', text))
from
    unnest(
        array[
            null, '', 'acme', '2f1c6f7e', '{2f1c6f7e-1b5e-4d9b-9a3b-6f1f0a4f2c11}',
            '2f1c6f7e1b5e4d9b9a3b6f1f0a4f2c11', '2f1c6f7e-1b5e-4d9b-9a3b-6f1f0a4f2c1g',
            '2f1c6f7e-1b5e-4d9b-9a3b-6f1f0a4f2c11 ', E'2f1c6f7e-1b5e-4d9b-9a3b-6f1f0a4f2c11\n'
        ]
    ) as text;

select * from finish();
rollback;
