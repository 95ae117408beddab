// What is needed beyond customers where the settings ask for it: the table of tickets, and what consoles share the work through.
import type { Database } from "../database/connection.ts";
import type { RunSettings } from "../program/settings.ts";
import { check, type Finding } from "./findings.ts";

/** Checks what the console needs for `TICKET_STORE=database` and `SHARE=on`; yields nothing where neither is set. */
export async function* checkKept(
  { storesTickets, share }: RunSettings,
  database: Database | undefined,
): AsyncGenerator<Finding, void> {
  if (!storesTickets) return;
  yield* check("tickets", { database }, async (needs) => {
    const { findTicketTableFault } = await import("../database/ticketTable.ts");
    const fault = await findTicketTableFault(needs.database);
    return { value: undefined, text: "the table «tickets» may be read and written", fault };
  });
  if (!share) return;
  yield* check("share", { database }, async (needs) => {
    const { inspectShare } = await import("../database/pgBoss.ts");
    const { isMade, fault } = await inspectShare(needs.database);
    const schema = isMade ? "its schema may be used" : "its schema is made at the first start";
    return { value: undefined, text: `pg-boss is installed; ${schema}`, fault };
  });
}
