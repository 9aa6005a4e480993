// Opens the page: every section by itself, so that none waits for another.

import { activity, openActivity } from "./activity.js";
import { whenBack } from "./checkout.js";
import { followPayment } from "./payment.js";
import { openRecharge, recharge } from "./recharge.js";
import { forgetAnswer, watchSession } from "./session.js";
import { overview } from "./summary.js";
import { openTopup } from "./topup.js";
import { openTransactions, transactions } from "./transactions.js";
import { refreshWallet } from "./wallet.js";

watchSession();
document.addEventListener("wallet:changed", () => {
  for (const section of [overview, recharge, activity, transactions])
    section.show({ quietly: true });
});
// Without a reload, the ledger may have moved, and the reader have signed out.
whenBack(() => {
  forgetAnswer();
  refreshWallet();
});

overview.show();
openTopup();
openRecharge();
openActivity();
openTransactions();
followPayment();
