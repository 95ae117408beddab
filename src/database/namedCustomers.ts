// Customers by the names that somebody typed.
import { type Database, runQuery } from "./connection.ts";
import { inPages } from "./inPages.ts";

/** What the table holds for a name, whose letter case does not matter. */
export interface NamedCustomer {
  /** As it was typed. */
  given: string;
  /** As the row spells it; null when there is no such customer. */
  name: string | null;
  isActive: boolean;
}

/** Finds each of the names; one comes more than once where rows differ in case alone. Throws `DatabaseError`. */
export async function findByName(given: string[], database: Database): Promise<NamedCustomer[]> {
  const query = database<NamedCustomer[]>`
    select given, context_identifier as name, coalesce(is_active, false) as "isActive"
    from jsonb_array_elements_text(${database.json(given)}) as given
    left join customers on lower(context_identifier) = lower(given)`;
  return [...await runQuery(query, database)];
}

/** Streams the names of at most so many customers in pages, in the order of their ids. Throws `DatabaseError`. */
export async function* readNames(database: Database, most: number): AsyncGenerator<string[], void> {
  const pages = inPages((lastId, rows) => {
    const query = database<{ id: string; name: string }[]>`
      select id, context_identifier as name from customers
      where id > ${lastId}::bigint
      order by id
      limit ${rows}`;
    return runQuery(query, database);
  });
  let count = 0;
  for await (const page of pages) {
    yield page.map(({ name }) => name);
    count += page.length;
    if (count >= most) return;
  }
}
