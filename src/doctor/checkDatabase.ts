import { TokenMissingError } from "../console/errors.ts";
import type { Secrets } from "../console/wanted.ts";
import { type Database, DatabaseError, placeOf } from "../database/connection.ts";
import { type CustomerRow, findRow, inspectTable } from "../database/inspectTable.ts";
import { findLastWorkFault } from "../database/lastWork.ts";
import { countCustomers } from "../database/loadCustomers.ts";
import type { Found } from "./findings.ts";

/** Checks the database and its table. Throws {@link DatabaseError} where no customer can be read from it. */
export async function inspectDatabase(database: Database): Promise<Found<Database>> {
  const { kind, fault } = await inspectTable(database);
  const active = await countCustomers(database);
  const lastWork = await findLastWorkFault(database);
  const details = lastWork === undefined
    ? []
    : [`A work script's lastSync stays null: ${lastWork.message}. ${lastWork.remedy}`];
  const text = `${placeOf(database)}/${database.options.database} has the ${kind} «customers», ` +
    `active customers: ${active}`;
  return { value: database, text, details, fault };
}

/**
 * Finds the customer to check. An inactive one is at fault, since the console leaves it alone, but its tenant is checked all
 * the same. Throws {@link DatabaseError} and {@link TokenMissingError}.
 */
export async function findCustomer(
  database: Database,
  contextIdentifier: string | undefined,
  secrets: Secrets,
): Promise<Found<CustomerRow>> {
  const row = await findRow(contextIdentifier, database);
  secrets.add(row.systemUserToken);
  if (row.systemUserToken === "") {
    throw new TokenMissingError(`The row of ${row.contextIdentifier} holds no system user token`);
  }
  const { contextIdentifier: found, isActive } = row;
  const which = contextIdentifier === undefined ? "the first active one" : "active";
  const isAlone = contextIdentifier === undefined ? " (and there is no active one)" : "";
  const fault = isActive ? undefined : new DatabaseError(
    `${found} is paused, that is not active, so the console leaves it alone${isAlone}`,
    `npm run customers -- resume ${found} (it sets is_active), if the customer still wants the application.`,
  );
  return { value: row, text: `${found}, ${which}`, fault };
}
