import { type Database, DatabaseError } from "../database/connection.ts";
import { findByName, type NamedCustomer, readNames } from "../database/namedCustomers.ts";
import { UsageError } from "./errors.ts";
import { nearestOf } from "./nearest.ts";
import { printable } from "./printable.ts";

/** Of a larger table the first ones are looked at: to read all would keep whoever made a slip waiting. */
const MOST_ROWS_FOR_NEAREST = 100_000;

/**
 * Makes what gives the names of the customers that `--customer` asks for as their rows spell them, found when the database first
 * answers; until then it gives what is wrong with the database. It throws {@link UsageError} where one is not there or not active.
 */
export function createNamed(
  given: string[],
  database: Database,
): () => Promise<string[] | DatabaseError> {
  let names: string[] | undefined;
  return async () => {
    try {
      return names ??= await findAll(given, database);
    } catch (error) {
      if (error instanceof DatabaseError) return error;
      throw error;
    }
  };
}

async function findAll(given: string[], database: Database): Promise<string[]> {
  const found = await findByName(given, database);
  const faults: string[] = [];
  for (const name of new Set(given)) {
    const own = found.filter((customer) => customer.given === name);
    if (!own.some(({ isActive }) => isActive)) faults.push(await faultOf(own[0]!, database));
  }
  if (faults.length > 0) throw new UsageError(faults.join("; "));
  return found.map(({ name }) => name!);
}

async function faultOf({ given, name }: NamedCustomer, database: Database): Promise<string> {
  const typed = `--customer ${printable(given)}`;
  if (name !== null) {
    return `${typed}: it is not active, so the console leaves it alone; ` +
      `npm run customers -- resume ${printable(name)} has it taken again`;
  }
  const nearest = await nearestOf(given, readNames(database, MOST_ROWS_FOR_NEAREST));
  return `${typed}: there is no such customer, ` +
    (nearest.length === 0
      ? "nor one with a name like it"
      : `the nearest there are: ${nearest.map(printable).join(", ")}`);
}
