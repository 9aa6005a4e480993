drop table wallet.organization_changes cascade;
drop table wallet.organizations cascade;
