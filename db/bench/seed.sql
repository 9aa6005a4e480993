-- 100,000 wallets with money in them, made by the functions that are measured.
select count(wallet.create_wallet(('00000000-0000-0000-0000-' || 100000000000 + i)::uuid, 'Organization ' || i))
from generate_series(1, 100000) as i;

select
    count(
        wallet.add_wallet_credits(
            ('00000000-0000-0000-0000-' || 100000000000 + i)::uuid, 1000000000, 'topup', 'pi_' || i
        )
    )
from generate_series(1, 100000) as i;
