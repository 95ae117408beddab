// Tickets that outlive the process: they are stored beside the customers, with the tenants' states, and sealed.
import type { Logger } from "@logtape/logtape";
import type { Database } from "../database/connection.ts";
import type { Customer } from "../database/loadCustomers.ts";
import {
  clearTickets,
  readTickets,
  TicketTableError,
  writeTickets,
} from "../database/storedTickets.ts";
import type { CallTenant } from "../superoffice/logOn.ts";
import type { Application, Tenant } from "../superoffice/tenant.ts";
import type { TenantState } from "../superoffice/tenantState.ts";
import { createSeal, type Seal } from "./seal.ts";
import { sleep } from "./sleep.ts";
import type { TenantStates } from "./tenantStates.ts";
import { TICKET_LIFETIME_MS, type Tickets } from "./tickets.ts";
import { createTicketWriter } from "./ticketWriter.ts";
import type { Explanation } from "./wanted.ts";

/** Joins what memory keeps to what the database stores. */
export interface TicketStore {
  /** Passes the pages on, each as soon as memory has what is stored for it. */
  filled(pages: AsyncIterable<Customer[]>): AsyncGenerator<Customer[], void>;
  /** Notes before each call what it is made with, has stored what is new of it, and takes no ticket again that was refused. */
  noted(callTenant: CallTenant): CallTenant;
  /** Has stored the new tickets, but waits for no database that is slow. */
  settle(): Promise<void>;
  /** The id of the customer's row, of one that came in a page. */
  idOf(tenant: Tenant): string | undefined;
  /** Gives the ticket that another console has stored meanwhile, and keeps it; undefined where it is none, or not good any more. */
  adopt(tenant: Tenant, sealed: Uint8Array): Promise<string | undefined>;
  /** Has stored what is left, as far as that can be done now. */
  flush(): Promise<void>;
}

/** What memory keeps. */
export interface Kept {
  tickets: Tickets;
  states: TenantStates;
}

/** What a store goes by, and where it speaks. */
export interface StoreSurroundings {
  explain: (error: unknown) => Explanation;
  /** A clock in milliseconds that is never set back. */
  monotonicMs: () => number;
  log: Logger;
}

/** What is sealed; the times are the database's, in milliseconds, which all consoles share. */
interface Content {
  ticket: string;
  /** The ticket's last use. */
  usedAt: number;
  state: TenantState | undefined;
  /** Until when it holds. */
  stateUntil: number | undefined;
}

/** A customer that came in a page, and what of it is stored already, or about to be. */
interface Row extends Pick<Customer, "id" | "contextIdentifier" | "systemUserToken"> {
  databaseAheadMs: number;
  seenAtMs: number;
  ticket?: string;
  ticketUntil?: number;
  state?: TenantState | undefined;
  /** The ticket that the tenant refused last. */
  refused?: string;
}

