-- The role stays: other databases of the cluster may use it.
-- Made with its function, it would hold up the rollback of the columns that it looks at.
drop trigger if exists notify_topup on wallet.topups;

alter table wallet.topup_limits
drop constraint topup_limits_presets_pence_check,
drop column presets_pence;

revoke select on wallet.topups from authenticated;
grant select on wallet.topups to authenticated;
