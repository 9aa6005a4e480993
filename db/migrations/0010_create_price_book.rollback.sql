drop table wallet.gate_limits, wallet.exchange_rates, wallet.prices, wallet.services, wallet.price_units cascade;
drop domain wallet.price_rounding;
