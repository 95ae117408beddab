// One customer's ticket and its tenant's state: what memory keeps of them, and what of that is stored.
import type { Customer } from "../../database/loadCustomers.ts";
import type { TenantState } from "../../superoffice/tenantState.ts";
import type { TenantStates } from "./tenantStates.ts";
import { TICKET_LIFETIME_MS, type Tickets } from "./tickets.ts";

/** What memory keeps. */
export interface Kept {
  tickets: Tickets;
  states: TenantStates;
}

/** What is sealed; the times are the database's, in milliseconds, which all consoles share. */
export interface Content {
  ticket: string;
  /** The ticket's last use. */
  usedAt: number;
  state: TenantState | undefined;
  /** Until when it holds. */
  stateUntil: number | undefined;
}

/** A customer that came in a page, and what of it is stored already, or about to be. */
export interface TicketRow
  extends Pick<Customer, "id" | "contextIdentifier" | "systemUserToken" | "databaseAheadMs"> {
  /** When it last came, by the monotonic clock. */
  seenAtMs: number;
  ticket?: string;
  ticketUntil?: number;
  state?: TenantState | undefined;
  /** The ticket that the tenant refused last. */
  refused?: string;
}

/** How much longer a ticket lives than is stored, before that is stored, too. */
const RENEWED_MS = 30 * 60 * 1000;

/** Has memory keep what was stored, where it is still good, was not refused, and memory got nothing newer meanwhile. */
export function keepContent(
  row: TicketRow,
  { ticket, usedAt, state, stateUntil = 0 }: Content,
  { tickets, states }: Kept,
  nowMs: number,
): void {
  const databaseNow = row.databaseAheadMs + nowMs;
  const ticketMs = usedAt + TICKET_LIFETIME_MS - databaseNow;
  if (ticketMs > 0 && ticket !== row.refused && tickets.find(row) === undefined) {
    tickets.put(row, ticket, ticketMs);
    row.ticket = ticket;
    row.ticketUntil = nowMs + ticketMs;
  }
  const stateMs = stateUntil - databaseNow;
  if (state !== undefined && stateMs > 0 && states.find(row) === undefined) {
    states.put(row, state, stateMs);
    row.state = state;
  }
}

/** What memory keeps that is not stored: a new ticket, or something that can wait a little, or nothing. */
export function newsOf(
  row: TicketRow,
  { tickets, states }: Kept,
): "ticket" | "other" | undefined {
  const ticket = tickets.find(row);
  if (ticket === undefined) return undefined;
  if (ticket.value !== row.ticket) return "ticket";
  const state = states.find(row)?.value;
  const isStateNew = state !== undefined && state !== row.state;
  const isRenewed = ticket.until - (row.ticketUntil ?? 0) >= RENEWED_MS;
  return isStateNew || isRenewed ? "other" : undefined;
}

/** What is to be stored, and counts as stored from now on; undefined where memory keeps no ticket. */
export function contentOf(row: TicketRow, { tickets, states }: Kept): Content | undefined {
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
