// Tickets that outlive the process: they are stored beside the customers, with the tenants' states, and sealed.
import type { Logger } from "@logtape/logtape";
import type { Database } from "../../database/connection.ts";
import type { Customer } from "../../database/loadCustomers.ts";
import {
  clearTickets,
  emptyTickets,
  readTickets,
  replaceTickets,
  writeTickets,
} from "../../database/storedTickets.ts";
import { TicketTableError } from "../../database/ticketTable.ts";
import type { CallTenant } from "../../superoffice/logOn.ts";
import type { Application, Tenant } from "../../superoffice/tenant.ts";
import { createSeal, type Seal } from "./seal.ts";
import { sleep } from "../sleep.ts";
import {
  type Content,
  contentOf,
  keepContent,
  type Kept,
  newsOf,
  type TicketRow,
} from "./ticketRow.ts";
import { createTicketWriter } from "./ticketWriter.ts";
import type { Explanation } from "../wanted.ts";

/** Joins what memory keeps to what the database stores. */
export interface TicketStore {
  /** Passes the pages on, each as soon as memory has what is stored for it. */
  filled(pages: AsyncIterable<Customer[]>): AsyncIterable<Customer[]>;
  /** Has stored before each call what is new of what it is made with, and takes no ticket again that was refused. */
  noted(callTenant: CallTenant): CallTenant;
  /** Has stored the new tickets, but waits for no database that is slow. */
  settle(): Promise<void>;
  /** Tells this console from others. */
  claimant: string;
  /** The id of the customer's row, of one that came in a page. */
  idOf(tenant: Tenant): string | undefined;
  /** Keeps the ticket that another console has stored meanwhile; undefined where it is none, or not good any more. */
  adopt(tenant: Tenant, sealed: Uint8Array<ArrayBuffer>): Promise<string | undefined>;
  /** Before memory forgets it: takes none of these tickets again, or has stored anew what memory still keeps. */
  forget(isOne: (contextIdentifier: string) => boolean, what: Forgotten): void;
  /** Has stored nothing any more of what is to be forgotten of these customers; throws `DatabaseError`. */
  forgetStored(customers: Customer[], what: Forgotten): Promise<void>;
  /** Has stored what is left, as far as that can be done now. */
  flush(): Promise<void>;
}

/** What is forgotten of a tenant: where it is, or its ticket as well. */
export type Forgotten = "state" | "ticketAndState";

/** What a store goes by, and where it speaks. */
export interface StoreSurroundings {
  explain: (error: unknown) => Explanation;
  /** A clock in milliseconds that is never set back. */
  monotonicMs: () => number;
  log: Logger;
}

const HOUR_MS = 3600_000;
/** How long a poll waits at its end for the database. */
const LONGEST_WAIT_MS = 500;

/**
 * Makes the store. It costs no statement a customer: those of a page of which memory keeps no ticket are read together, and what is
 * new is written in batches. Where the table is missing or may not be used, that is said once, and memory does alone. Other trouble
 * with the database is said once while it lasts; the customers go on without what could not be read, and what could not be written
 * is written later.
 *
 * @param application its client secret may be replaced in place; then all is sealed anew with the new one
 */