const HOUR_MS = 3600_000;
/** How long a poll waits at its end for the database. */
const LONGEST_WAIT_MS = 500;
/** How much longer a ticket lives than is stored, before that is stored, too. */
const RENEWED_MS = HOUR_MS / 2;

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
  { tickets, states }: Kept,
  database: Database,
  { explain, monotonicMs, log }: StoreSurroundings,
): TicketStore {
  const loginHost = new URL(application.loginUrl).host;
  const rows = new Map<string, Row>();
  const writer = createTicketWriter(write);
  let seal: { clientSecret: string; made: Promise<Seal> } | undefined;
  let isOff = false;
  const told = new Set<string>();
  let clearedAtMs = -Infinity;
  let clearing = Promise.resolve(true);

  /** Gives whether it went well; says why where it did not. */
  async function attempt(what: string, deed: () => Promise<void>): Promise<boolean> {
    if (isOff) return true;
    try {
      await deed();
      told.delete(what);
      return true;
    } catch (error) {
      const explanation = { ...explain(error) };
      if (error instanceof TicketTableError) {
        if (!isOff) {
          log.warn(
            "Tickets are kept in memory alone until the next start: {problem}. {remedy} [{code}]",
            explanation,
          );
        }
        isOff = true;
        return true;
      }
      if (!told.has(what)) {
        log.warn(`${what} for now: {problem}. {remedy} [{code}]`, explanation);
      }
      told.add(what);
      return false;
    }
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
    const lacking = page.filter((customer) => {
      rows.set(customer.contextIdentifier, rowOf(customer));
      return tickets.find(customer) === undefined;
    });
    const currentlySealing = await currentSeal();
    if (lacking.length === 0) return;
    await attempt("Stored tickets cannot be read", async () => {
      const stored = await readTickets(lacking.map(({ id }) => id), database);
      await Promise.all(lacking.map(async (customer) => {
        const sealed = stored.get(customer.id);
        const text = sealed && await currentlySealing.open(sealed, boundTo(customer));
        if (text !== undefined) keep(customer, JSON.parse(text) as Content);
      }));
    });
  }

  function rowOf({ id, contextIdentifier, systemUserToken, databaseAheadMs }: Customer): Row {
    const seenAtMs = monotonicMs();
    const now = { id, contextIdentifier, systemUserToken, databaseAheadMs, seenAtMs };
    return Object.assign(rows.get(contextIdentifier) ?? now, now);
  }

  /** Keeps in memory what was stored, where it is still good, and memory got nothing newer meanwhile. */
  function keep(customer: Tenant, { ticket, usedAt, state, stateUntil = 0 }: Content): void {
    const row = rows.get(customer.contextIdentifier)!;
    const nowMs = monotonicMs();
    const databaseNow = row.databaseAheadMs + nowMs;
    const ticketMs = usedAt + TICKET_LIFETIME_MS - databaseNow;
    if (ticketMs > 0 && ticket !== row.refused && tickets.find(customer) === undefined) {
      tickets.put(customer, ticket, ticketMs);
      row.ticket = ticket;
      row.ticketUntil = nowMs + ticketMs;
    }
    const stateMs = stateUntil - databaseNow;
    if (state !== undefined && stateMs > 0 && states.find(customer) === undefined) {
      states.put(customer, state, stateMs);
      row.state = state;
    }
  }

  function note(tenant: Tenant): void {
    const row = rows.get(tenant.contextIdentifier);
    const ticket = tickets.find(tenant);
    if (isOff || row === undefined || ticket === undefined) return;
    const state = states.find(tenant)?.value;
    const isNew = ticket.value !== row.ticket;
    const isRenewed = ticket.until - (row.ticketUntil ?? 0) >= RENEWED_MS;
    const isStateNew = state !== undefined && state !== row.state;
    if (isNew || isRenewed || isStateNew) writer.add(tenant.contextIdentifier, isNew);
  }

  async function write(contextIdentifiers: string[]): Promise<boolean> {
    return await attempt("Tickets are not stored", async () => {
      const { seal } = await currentSeal();
      const all = await Promise.all(contextIdentifiers.map(async (contextIdentifier) => {
        const row = rows.get(contextIdentifier);
        const content = row && contentOf(row);
        if (content === undefined) return [];
        return [{ id: row!.id, sealed: await seal(JSON.stringify(content), boundTo(row!)) }];
      }));
      const sealed = all.flat();
      if (sealed.length > 0) await writeTickets(sealed, database);
    });
  }

  /** What is to be stored now; noted as if it was, since what cannot be written is tried again. */
  function contentOf(row: Row): Content | undefined {
    const ticket = tickets.find(row);
    const state = states.find(row);
    if (ticket === undefined) return undefined;
    row.ticket = ticket.value;
    row.ticketUntil = ticket.until;
    row.state = state?.value;
    return {
      ticket: ticket.value,
      usedAt: row.databaseAheadMs + ticket.until - TICKET_LIFETIME_MS,
      state: state?.value,
      stateUntil: state && row.databaseAheadMs + state.until,
    };
  }

  /** At the start and then every hour; nobody waits for it. */
  function clearWhenDue(): void {
    const nowMs = monotonicMs();
    if (nowMs - clearedAtMs < HOUR_MS) return;
    for (const [contextIdentifier, { seenAtMs }] of rows) {
      if (seenAtMs < clearedAtMs) rows.delete(contextIdentifier);
    }
    clearedAtMs = nowMs;
    clearing = attempt("Expired tickets cannot be cleared away", () => clearTickets(database));
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
      note(tenant);
      const answer = await callTenant(tenant, access, request);
      const row = rows.get(tenant.contextIdentifier);
      if (answer.status === 401 && row !== undefined) row.refused = access.ticket;
      return answer;
    },
    idOf: ({ contextIdentifier }) => rows.get(contextIdentifier)?.id,
    async adopt(tenant, sealed) {
      const text = await (await currentSeal()).open(sealed, boundTo(tenant));
      if (text !== undefined) keep(tenant, JSON.parse(text) as Content);
      return tickets.find(tenant)?.value;
    },
    settle: () => Promise.race([writer.writeUrgent(), sleep(LONGEST_WAIT_MS)]),
    async flush() {
      await writer.flush();
      await clearing;
    },
  };
}