export function createTicketStore(
  application: Application,
  kept: Kept,
  database: Database,
  { explain, monotonicMs, log }: StoreSurroundings,
): TicketStore {
  const claimant = crypto.randomUUID();
  const loginHost = new URL(application.loginUrl).host;
  const rows = new Map<string, TicketRow>();
  const writer = createTicketWriter(write);
  let seal: { clientSecret: string; made: Promise<Seal> } | undefined;
  let isOff = false;
  const told = new Set<string>();
  let clearedAtMs = -Infinity;
  let clearing = Promise.resolve(true);

  /** Gives whether it need not be tried again; says why where it did not go well. */
  async function attempt(otherwise: string, deed: () => Promise<void>): Promise<boolean> {
    if (isOff) return true;
    try {
      await deed();
      told.delete(otherwise);
      return true;
    } catch (error) {
      if (error instanceof TicketTableError) {
        tell("Tickets are kept in memory alone until the next start", error);
        isOff = true;
      } else tell(otherwise, error);
      return isOff;
    }
  }

  function tell(what: string, error: unknown): void {
    if (told.has(what)) return;
    told.add(what);
    log.warn(`${what}: {problem}. {remedy} [{code}]`, { ...explain(error) });
  }

  async function currentSeal(): Promise<Seal> {
    const { clientSecret } = application;
    if (seal?.clientSecret !== clientSecret) {
      // What was sealed before is of no use any more.
      if (seal !== undefined) { for (const name of rows.keys()) writer.add(name, true); }
      seal = { clientSecret, made: createSeal(clientSecret) };
    }
    return await seal.made;
  }

  const boundTo = ({ contextIdentifier, systemUserToken }: Tenant) => [
    loginHost,
    contextIdentifier,
    systemUserToken,
  ];

  async function fill(page: Customer[]): Promise<void> {
    const { open } = await currentSeal();
    const lacking = page.map(rowOf).filter((row) => kept.tickets.find(row) === undefined);
    if (lacking.length === 0) return;
    await attempt("Stored tickets cannot be read for now", async () => {
      const stored = await readTickets(lacking.map(({ id }) => id), database);
      await Promise.all(lacking.map(async (row) => {
        const sealed = stored.get(row.id);
        if (sealed !== undefined) await keepSealed(row, sealed, open);
      }));
    });
  }

  async function keepSealed(
    row: TicketRow,
    sealed: Uint8Array<ArrayBuffer>,
    open: Seal["open"],
  ): Promise<void> {
    const text = await open(sealed, boundTo(row));
    if (text !== undefined) keepContent(row, JSON.parse(text) as Content, kept, monotonicMs());
  }

  function rowOf({ id, contextIdentifier, systemUserToken, databaseAheadMs }: Customer): TicketRow {
    const now = {
      id,
      contextIdentifier,
      systemUserToken,
      databaseAheadMs,
      seenAtMs: monotonicMs(),
    };
    const row = Object.assign(rows.get(contextIdentifier) ?? now, now);
    rows.set(contextIdentifier, row);
    return row;
  }

  async function write(contextIdentifiers: string[]): Promise<string[] | undefined> {
    let held: string[] = [];
    const isDone = await attempt("Tickets are not stored for now", async () => {
      const { seal } = await currentSeal();
      const all = await Promise.all(contextIdentifiers.map(async (contextIdentifier) => {
        const row = rows.get(contextIdentifier);
        const content = row && contentOf(row, kept);
        if (row === undefined || content === undefined) return [];
        return [{ id: row.id, sealed: await seal(JSON.stringify(content), boundTo(row)) }];
      }));
      const tickets = all.flat();
      if (tickets.length === 0) return;
      const heldIds = new Set(await writeTickets(tickets, claimant, database));
      held = contextIdentifiers.filter((name) => heldIds.has(rows.get(name)?.id ?? ""));
    });
    return isDone ? held : undefined;
  }

  async function forgetStoredStates(customers: Customer[]): Promise<void> {
    const { open, seal } = await currentSeal();
    const stored = await readTickets(customers.map(({ id }) => id), database);
    const tickets = await Promise.all(customers.map(async (customer) => {
      const read = stored.get(customer.id);
      const text = read && await open(read, boundTo(customer));
      if (read === undefined || text === undefined) return [];
      const { ticket, usedAt } = JSON.parse(text) as Content;
      const sealed = await seal(JSON.stringify({ ticket, usedAt }), boundTo(customer));
      return [{ id: customer.id, read, sealed }];
    }));
    await replaceTickets(tickets.flat(), database);
  }

  /** At the start and then every hour; nobody waits for it. */
  function clearWhenDue(): void {
    const nowMs = monotonicMs();
    if (nowMs - clearedAtMs < HOUR_MS) return;
    for (const [contextIdentifier, { seenAtMs }] of rows) {
      if (seenAtMs < clearedAtMs) rows.delete(contextIdentifier);
    }
    clearedAtMs = nowMs;
    clearing = attempt(
      "Expired tickets cannot be cleared away for now",
      () => clearTickets(database),
    );
  }

  return {
    async *filled(pages) {
      for await (const page of pages) {
        if (!isOff) {
          clearWhenDue();
          await fill(page);
        }
        yield page;
      }
    },
    noted: (callTenant) => async (tenant, access, request) => {
      const row = rows.get(tenant.contextIdentifier);
      const news = row && newsOf(row, kept);
      if (news !== undefined && !isOff) writer.add(tenant.contextIdentifier, news === "ticket");
      const answer = await callTenant(tenant, access, request);
      if (row !== undefined && answer.status === 401) row.refused = access.ticket;
      return answer;
    },
    claimant,
    idOf: ({ contextIdentifier }) => rows.get(contextIdentifier)?.id,
    async adopt(tenant, sealed) {
      const row = rows.get(tenant.contextIdentifier);
      if (row !== undefined) await keepSealed(row, sealed, (await currentSeal()).open);
      return kept.tickets.find(tenant)?.value;
    },
    forget(isOne, what) {
      for (const [contextIdentifier, row] of rows) {
        if (!isOne(contextIdentifier)) continue;
        const ticket = kept.tickets.find(row)?.value;
        if (what === "state") {
          if (ticket !== undefined && !isOff) writer.add(contextIdentifier, true);
        } else if (ticket !== undefined) row.refused = ticket;
      }
    },
    async forgetStored(customers, what) {
      if (isOff || customers.length === 0) return;
      try {
        if (what === "ticketAndState") await emptyTickets(customers.map(({ id }) => id), database);
        else await forgetStoredStates(customers);
      } catch (error) {
        // Then there is nothing to be forgotten, which is said where it is read.
        if (!(error instanceof TicketTableError)) throw error;
      }
    },
    settle: () => Promise.race([writer.writeUrgent(), sleep(LONGEST_WAIT_MS)]),
    async flush() {
      await writer.flush();
      await clearing;
    },
  };
}
